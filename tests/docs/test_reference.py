"""The reference pages say what the code says: their tables are generated, or compared here."""

import ast
import os
import re
import subprocess
import tomllib
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from archive.parquet import COLUMNS, Shape
from bundles.manifest import read_manifest
from contracts.monitoring_limits import SIGNALS
from contracts.row_contract import Contract, Feature, Target
from docs.generate.thresholds_file import read_groups
from model.declarations import FUNCTIONS
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export
from model.train import read_recipe, train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/reference"
COMMANDS = ["model", "checks", "forge", "archive", "serve", "monitoring", "drill", "backtest"]


def first_column(page, heading=None):
    """The code in the first cell of each row, of a section or of the whole page."""
    text = (PAGES / page).read_text()
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("environment", ["work", "serve"])
def test_the_generated_tables_are_up_to_date(environment):
    """`make reference` rewrites them."""
    done = subprocess.run(
        [ROOT / f".venv/{environment}/bin/python", "-m", "docs.generate", environment, "--check"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_comment_of_the_thresholds_belongs_to_what_it_is_beside():
    """Above a table or values it is text; behind a value, and indented below it, the value's meaning."""
    top, groups = read_groups(
        "# Every limit.\n\n"
        "# About a.\n# More.\n[a]\nx = 1  # one\n       # and more\n# Two of them.\ny = '#'\nz = 2\n\n"
        "[a.b] # about b\n"
    )

    assert top == "Every limit."
    assert [(group.table, group.text) for group in groups] == [
        ("a", "About a. More."),
        ("a", "Two of them."),
        ("a.b", "about b"),
    ]
    values = [(each.name, each.text, each.meaning) for group in groups for each in group.values]
    assert values == [("x", "1", "one and more"), ("y", "'#'", ""), ("z", "2", "")]


def thresholds(table, prefix=""):
    """Dotted names of the values below *table*; a value may be an inline table."""
    for name, value in table.items():
        where = f"{prefix}{name}"
        if isinstance(value, dict) and name != "anchor":
            yield from thresholds(value, f"{where}.")
        else:
            yield where


def test_every_threshold_is_on_its_page():
    """In its table, under its name."""
    content = (ROOT / "checks/thresholds.toml").read_text()
    groups = read_groups(content)[1]
    found = [f"{group.table}.{each.name}" for group in groups for each in group.values]
    shown = [
        f"{table}.{name}"
        for table in dict.fromkeys(group.table for group in groups)
        for name in first_column("thresholds.md", f"`[{table}]`")
    ]

    assert sorted(found) == sorted(thresholds(tomllib.loads(content)))
    assert shown == found


#: What a rule's name may begin with.
FAMILIES = "anchor|bundle|calibration|champion|compare|contract|data|drift|labels|leak|live|measured|model|release|serving|slice|upstream|waivers"
NOT_RULES = {"live.toml", "model.onnx", "waivers.toml"}


def names_in_the_code():
    """Every rule that `checks` spells, as a pattern: what is filled in may be anything."""
    for path in (ROOT / "checks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            text = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                parts = [each.value if isinstance(each, ast.Constant) else "\0" for each in node.values]
                text = "".join(parts)
            if re.fullmatch(rf"({FAMILIES})\.[a-z_.=\0]*[a-z_\0]", text) and text not in NOT_RULES:
                yield re.escape(text).replace("\0", ".+")


def test_the_rules_are_those_of_the_code():
    """Each on the page, and none besides."""
    patterns, shown = set(names_in_the_code()), first_column("rules.md")

    assert len(patterns) > 50
    assert [each for each in patterns if not any(re.fullmatch(each, rule) for rule in shown)] == []
    assert [rule for rule in shown if not any(re.fullmatch(each, rule) for each in patterns)] == []
    assert len(set(shown)) == len(shown)


def test_every_limit_of_the_gate_has_a_rule():
    """But for severities, seeds and the size of Deepchecks' sample; no rule names a limit that does not exist."""
    gate = set(thresholds({"gate": tomllib.loads((ROOT / "checks/thresholds.toml").read_text())["gate"]}))
    rows = re.findall(r"^\| `[^`]+` \|.*\| ([^|]*) \|$", (PAGES / "rules.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}

    assert named - gate == set()
    left = {name for name in gate - named if name.rpartition(".")[2] not in ("severity", "seed")}
    assert left == {"gate.max_rows"}


def test_every_argument_has_a_meaning():
    """A row of the commands' tables has words in its last cell."""
    assert re.findall(r"^\| (.*) \|  \|$", (PAGES / "commands.md").read_text(), re.MULTILINE) == []


def test_the_signals_are_those_that_are_monitored():
    """With every smallest effect; none names a limit that does not exist."""
    limits = tomllib.loads((ROOT / "checks/thresholds.toml").read_text())["monitoring"]
    named = set(re.findall(r"`monitoring\.(\w+)`", (PAGES / "signals.md").read_text()))

    assert sorted(first_column("signals.md")) == sorted(SIGNALS)
    assert named - limits.keys() == set()
    assert {name for name in limits if name.startswith("min_")} - named == {"min_reference_days"}


def codes_of(package):
    """Exit codes that are named in *package*: `OK, USAGE = 0, 2`."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                names = [each.id for each in node.targets[0].elts]
                if names[0] in ("OK", "SET"):
                    yield from (each.value for each in node.value.elts)


@pytest.mark.parametrize("package", COMMANDS)
def test_exit_codes_are_those_of_the_code(package):
    """Every command has a cell for each code that it may end with; 1 is Python's own."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (PAGES / "exit-codes.md").read_text().splitlines()
        if line.startswith("|")
    ]
    column = lines[0].index(f"`{package}`")
    shown = {int(cells[0]) for cells in lines[2:] if cells[column]}

    assert shown == {1, *codes_of(package)}


#: Fields that not every bundle has.
OPTIONAL = {"core", "remarks", "stability", "point_in_time", "sent", "label_delay", "release", "evaluation"}
#: Fields that older bundles, or contracts of these recipes, do not have.
LATER = {
    "contract.retired",
    "contract.zone",
    "golden.spread",
    "data.source",
    "data.newest",
    "data.later",
    "parity.cases",
    "parity.beside_thresholds",
    "parity.unbounded",
}


@pytest.mark.parametrize("recipe", ["buys", "tariff", "basket"])
def test_the_manifests_fields_are_those_that_are_written(recipe, recipes, tmp_path):
    """And those of bundles that were written before."""
    build = Build(datetime(2026, 2, 20, tzinfo=UTC), "c0ffee", recipes / f"{recipe}.py")
    fitted = train(read_recipe(build.recipe), date(2026, 2, 20))
    folders = [export(fitted, build, tmp_path, 1e-5), *(ROOT / "tests/bundles").glob("*/*/*")]
    shown = first_column("bundle.md", "Manifest")
    inner = {name.partition(".")[0] for name in shown if "." in name}

    for manifest in map(read_manifest, folders):
        found = {*manifest, *(f"{name}.{each}" for name in inner for each in manifest.get(name, ()))}
        assert found - {*shown} == set()
        missing = {name for name in {*shown} - found if name.partition(".")[0] not in OPTIONAL}
        assert missing - LATER == set()


@pytest.mark.parametrize("part", [Contract, Feature, Target])
def test_the_contracts_fields_are_those_of_the_code(part):
    """In their order; one without a default is required."""
    text = (PAGES / "recipe.md").read_text().partition(f"\n## {part.__name__}\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.MULTILINE)

    public = [field for field in fields(part) if field.init]
    assert [name for name, _ in shown] == [field.name for field in public]
    required = [field.name for field in public if field.default is MISSING]
    assert [name for name, default in shown if default == "required"] == required


def test_a_recipe_needs_the_names_of_the_page():
    """But for the last two, training names each that is missing."""
    shown = first_column("recipe.md")[:6]

    assert shown == ["CONTRACT", *FUNCTIONS, "HOLDOUT", "to_onnx"]


def test_the_bundles_files_are_those_that_are_written():
    """Of all formats; no sample has outcomes that come late."""
    column = first_column("bundle.md")
    shown = column[: column.index("manifest.json") + 1]
    written = {
        path.relative_to(folder).as_posix()
        for folder in (ROOT / "tests/bundles").glob("*/*/*")
        for path in folder.rglob("*")
        if path.is_file()
    }

    assert written <= set(shown)
    late = {f"evidence/{part}.parquet" for part in ("unknown", "late", "later")}
    assert set(shown) - written == {*late, "evidence/erased.json"}


def test_parquet_has_the_columns_of_the_page():
    """Besides those of the lines, of which it names every type."""
    text = (PAGES / "journal.md").read_text()

    for field in Shape().schema():
        assert f"| `{field.name}` | {field.type} |" in text
    for kind in COLUMNS.values():
        assert re.sub(r"list<.*: (\w+)>", r"list of \1", str(kind)).replace("double", "float64") in text


def test_variables_and_secrets_are_those_of_the_workflows():
    """Each that one reads, and no other."""
    text = "".join(path.read_text() for path in (ROOT / ".github").rglob("*.yml"))

    assert set(first_column("repository-variables.md")) == set(re.findall(r"\b(?:vars|secrets)\.([A-Z_]+)", text))
