"""A whole backtest of a small recipe: models are fitted once, verdicts are stored, and the report says what was found."""

import json

import pytest

from backtest.__main__ import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def out(tmp_path_factory, recipes):
    """The folder of a backtest of four nights, judged under two policies of the gate."""
    folder = tmp_path_factory.mktemp("backtest")
    asked = [
        "fit",
        "--recipe",
        str(recipes / "buys.py"),
        "--from",
        "2026-03-01",
        "--to",
        "2026-03-29",
        "--lengths",
        "1",
    ]
    assert main([*asked, "--out", str(folder)]) == 0
    assert main([*judge(folder), "--ledger", str(folder / "ledger")]) == 0
    return folder


def judge(folder):
    """The arguments of the second command."""
    return ["judge", "--out", str(folder), "--policies", "never,always,proven,bold:confidence=0.6"]


def times(folder):
    """When each model and verdict was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.json") if path.parent != folder}


def test_the_report_has_every_policy_and_every_part(out):
    """In Markdown for GitHub, and as a page that loads nothing."""
    report, page = (out / "report.md").read_text(), (out / "report.html").read_text()

    for name in ("never", "always", "proven", "bold"):
        assert f"| {name} |" in report
        assert f"<td>{name}</td>" in page
    for heading in ("Policies", "Staleness", "Window and holdout", "Rules: proven"):
        assert f"### {heading}\n" in report
        assert f">{heading}</h2>" in page
    assert "```mermaid" in report
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")


def test_the_real_rules_judged_without_deepchecks_and_the_server(out):
    """Their rules are absent, and none of the others is missing."""
    verdicts = [json.loads(path.read_text()) for path in (out / "judged").glob("*.json")]
    rules = {each["rule"] for verdict in verdicts for each in verdict["findings"]}

    assert len(verdicts) >= 3
    assert not any(each["outcome"] == "NOT_RUN" for verdict in verdicts for each in verdict["findings"])
    assert not [rule for rule in rules if rule.startswith(("deepchecks.", "serving."))]


def test_results_are_stored_for_programs(out):
    """A step of each policy on each night, and the staleness curve beside the ledger."""
    found = json.loads((out / "backtest.json").read_text())

    assert found["nights"] == ["2026-03-01", "2026-03-08", "2026-03-15", "2026-03-22"]
    assert {name: len(each["steps"]) for name, each in found["policies"].items()} == dict.fromkeys(
        ["never", "always", "proven", "bold"], 3
    )
    assert found["policies"]["always"]["landed"] == 3
    curve = json.loads((out / "ledger/staleness.json").read_text())
    assert curve == json.loads((out / "staleness.json").read_text())
    assert [each["age_days"] for each in curve["by_age"]] == [0]


def test_a_second_run_uses_what_is_stored(out):
    """Resumed, or with another policy: no model is fitted and no verdict is given twice."""
    before = times(out)

    assert main(judge(out)) == 0
    assert times(out) == before


def test_a_change_of_the_limits_is_a_comment(out, root, tmp_path):
    """The nights that are decided otherwise, and what that earned; limits that cannot be read stop the command."""
    proposed = tmp_path / "thresholds.toml"
    proposed.write_text(
        (root / "checks/thresholds.toml").read_text().replace("min_fresh_rows = 500", "min_fresh_rows = 9")
    )
    asked = ["judge", "--out", str(out), "--proposed", str(proposed)]

    assert main(asked) == 0
    comment = (out / "comment.md").read_text()
    assert comment.startswith("## Backtest of the proposed limits\n")
    assert "### What would have landed otherwise\n" in comment
    assert "| proposed |" in comment
    proposed.write_text("[gate]\n")
    assert main(asked) == 2


def test_a_recipe_that_cannot_be_replayed_is_refused_with_the_reason(tmp_path, recipes, capfd):
    """No traceback: the exit code says that there are no nights."""
    (tmp_path / "broken.py").write_text("CONTRACT = 1\n")
    asked = ["fit", "--from", "2026-03-01", "--to", "2026-03-29", "--out", str(tmp_path)]

    assert main([*asked, "--recipe", str(tmp_path / "broken.py")]) == 5
    assert main(["judge", "--out", str(tmp_path)]) == 5
    assert main(["fit", "--recipe", str(recipes / "buys.py"), "--from", "2026-03-01", "--to", "2026-03-02"]) == 5
    said = capfd.readouterr().err
    assert "has no CONTRACT" in said
    assert "python -m backtest fit" in said
    assert "an earlier FROM" in said
    assert [path.name for path in tmp_path.iterdir()] == ["broken.py"]
