"""What a verdict allows, as a table."""

import json
from dataclasses import replace

import pytest

from contracts.live_config import Live, Slot
from forge.interface import ForgeError
from forge.releases.landing import (
    Policy,
    is_landed,
    read_policy,
    read_verdict,
    reason_to_wait,
    refuse_if_stale,
    with_earlier,
)

OLD, NEW, NEWER = "20260101T0000-aaaaaaa", "20260102T0000-bbbbbbb", "20260103T0000-ccccccc"
DIGEST = {name: "sha256:" + name[-1] * 64 for name in (OLD, NEW, NEWER)}


def live(version):
    return Live(Slot(version, DIGEST[version])) if version else Live()


def named(version):
    return {"version": version, "digest": DIGEST[version]} if version else None


def written(tmp_path, **changes):
    content = {
        "format": 1,
        "decision": "PROMOTE",
        "summary": "good",
        "candidate": named(NEW),
        "champion": named(OLD),
    } | changes
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "gone"}))
    return path


def test_a_verdict_is_read_as_far_as_landing_needs_it(tmp_path):
    """The rest is for people."""
    verdict = read_verdict(written(tmp_path, findings=[1, 2, 3]))

    assert (verdict.decision, verdict.summary) == ("PROMOTE", "good")
    assert verdict.candidate == (NEW, DIGEST[NEW])
    assert read_verdict(written(tmp_path, champion=None)).champion is None


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"decision": "PROMOTED"},
        {"decision": None},
        {"summary": "gone"},
        {"candidate": "gone"},
        {"candidate": None},
        {"candidate": {"version": NEW}},
        {"champion": 7},
    ],
    ids=str,
)
def test_what_is_no_verdict_is_refused(tmp_path, changes):
    """It comes from a job that ran a proposal's code."""
    with pytest.raises(ForgeError, match="is not a verdict .*; run: make gate"):
        read_verdict(written(tmp_path, **changes))


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "\x00"])
def test_a_file_that_is_not_a_verdict_at_all_is_refused(tmp_path, content):
    """Torn, empty or something else."""
    (tmp_path / "verdict.json").write_text(content)

    with pytest.raises(ForgeError, match="is not a verdict"):
        read_verdict(tmp_path / "verdict.json")


@pytest.mark.parametrize(
    ("proposed", "now", "words"),
    [
        (NEW, OLD, None),
        (NEWER, OLD, f"the verdict is about {NEW}, but the proposal is for {NEWER}"),
        ("", OLD, "the proposal is for nothing"),
        (NEW, NEWER, f"the verdict compared with champion {OLD}, but {NEWER} is the champion now"),
        (NEW, "", "but there is no champion now"),
    ],
)
def test_a_verdict_counts_for_its_own_candidate_and_champion_alone(tmp_path, proposed, now, words):
    """What happened in between is not in it."""
    verdict = read_verdict(written(tmp_path))
    if words is None:
        refuse_if_stale(verdict, "head", live(proposed), live(now))
        return
    with pytest.raises(ForgeError, match=words):
        refuse_if_stale(verdict, "head", live(proposed), live(now))


@pytest.mark.parametrize(
    ("judged", "now", "words"),
    [
        (OLD, OLD, None),
        (OLD, NEWER, f"compared with anchor {OLD}, but {NEWER} is the anchor now; run: make gate"),
        (None, NEWER, f"compared with no anchor, but {NEWER} is the anchor now"),
        (OLD, None, "but there is no anchor now"),
    ],
)
def test_a_verdict_counts_while_its_anchor_stays(tmp_path, judged, now, words):
    """Somebody may merge another anchor between gate and landing."""
    verdict = read_verdict(written(tmp_path, anchor=named(judged)))
    there = replace(live(OLD), anchor=live(now).champion)
    if words is None:
        refuse_if_stale(verdict, "head", live(NEW), there)
        return
    with pytest.raises(ForgeError, match=words):
        refuse_if_stale(verdict, "head", live(NEW), there)


def test_a_verdict_counts_for_the_commit_it_was_given_on(tmp_path):
    """A push in between brings files that nobody judged."""
    verdict = read_verdict(written(tmp_path, head="judged"))
    refuse_if_stale(verdict, "judged", live(NEW), live(OLD))

    with pytest.raises(ForgeError, match="has changed since the gate ran"):
        refuse_if_stale(verdict, "pushed", live(NEW), live(OLD))


def test_the_same_version_with_other_bytes_is_another_candidate(tmp_path):
    """The digest counts."""
    verdict = read_verdict(written(tmp_path))

    with pytest.raises(ForgeError, match="run: make gate"):
        refuse_if_stale(verdict, "head", Live(Slot(NEW, DIGEST[OLD])), live(OLD))


def test_a_landing_that_was_cut_off_is_known_again(tmp_path):
    """What was promoted is live: the rest is finished, not refused."""
    verdict = read_verdict(written(tmp_path))

    assert is_landed(verdict, live(NEW))
    assert not is_landed(verdict, live(OLD))
    assert not is_landed(read_verdict(written(tmp_path, decision="HOLD")), live(NEW))


@pytest.mark.parametrize(
    ("policy", "churn", "files", "words"),
    [
        ("always", 0.9, ["serve/live.toml"], ""),
        ("always", 0.0, ["serve/live.toml", "model/recipe.py"], "it changes model/recipe.py"),
        ("never", 0.0, ["serve/live.toml"], "a person merges"),
        ("boring", 0.1, ["serve/live.toml"], ""),
        ("boring", 0.11, ["serve/live.toml"], "11.0% of the decisions change; the policy allows 10"),
        ("boring", None, ["serve/live.toml"], "is not known"),
        ("boring", 0.0, ["checks/thresholds.toml"], "it changes checks/thresholds.toml besides"),
    ],
)
def test_a_policy_says_what_is_left_to_a_person(tmp_path, policy, churn, files, words):
    """A proposal that changes more than what is live always is."""
    verdict = read_verdict(written(tmp_path, churn=churn))
    found = reason_to_wait(verdict, Policy(policy, 0.10), files)

    assert words in found
    assert bool(found) == bool(words)


def test_the_first_model_is_boring_enough(tmp_path):
    """There is nothing it could change."""
    verdict = read_verdict(written(tmp_path, champion=None))

    assert reason_to_wait(verdict, Policy("boring", 0.1), ["serve/live.toml"]) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "land.policy is None; expected one of always, boring, never"),
        ('[land]\npolicy = "sometimes"', "land.policy is 'sometimes'"),
        ('[land]\npolicy = "boring"', "land.max_churn is None; expected a share"),
        ('[land]\npolicy = "boring"\nmax_churn = 3', "land.max_churn is 3"),
        (
            '[land]\npolicy = "never"\nmax_churn = 0\nduring_experiment = "end"',
            "land.during_experiment is 'end'; expected one of wait, land",
        ),
        ("[land", "cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_read_is_said(tmp_path, text, words):
    """Before anything is merged."""
    (tmp_path / "rules.toml").write_text(text)

    with pytest.raises(ValueError, match=words):
        read_policy(tmp_path / "rules.toml")


@pytest.mark.parametrize(
    ("challenger", "during", "waits"),
    [
        (Slot(NEWER, DIGEST[NEWER], share=0.1), "wait", True),
        (Slot(NEWER, DIGEST[NEWER], mode="shadow"), "wait", True),
        (Slot(NEWER, DIGEST[NEWER], share=0.1), "land", False),
        (Slot(NEWER, DIGEST[NEWER]), "wait", False),
        (Slot(NEW, DIGEST[NEW], share=0.1), "wait", False),
        (None, "wait", False),
    ],
)
def test_while_an_experiment_runs_no_robot_begins_it_again(tmp_path, challenger, during, waits):
    """Else each night would; the challenger itself may land."""
    verdict, now = read_verdict(written(tmp_path)), Live(Slot(OLD, DIGEST[OLD]), challenger)
    policy = Policy("always", 0.1, during)
    why = reason_to_wait(verdict, policy, ["serve/live.toml"], (), now)

    assert why == (waits * f"an experiment with {NEWER} is running, which another champion would restart")


def test_earlier_verdicts_are_folded_below_the_newest():
    """One comment lists the nights."""
    first = with_earlier("## ❌ REJECT\n\nWorse.\n\n| a table |\n", None)
    second = with_earlier("## ⏸️ HOLD\n\nToo few rows.\n", first)
    third = with_earlier("## ✅ PROMOTE\n\nBetter.\n", second)

    assert first == "## ❌ REJECT\n\nWorse.\n\n| a table |\n"
    assert third == (
        "## ✅ PROMOTE\n\nBetter.\n\n<details><summary>Earlier verdicts</summary>\n\n"
        "- ⏸️ HOLD: Too few rows.\n- ❌ REJECT: Worse.\n\n</details>\n"
    )


def test_the_same_verdict_again_is_not_an_earlier_one():
    """A run that is repeated changes nothing."""
    comment = with_earlier("## ✅ PROMOTE\n\nBetter.\n", "## ❌ REJECT\n\nWorse.\n")

    assert with_earlier("## ✅ PROMOTE\n\nBetter.\n", comment) == comment


def test_a_comment_does_not_grow_for_ever():
    """Ten earlier verdicts stay."""
    comment = None
    for night in range(40):
        comment = with_earlier(f"## ⏸️ HOLD\n\nNight {night}.\n", comment)

    assert comment.count("\n- ") == 10
    assert "Night 38" in comment
