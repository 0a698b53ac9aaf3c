"""The screenshots of the documentation: taken by a command, and small."""

import struct
from pathlib import Path

import pytest

from docs.generate.screenshots import DASHBOARD, MAX_BYTES, VERDICT, main
from tests.chromium import needs_chromium

pytestmark = pytest.mark.slow

PICTURES = Path(__file__).parents[2] / "docs/pictures"


def size(picture):
    """Width and height of a PNG, which are in its first chunk."""
    return struct.unpack(">II", picture.read_bytes()[16:24])


def test_the_screenshots_are_small_and_of_one_width():
    """So that pages load quickly, and a new picture takes the place of the old one."""
    assert size(PICTURES / "verdict.png") == VERDICT
    assert size(PICTURES / "dashboard.png") == DASHBOARD
    assert max(path.stat().st_size for path in PICTURES.iterdir()) <= MAX_BYTES


@needs_chromium
def test_a_screenshot_is_taken_of_a_report_and_of_a_page(tmp_path):
    """A report is Markdown; its tables are drawn."""
    (tmp_path / "report.md").write_text("## PROMOTE\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    (tmp_path / "index.html").write_text("<h1>flights</h1>")

    assert main(tmp_path / "report.md", tmp_path / "index.html", tmp_path) == 0

    assert size(tmp_path / "verdict.png") == VERDICT
    assert size(tmp_path / "dashboard.png") == DASHBOARD


def test_without_a_demo_the_command_is_named(tmp_path, capsys):
    """And nothing is written."""
    assert main(tmp_path / "report.md", tmp_path / "index.html", tmp_path) == 2

    assert "report.md" in (said := capsys.readouterr().err)
    assert "type: make demo" in said
    assert list(tmp_path.iterdir()) == []
