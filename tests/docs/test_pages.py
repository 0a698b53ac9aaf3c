"""What the pages say of the code: every path, name and picture of the packages is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from docs.generate.package_pictures import PACKAGES, PICTURES, picture

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "reference")
#: Paths that are made by a command, or are patterns.
MADE = {"checks/staleness.json", "serve/live.toml", "requirements/NAME.in"}
OURS = "archive|audit|backtest|bench|bundles|checks|contracts|docs|drill|forge|model|monitoring|online|reporting|requirements|serve|tests"


def paths_of(page):
    """Every path of the repository that *page* has in code, and Python files in its commands."""
    text = page.read_text()
    typed = re.findall(rf"(?<=\s)(?:{OURS})/[\w/]+\.py\b", text)
    return [*re.findall(rf"`((?:(?:{OURS})/|\.github/)[^`\s]*)`", text), *typed]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_on_a_page_is_in_the_repository(page):
    """A reader opens it."""
    assert [name for name in paths_of(page) if name not in MADE and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_that_a_page_names_beside_a_path_is_in_that_folder(page):
    """`a/b.py`, `c.py` means a/c.py, if no module of that name is elsewhere on the page."""
    text = page.read_text()
    bare = set(re.findall(r"`(\w+\.py)`", text)) - {"sitecustomize.py"}
    folders = {(ROOT / name).parent if "." in name.split("/")[-1] else ROOT / name for name in paths_of(page)}

    assert [name for name in bare if not any((folder / name).exists() for folder in folders)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_name_that_a_page_finds_in_a_module_is_there(page):
    """`NAME` in `path`."""
    said = re.findall(r"`(\w+)`(?: of `\w+`)? in\s+`([\w/]+\.py)`", page.read_text())

    assert [(name, path) for name, path in said if not re.search(rf"\b{name}\b", (ROOT / path).read_text())] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_picture_of_a_package_is_that_of_its_table(package):
    """`python -m docs.generate.package_pictures` draws it."""
    drawn = (PICTURES / f"package-{package}.svg").read_text()

    assert drawn == picture(package, PACKAGES[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_each_part_of_a_package_has_a_box(package):
    """And each box is a part."""
    boxes = {name for row in PACKAGES[package] for name, _ in row}
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}

    assert [n for n in boxes if not ((ROOT / package / n).is_dir() or (ROOT / package / f"{n}.py").exists())] == []
    assert folders - boxes == set()


@cache
def imports(path):
    """The modules of the repository that the module *path* imports, as paths."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        else:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        found.update(name.replace(".", "/") + ".py" for name in names)
    return {name for name in found if (ROOT / name).is_file()}


def reached_from(path):
    """The modules that *path* imports, and those that they import, and so on."""
    found, new = {path}, {path}
    while new:
        new = {each for one in new for each in imports(one)} - found
        found |= new
    return found


FLOWS = re.findall(
    r"^### ((?:Retrain|Gate|Land|Score|Watch): .*?)\n(.*?)(?=\n##|\nExperiments go)",
    (ROOT / "docs/explanation/architecture.md").read_text(),
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize(("title", "text"), FLOWS, ids=[title.partition(":")[0] for title, _ in FLOWS])
def test_the_modules_of_a_flow_are_reached_from_its_first(title, text):
    """By imports; a name without a folder is beside the path before it."""
    named, folder = [], ""
    for name in re.findall(rf"`((?:(?:{OURS})/[\w/]+\.py)|\w+\.py)`", text):
        folder, _, module = name.rpartition("/") if "/" in name else (folder, "", name)
        named.append(f"{folder}/{module}")

    assert len(named) > 4
    assert [name for name in named if name not in reached_from(named[0])] == []


def test_there_are_five_flows():
    """Those that a reader asks for."""
    assert len(FLOWS) == 5
