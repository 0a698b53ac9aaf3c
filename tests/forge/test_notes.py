"""The two commands that a workflow comments with: a robot's note on a pull request, and who may ask for it."""

import pytest

from forge.__main__ import main
from tests.forge.conftest import on_github


class Recording:
    """A forge in which one person may write; it records the notes."""

    def __init__(self):
        self.notes = {}

    def may_write(self, name):
        return name == "ada"

    def note(self, number, marker, body):
        self.notes[number, marker] = body


@pytest.mark.parametrize(("name", "found"), [("ada", "true"), ("mallory", "false")])
def test_who_may_write_is_an_output_of_the_workflow(name, found, tmp_path, monkeypatch):
    """Of the step that the replay depends on."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    assert main(["may-write", name, "--forge", "here"], lambda _: Recording()) == 0
    assert (tmp_path / "output").read_text() == f"may_write={found}\n"


def test_a_note_is_the_text_of_a_file(tmp_path, capsys):
    """A file that cannot be read is refused, and nothing is written."""
    forge, file = Recording(), tmp_path / "comment.md"
    words = ["note", "7", "--marker", "backtest", "--file", str(file), "--forge", "here"]

    assert main(words, lambda _: forge) == 6
    assert forge.notes == {}
    file.write_text("## Backtest\n")
    assert main(words, lambda _: forge) == 0
    assert forge.notes == {(7, "backtest"): "## Backtest\n"}
    assert "cannot be read" in capsys.readouterr().err


def test_a_note_on_a_pull_request_is_one_comment_that_is_updated(github, fake):
    """However often the limits are changed."""
    number = github.propose("limits", "Other limits", "", {"checks/thresholds.toml": "x = 1\n"}).number
    for text in ("first", "second", "second"):
        github.note(number, "backtest", text)

    assert on_github(fake).proposal("limits").comments == {"backtest": "second"}
