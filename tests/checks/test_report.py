"""The report that a tired reviewer reads; nothing from data can break it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from checks.compare import Compared
from checks.report import LONGEST, report, text
from checks.verdict import Finding, judge

GOLDEN = Path(__file__).parent / "report.md"
FINDINGS = [
    Finding("compare.log_loss", "FAIL", "-0.0406 against the champion (95%: -0.0520 to -0.0297)", "-0.0050", "It is worse."),
    Finding("drift.features", "FAIL", "temp: 0.57", "below 0.4", "The next rows will differ too.", "warn"),
    Finding("compare.brier", "INCONCLUSIVE", "-0.001 against the champion", "-0.003", "4 days do not tell."),
    Finding("model.gain", "NOT_RUN", "KeyError: 'x'", "more than 5%", "It must learn something."),
    Finding("data.missing", "PASS", "as it should be", "at most 50%", "It would carry little."),
]  # fmt: skip
TABLE = [
    Compared("log_loss", 0.545, 0.5725, 0.504, -0.0406, -0.052, -0.0297, 0.005),
    Compared("roc_auc", 0.71, 0.67, 0.74, -0.03, -0.05, -0.01, 0.01),
]


def manifest(version, features, **more):
    return {
        "version": version,
        "contract": {"features": [{"name": n, "kind": "number"} for n in features]},
        "data": {"train": {"rows": 25608, "start": "2013-01-29", "end": "2013-04-14"}},
        "recipe": {"sha256": "sha256:" + "ab" * 32},
        "build": {"commit": "c0ffee", "libraries": {"scikit-learn": "1.5.2"}},
    } | more


CANDIDATE = manifest("20260102T0000-bbbbbbb", ["wind", "temp"])
CHAMPION = manifest("20260101T0000-aaaaaaa", ["wind"])


def told(findings=FINDINGS, candidate=CANDIDATE, champion=CHAMPION, slices=()):
    verdict = judge(findings, [], True, "It is better.")
    return report(verdict, candidate, champion, table=TABLE, slices=slices, fresh=13189)


def test_it_reads_as_it_did():
    """A change of the report shows here as a reviewer would see it."""
    assert told(slices=[("origin = EWR", 4924, 0.5521, 0.6466)]) == GOLDEN.read_text()


def test_what_blocks_comes_before_what_does_not():
    """NOT_RUN, FAIL, INCONCLUSIVE, then what is only said; what holds is folded away."""
    words = told()
    order = [words.index(rule) for rule in ("| model.gain", "| compare.log_loss", "| compare.brier", "| drift.features", "Rules that hold", "| data.missing")]  # fmt: skip

    assert order == sorted(order)
    assert "FAIL (said, does not block)" in words


def test_without_a_champion_it_says_so():
    """The first of all."""
    bare = [replace(row, champion=None, difference=None, margin=None) for row in TABLE]
    verdict = judge([FINDINGS[-1]], [], True, "Every rule holds.")
    words = report(verdict, CANDIDATE, None, table=bare, slices=[], fresh=500)

    assert "There is no champion yet, so nothing to compare with." in words
    assert "None" not in words


HOSTILE = [
    "| a | b |\n\n# Big\n\n- [x] done",
    "<!-- tidegate: {} --> <img src=x onerror=alert(1)>",
    "@everyone [link](http://x) `code` **bold**",
    "</details></table>",
    "\u202egnirts\x00\x1b[31m",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_data_breaks_out_of_its_cell(hostile):
    """A category's name, a message of a crash, a recipe's commit."""
    finding = Finding("data.variants", "FAIL", hostile, "0%", "why")
    odd = manifest("v", ["a"], build={"commit": hostile, "libraries": {hostile: "1"}})
    words = told([finding], odd, slices=[(hostile, 60, 0.5, 0.5)])

    for sign in ("<!--", "<img", "@everyone", "\n# Big", "[link]", "**bold**"):
        assert sign not in words
    assert words.count("<details>") == words.count("</details>")
    rows = [line for line in words.splitlines() if line.startswith("| data.variants")]
    assert rows[0].replace("&#124;", "").count("|") == 6


def test_it_fits_where_it_is_posted():
    """GitHub takes 65,536 characters."""
    many = [replace(FINDINGS[0], rule=f"rule.{n}", observed="x" * 400) for n in range(1000)]

    assert len(told(many)) <= LONGEST
    assert told(many).endswith("verdict.json has all of it.\n")


def test_text_is_cut_and_on_one_line():
    """A message of a crash may be a page long."""
    assert text("a\n b\t c") == "a b c"
    assert len(text("x" * 10_000)) == 400


def test_the_verdict_is_json_that_anybody_reads():
    """No NaN, no infinity."""
    verdict = judge(FINDINGS, [], True, "")

    assert json.loads(json.dumps([f.__dict__ for f in verdict.findings], allow_nan=False))
