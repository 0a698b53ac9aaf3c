"""Who may import what: the design's table, kept by a test."""

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {
    "archive",
    "audit",
    "backtest",
    "bundles",
    "checks",
    "contracts",
    "forge",
    "model",
    "monitoring",
    "online",
    "provenance",
    "reporting",
    "serve",
}
#: package -> what it may import of ours, besides itself
OF_OURS = {
    "contracts": set(),
    "bundles": {"contracts"},
    "reporting": set(),
    # Where signatures are demanded is read by every command; they are verified in another process.
    "forge": {"contracts", "provenance.separate_process", "provenance.trust_settings"},
    "provenance": {"bundles.manifest", "contracts"},
    "model": {"bundles", "contracts", "reporting"},
    "serve": {"bundles", "contracts", "online"},
    "archive": {"serve.journal.segments"},
    "audit": {
        "archive.closed_segments",
        "archive.parquet",
        "archive.retention",
        "bundles",
        "contracts",
        "online.correction",
        "serve.journal.segments",
        "serve.routes.typical_row",
    },
    # The scorer applies corrections.
    "online": {"contracts"},
    "checks": {
        "bundles",
        "contracts",
        "reporting",
        "model.notices",
        "model.onnx_export.onnx_content",
        "model.source_profile",
    },
    "monitoring": {"contracts", "reporting", "model.source_profile"},
    # A replay of nights trains as `model` does and judges as `checks` does, in the drill's processes; nothing imports it.
    "backtest": {
        "bench.sections",
        "bench.document",
        "bundles",
        "checks",
        "contracts",
        "drill.console",
        "drill.drill_digest",
        "drill.stored_json",
        "drill.workers",
        "forge.closed_pipes",
        "forge.workflow_output",
        "model",
        "reporting",
    },
}
#: What measures the project, and is measured by no table.
MEASURING = {"bench", "drill"}
#: package -> third-party packages
OF_OTHERS = {
    "archive": set(),
    "audit": {"numpy"},
    "bundles": {"numpy", "onnxruntime"},
    "contracts": {"numpy", "pandas", "pydantic"},
    "reporting": {"jinja2"},
    "forge": {"requests"},
    "model": {"numpy", "onnx", "onnxruntime", "pandas", "skl2onnx", "sklearn"},
    "serve": {
        "flask",
        "granian",
        "jinja2",
        "msgspec",
        "numpy",
        "onnxruntime",
        "prometheus_client",
        "uvloop",
        "werkzeug",
    },
    "backtest": {"numpy", "pandas", "scipy"},
    "checks": {"numpy", "pandas", "scipy", "sklearn"},
    "monitoring": {"numpy", "pandas"},
    "online": {"numpy"},
    "provenance": set(),
}
#: third-party packages that one module alone may import
ALONE = {
    "cryptography": {"provenance/key_signature.py", "provenance/sigstore_bundle.py"},
    "deepchecks": {"checks/rules/deepchecks_suite.py"},
    "duckdb": {"model/new_recipe/source_table.py"},
    "fsspec": {"model/source_profile/remote_journal.py", "archive/upload.py"},
    "holidays": {"monitoring/charts/holiday_calendar.py"},
    "ibis": {"monitoring/journal/sql_engine.py", "monitoring/journal/queries.py"},
    "jinja2": {"model/new_recipe/recipe_text.py"},
    "markdown_it": {"monitoring/incidents/comment_lines.py", "monitoring/dashboard/untrusted_markdown.py"},
    "pyspark": {"monitoring/journal/sql_engine.py"},
    "pyarrow": {
        "archive/parquet.py",
        "audit/erasure/bundle_evidence.py",
        "audit/erasure/journal_files.py",
        "contracts/journal_format.py",
    },
    "nannyml": {"monitoring/metrics/drift.py", "monitoring/metrics/performance.py"},
    "sigstore": {"provenance/__main__.py", "provenance/sigstore_bundle.py"},
    "sqlalchemy": {"model/new_recipe/source_table.py"},
}
#: besides the __main__s: where the watch's decisions are carried out
KNOWS_THE_FORGE = {
    "audit/repository_record.py",
    "checks/anchor_proposal.py",
    "checks/gate_inputs.py",
    "checks/gate_output.py",
    "checks/debt/debt_inputs.py",
    "checks/ml_test_score/score_inputs.py",
    "model/proposals/proposal.py",
    "monitoring/dashboard/build.py",
    "monitoring/experiment/experiment_run.py",
    "monitoring/incidents/forge_actions.py",
    "monitoring/run.py",
}
STANDARD_ONLY = [
    "contracts/bundle_content.py",
    "contracts/row_contract.py",
    "contracts/row_fields.py",
    "provenance/statement.py",
    "model/source_profile/drift_projection.py",
    "model/source_profile/unit_changes.py",
    "model/source_profile/fingerprint_changes.py",
    "model/source_profile/compared_periods.py",
    "model/source_profile/row_changes.py",
    "model/source_profile/slow_columns.py",
    "model/source_profile/source_change.py",
    "model/source_profile/category_changes.py",
    "reporting/markdown.py",
]
MODULES = sorted(path.relative_to(ROOT).as_posix() for package in OURS for path in (ROOT / package).rglob("*.py"))


def imports(module):
    """Every module that *module* imports, wherever in it."""
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports are not used here"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            inside = [name for name in names if is_module(name)]
            yield from inside
            if len(inside) < len(node.names):
                yield node.module


def is_module(name):
    """Whether *name* is one of our modules, and not an object in one."""
    return (ROOT / (name.replace(".", "/") + ".py")).is_file()


def is_within(name, allowed):
    return any(name == one or name.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_of_ours_what_the_design_allows(module):
    """Packages meet at the contract and the bundle; the forge is for a __main__ and one desk."""
    package = module.split("/")[0]
    knows_the_forge = module.endswith("__main__.py") or module in KNOWS_THE_FORGE
    allowed = {package} | OF_OURS[package] | ({"forge"} if knows_the_forge else set())

    found = {name for name in imports(module) if name.split(".")[0] in OURS | MEASURING}

    assert {name for name in found if not is_within(name, allowed)} == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_of_others_what_the_design_allows(module):
    """Deepchecks and NannyML each stay behind one door."""
    package = module.split("/")[0]
    outside = {name.split(".")[0] for name in imports(module)}
    outside -= OURS | MEASURING | set(sys.stdlib_module_names)

    allowed = OF_OTHERS[package] | {name for name, places in ALONE.items() if module in places}

    assert outside - allowed == set()


@pytest.mark.parametrize("module", STANDARD_ONLY)
def test_what_every_environment_reads_needs_nothing_installed(module):
    """The contract is read by the scorer, the rules by all."""
    also = {path.removesuffix(".py").replace("/", ".") for path in STANDARD_ONLY}
    found = {name.split(".")[0] for name in imports(module) if name not in also}

    assert found <= set(sys.stdlib_module_names)


def test_nothing_pickles():
    """A pickle runs code when it is read."""
    pickling = {"pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}

    assert [m for m in MODULES if pickling & {name.split(".")[0] for name in imports(m)}] == []


def test_no_module_is_longer_than_a_sitting():
    """At most three hundred lines."""
    assert {m for m in MODULES if len((ROOT / m).read_text().splitlines()) > 300} == set()


def test_no_module_is_called_a_word_that_says_nothing():
    """A newcomer guesses the file before searching for it."""
    empty = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc", "handler"}

    assert [m for m in MODULES if Path(m).stem in empty] == []


def in_circles(edges):
    """The modules that import themselves, directly or by way of others."""

    def reached(module):
        found, waiting = set(), [*edges[module]]
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting += edges[other]
        return found

    return {module for module in edges if module in reached(module)}


@pytest.mark.parametrize("package", sorted(OURS))
def test_no_modules_of_a_package_import_each_other(package):
    """Each can be read, tested and moved after those that it imports; an import within a function counts."""
    names = {
        module.removesuffix(".py").removesuffix("/__init__").replace("/", "."): module
        for module in MODULES
        if module.split("/")[0] == package
    }

    assert in_circles({name: names.keys() & {*imports(m)} for name, m in names.items()}) == set()


def test_a_circle_is_found():
    """Whoever leads into one is not part of it."""
    edges = {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}, "e": set(), "f": {"f"}}

    assert in_circles(edges) == {"b", "c", "d", "f"}


def test_no_packages_import_each_other():
    """Contracts at the bottom, commands at the top: the forge is imported by commands, and imports none of them."""
    packages = {
        package: {name.split(".")[0] for name in OF_OURS[package]} & OURS
        | ({"forge"} if package != "contracts" else set())
        for package in OURS
    }
    for below in ("bundles", "forge", "provenance", "reporting"):
        packages[below].discard("forge")

    assert in_circles(packages) == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_command_line_is_called_by_a_person_alone(module):
    """Packages call functions; only a __main__ parses arguments, and none calls another's."""
    assert not any(name.endswith("__main__") for name in imports(module))
    assert module.endswith("__main__.py") or '__name__ == "__main__"' not in (ROOT / module).read_text()


def test_a_module_name_occurs_once():
    """A name in a traceback or a search is one module; entry points and packages are found by their folder."""
    everywhere = [path for package in (*OURS, "bench", "drill") for path in (ROOT / package).rglob("*.py")]
    stems = Counter(path.stem for path in everywhere if not path.stem.startswith("__"))

    assert {name for name, times in stems.items() if times > 1} == set()


@pytest.mark.parametrize("package", sorted(OURS))
def test_a_folder_is_seen_at_a_glance(package):
    """About a dozen modules; a folder with more has a part that deserves a folder."""
    inside = Counter(path.parent for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")

    assert {str(folder) for folder, modules in inside.items() if modules > 14} == set()
