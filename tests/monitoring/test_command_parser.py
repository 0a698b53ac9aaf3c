"""Commands in comments: how they are parsed, and what each does."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge.interface import Alert
from monitoring.incidents.actions import OpenAlert, PostComment, ProposeChange, SetOnline, StartWorkflow
from monitoring.incidents.command_parser import Command, read
from monitoring.incidents.comment_commands import CommandContext, answer
from monitoring.incidents.expected_causes import (
    HEAD,
    ExpectedCause,
    ExpectedError,
    active_waiver,
    read_expected,
    write_expected,
)
from monitoring.incidents.incident_state import IncidentState

A = "20260101T0317-a1b2c3d"
MEMORY = IncidentState(
    causes=("issue/score_drift/",), words=("scores moved",), since="2026-01-10", peak=2.5, peak_day="2026-01-12"
)
ALERT = Alert(
    number=3,
    marker="watch:flights:issue/score_drift/",
    title="drift",
    body="words",
    state="open",
    history=(),
    memory=MEMORY.to_json(),
    link="#3",
)
BAD = "20260114T0317-0123456789ab"
CONTEXT = CommandContext(
    now=datetime(2026, 1, 15, 12, tzinfo=UTC),
    champion_then=BAD,
    champion_now=BAD,
    rollback_target=lambda wanted: (wanted or A, ""),
    quiet=3,
    run="https://github.com/acme/toy/actions/runs/7",
)


def comment(body, author="dana", at="2026-01-15T11:00:00Z", **more):
    return SimpleNamespace(**{"id": 42, "author": author, "at": at, "body": body, "reply": None} | more)


def answered(body, alert=ALERT, context=CONTEXT, earlier=(), **more):
    return answer(comment(body, **more), alert, earlier, lambda author: author == "dana", context)


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/ack 7d", Command("ack", days=7)),
        ("/ack", Command("ack", days=7)),
        ("/ACK 2w", Command("ack", days=14)),
        ("/ack 36 h", Command("ack", days=2)),
        ("  /ack 7d  \r\nI am on it.", Command("ack", days=7)),
        ("/retrain", Command("retrain")),
        ("/rollback", Command("rollback")),
        (f"/rollback {A}", Command("rollback", version=A)),
        (f"/rollback `{A}`", Command("rollback", version=A)),
        (f"/rollback {BAD}", Command("rollback", version=BAD)),
        ("/explain", Command("explain")),
        ("/help", Command("help")),
        (
            "/expected until 2026-12-08 because of the sale",
            Command("expected", until="2026-12-08", reason="of the sale"),
        ),
        ("/expected until 2026-12-08, because: sale", Command("expected", until="2026-12-08", reason="sale")),
    ],
)
def test_a_command_is_a_line_of_a_comment(body, command):
    """In any case, with what it takes."""
    assert [each for _, each in read(body)] == [command]


@pytest.mark.parametrize(
    "body", ["", "looks bad", "I would /ack 7d", "> /ack 7d", "```\n/ack\n```", "/etc/passwd is gone", "/", "//x", "/1"]
)
def test_other_comments_have_no_command(body):
    """They are left alone."""
    assert read(body) == []
    assert answered(body) == []


NOT_COMMANDS = {
    "fence": "```\n/retrain\n```",
    "fence with a language": "```sh title=x\n/retrain\n```",
    "longer fence": "````\n```\n/retrain\n```\n/retrain\n````",
    "fence of tildes": "~~~ text\n/retrain\n```\n/retrain\n~~~",
    "fence without an end": "see\n\n   ```\n/retrain",
    "fence in a list": "- so:\n  ```\n  /retrain\n  ```",
    "indented": "    /retrain",
    "indented by a tab": "look:\n\n\t/retrain",
    "code span": "`/retrain`",
    "code span over lines": "`\n/retrain\n`",
    "longer code span": "``a ` b\n/retrain\nc``",
    "quotation": "> /retrain",
    "quotation that goes on": "> she said\n/retrain",
    "alert": "> [!NOTE]\n> /retrain",
    "comment": "<!--\n/retrain\n-->",
    "comment in a paragraph": "a <!-- b\n/retrain\n--> c",
    "comment without an end": "<!--\n\n/retrain",
    "pre": "<pre>\n\n/retrain\n\n</pre>",
    "pre in capitals": "<PRE class='x>'>\n/retrain\n</PRE>",
    "code": "<code>\n\n/retrain\n\n</code>",
    "code in a paragraph": "a <code>\n/retrain\n</code>",
    "fold": "<details><summary>log</summary>\n\n/retrain\n\n</details>",
    "fold in a fold": "<details><details>\n\nx\n\n</details>\n\n/retrain\n\n</details>",
    "quotation in HTML": "<blockquote>\n\n/retrain\n\n</blockquote>",
    "other HTML": "<div>\n/retrain\n</div>",
    "struck out": "~~no:\n/retrain\nno~~",
    "heading": "# /retrain",
    "list": "- /retrain\n1. /retrain",
    "table": "|a|\n|-|\n|/retrain|",
    "escaped": "\\/retrain",
    "emphasis": "**/retrain**",
    "target of a link": "[a]:\n/retrain",
    "within a line": "please /retrain",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(("name", "body"), NOT_COMMANDS.items(), ids=NOT_COMMANDS)
def test_what_github_shows_as_code_or_as_a_quotation_is_no_command(name, body, end):
    """A plain line after it still is one."""
    after = "" if "without an end" in name else "\n\n/ack 7d"
    found = read((body + after).replace("\n", end))

    assert [each for _, each in found] == ([Command("ack", days=7)] if after else [])


@pytest.mark.parametrize(
    "body",
    [
        "/retrain",
        "   /retrain  ",
        "\n\n/retrain",
        "I looked.\n/retrain\nThanks",
        "/retrain\n--\nDana",
        "> quoted\n\n/retrain",
        "```\nlog\n```\n/retrain",
        "<details>\n\nx\n\n</details>\n\n/retrain",
        "1 < 2 <b>\n/retrain",
        "<br>\n\n/retrain",
        "- a list\n\n/retrain",
        "a ` b\n/retrain",
        "~~a~~\n/retrain",
        "x\r/retrain",
    ],
)
def test_a_line_that_github_shows_as_text_is_a_command(body):
    """Wherever in the comment it is."""
    assert [each for _, each in read(body)] == [Command("retrain")]


def test_each_command_of_a_comment_gets_an_answer_in_one_reply():
    """In order; one that is repeated is done once, and one that is not known stops none."""
    body = "/ack 7d\r\n/retrain\r\n/akc\r\n/retrain\r\n```\r\n/rollback\r\n```\r\n/explain"
    *acts, note = answered(body)

    assert [type(act) for act in acts] == [OpenAlert, StartWorkflow, OpenAlert]
    memory = IncidentState.from_json(acts[-1].memory)
    assert (memory.ack, [words for _, words in memory.actions]) == (
        "2026-01-22",
        ["acknowledged until 2026-01-22, by dana", "retrain, by dana"],
    )
    order = [
        "<code>/ack 7d</code>: Acknowledged until",
        "<code>/retrain</code>: Retrain started",
        "<code>/akc</code>: `/akc` is not a command",
        "<code>/retrain</code>: Ignored: the same command is above",
        "<code>/explain</code>: **Outside control limits**",
        "- `/ack 7d`: ",
    ]
    places = [note.body.find(words) for words in order]
    assert -1 not in places
    assert places == sorted(places)


def test_commands_of_a_comment_that_exclude_each_other_are_not_all_done():
    """Of two waivers, and of two rollbacks, the first counts; the proposal's link is in the one reply."""
    waiver, body = "/expected until 2026-02-08 because x", "/rollback\n" + f"/rollback {A}"
    start, _, note = answered(body)
    assert (start.workflow, note.body.count("only the first")) == ("rollback", 1)
    *_, act = answered(f"{waiver}\n{waiver} y\n/ack 7d")

    assert isinstance(act, ProposeChange)
    assert act.note.body.count("only the first") == 1
    assert act.note.body.count("{proposal}") == 1
    assert "Acknowledged until" in act.note.body


def test_a_comment_with_more_commands_than_are_read_says_so():
    """Nothing is left out in silence."""
    *_, note = answered("\n".join(f"/ack {n}d" for n in range(1, 26)))

    assert "The other 5 were not read: the limit is 20 commands a comment." in note.body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("/akc 7d", "`/akc` is not a command; did you mean `/ack`?"),
        ("/please", "`/please` is not a command."),
        ("/ack 7 years", "`/ack` takes a duration in hours, days or weeks, at most 90 days, such as `/ack 7d`."),
        ("/ack 91d", "at most 90 days"),
        ("/ack 0d", "at most 90 days"),
        ("/expected", "`/expected` takes a date and a reason"),
        ("/expected until Monday because", "takes a date and a reason"),
        ("/expected until 2026-13-01 because x", "takes a date and a reason"),
        ("/expected until 2026-12-01", "takes a date and a reason"),
        ("/retrain now", "`/retrain` takes no argument."),
        ("/rollback $(reboot)", "a version, such as `20260101T0317-a1b2c3d4e5f6`"),
        ("/rollback v1; echo", "a version, such as"),
    ],
)
def test_a_command_that_is_mistyped_gets_a_sentence_with_what_can_be_typed(body, words):
    """And nothing is done."""
    (note,) = answered(body)

    assert (note.number, note.marker) == (3, "reply:42")
    assert words in note.body
    assert "- `/ack 7d`: " in note.body
    assert "- `/rollback`: " in note.body


def test_an_author_without_write_access_gets_one_reply():
    """Whatever was typed, however often."""
    (note,) = answered("/rollback", author="mallory")
    assert note.body.startswith("Thank you. Commands require write access")
    before = comment("/retrain", author="mallory", reply="Thank you.")

    assert answered("/rollback", author="mallory", earlier=[before]) == []
    assert answered("what is this?", author="mallory") == []


def test_a_comment_that_has_a_reply_is_done():
    """It is read by every run."""
    assert answered("/retrain", reply="Retrain started.") == []


def test_ack_counts_from_when_it_was_written():
    """Not from when it is read; title and body stay."""
    raised, note = answered("/ack 7d")
    memory = IncidentState.from_json(raised.memory)

    assert (raised.title, raised.body) == ("drift", "words")
    assert (memory.ack, memory.ack_by) == ("2026-01-22", "dana")
    assert memory.actions == (("2026-01-15T11:00:00Z", "acknowledged until 2026-01-22, by dana"),)
    assert note.body.startswith("Acknowledged until 2026-01-22")
    assert memory.acknowledged("2026-01-22")
    assert not memory.acknowledged("2026-01-23")


def test_expected_becomes_a_proposal_that_a_person_merges():
    """With the reason, which cannot break out of the file or of the page."""
    because = 'a "sale" #7 @all\t<!-- x'
    (act,) = answered(f"/expected until 2026-02-08 because {because}")

    assert (act.branch, act.path) == ("expected-3", "monitoring/expected.toml")
    assert read_expected(act.text) == [
        ExpectedCause(("issue/score_drift/",), date(2026, 2, 8), 'a "sale" #7 @all <!-- x', "dana", "#3")
    ]
    assert "Requested by dana below #3" in act.body
    assert "@all" not in act.body
    assert "<!--" not in act.body
    assert act.note == PostComment(3, "reply:42", act.note.body)
    assert "{proposal}" in act.note.body


@pytest.mark.parametrize(
    ("until", "words"),
    [("2026-01-14", "No waiver was proposed: 2026-01-14 is in the past."), ("2028-01-01", "more than 366 days away")],
)
def test_a_waiver_has_a_day_that_is_not_over_and_not_far(until, words):
    """For ever is no exception."""
    (note,) = answered(f"/expected until {until} because x")

    assert words in note.body


def test_a_waiver_that_is_there_or_says_nothing_is_not_proposed():
    """Nor beside a file that nobody can read."""
    (act,) = answered("/expected until 2026-02-08 because x")
    (again,) = answered("/expected until 2026-02-08 because x", context=replace(CONTEXT, waivers=act.text))
    assert "exists already" in again.body
    (empty,) = answered("/expected until 2026-02-08 because x", replace(ALERT, memory={}))
    assert "no recorded causes yet" in empty.body
    (torn,) = answered("/expected until 2026-02-08 because x", context=replace(CONTEXT, waivers="[[expected"))
    assert "is not TOML" in torn.body


def test_retrain_and_rollback_start_a_workflow_and_link_to_it():
    """The version is decided before the reply: a repeated run goes no further back."""
    start, raised, note = answered("/retrain")
    assert start == StartWorkflow("retrain", "requested by dana below #3")
    assert IncidentState.from_json(raised.memory).actions == (("2026-01-15T11:00:00Z", "retrain, by dana"),)
    assert "[this run](https://github.com/acme/toy/actions/runs/7)" in note.body
    start, raised, note = answered("/rollback")

    assert start == StartWorkflow("rollback", "requested by dana below #3", A, BAD)
    assert f"`{A}`" in note.body


def test_outside_github_actions_the_reply_has_the_command():
    """A rollback is done at once."""
    context = replace(CONTEXT, run="")

    assert answered("/retrain", context=context)[-1].body == "No workflow runs here. Type: `make retrain gate land`\n"
    assert answered("/rollback", context=context)[-1].body == f"Rolled back: `{A}` is live.\n"


def test_a_rollback_that_is_not_possible_gets_the_reason():
    """With the releases to go back to."""
    context = replace(CONTEXT, rollback_target=lambda wanted: ("", "cannot go back; releases to go back to: none"))
    (note,) = answered("/rollback", context=context)

    assert note.body == "Not rolled back: cannot go back; releases to go back to: none.\n"


@pytest.mark.parametrize("body", ["/rollback", f"/rollback {A}"])
@pytest.mark.parametrize(("meant", "live"), [(BAD, A), ("", BAD), (BAD, "")])
def test_a_rollback_is_not_followed_where_another_is_live_by_now(body, meant, live):
    """It is about what was live when it was written, whichever version it goes back to."""
    (note,) = answered(body, context=replace(CONTEXT, champion_then=meant, champion_now=live))

    then, now = meant or "nothing", live or "nothing"
    assert note.body.startswith(f"Not rolled back: `{then}` was live when this was written, and `{now}` is live now.")


def test_commands_that_start_a_workflow_expire_after_a_day():
    """An interrupted run does not roll back twice."""
    for body in ("/retrain", f"/rollback {A}"):
        (note,) = answered(body, at="2026-01-14T11:00:00Z")
        assert "more than a day after it was written" in note.body


def test_explain_says_why_the_alert_was_raised_and_how_it_is_resolved():
    """From the state of the incident."""
    (note,) = answered("/explain")

    assert "- scores moved" in note.body
    assert "First breach on 2026-01-10; peak on 2026-01-12, at 2.5 times the control limit." in note.body
    assert "3 consecutive days" in note.body


@pytest.mark.parametrize("body", ["/ack", "/expected until 2026-02-08 because x", "/explain"])
def test_what_is_for_an_incident_is_not_done_below_another_alert(body):
    """A workflow that does not run cannot be waived."""
    (note,) = answered(body, replace(ALERT, marker="robot:nightly.yml"))

    assert "not an incident of a model" in note.body


def test_below_a_closed_incident_a_workflow_can_be_started():
    """And it stays closed."""
    closed = replace(ALERT, state="closed")

    assert [type(act) for act in answered("/retrain", closed)] == [StartWorkflow, PostComment]
    assert [type(act) for act in answered("/ack", closed)] == [PostComment]


@given(st.text())
def test_no_comment_whatever_breaks_it(body):
    """Anybody may write one."""
    for text in (body, "/" + body, "/expected until 2026-02-08 because " + body, "/rollback " + body):
        for act in answered(text):
            assert isinstance(act, PostComment | ProposeChange | OpenAlert | StartWorkflow)
            if isinstance(act, ProposeChange):
                (entry,) = read_expected(act.text)
                assert entry.reason.split() == entry.reason.split()
                assert "\n" not in entry.reason


def test_waivers_hold_up_to_and_with_their_day():
    """And the longest counts."""
    short, long = (ExpectedCause(("a", "b"), date(2026, 1, n), "x", "dana", "#1") for n in (10, 12))

    assert active_waiver([short, long], "a", date(2026, 1, 10)) == long
    assert active_waiver([short, long], "a", date(2026, 1, 12)) == long
    assert active_waiver([short, long], "a", date(2026, 1, 13)) is None
    assert active_waiver([short, long], "c", date(2026, 1, 10)) is None


def test_a_file_of_waivers_comes_back_without_what_is_over():
    """Whoever reviews it sees both."""
    entries = [ExpectedCause(("a",), date(2026, 1, n), 'ü "x" \\ \x7f', "dana", "#1") for n in (9, 10)]
    text = write_expected(entries, date(2026, 1, 10))

    assert read_expected(text) == entries[1:]
    assert text.startswith(HEAD)
    assert read_expected(None) == read_expected(HEAD) == []


def test_the_file_that_comes_with_the_repository_expects_nothing(root):
    """It is there so that a person finds it."""
    assert (root / "monitoring/expected.toml").read_text() == HEAD


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[expected]\n", "is not TOML"),
        ("expected = 3\n", "expected entries that begin with"),
        ("expected = [3]\n", "entry 1: 3 is not a table"),
        (
            "[[expected]]\ncauses = [1]\nuntil = 2026-01-01T00:00:00\n",
            "entry 1: causes is .1.; expected a list of strings",
        ),
        ("[[expected]]\nuntil = 2026-01-01T00:00:00\n", "entry 1: until is .*; expected a day such as"),
        ("[[expected]]\nuntill = 2026-01-01\n", "untill is not a key; the keys are: causes, until"),
    ],
)
def test_a_mistake_in_the_waivers_is_said(text, words):
    """All of them at once."""
    with pytest.raises(ExpectedError, match=words):
        read_expected(text)


@pytest.mark.parametrize("mode", ["off", "shadow", "on"])
def test_online_corrections_are_switched_by_a_comment(mode):
    """At once, below any alert; the incident records it."""
    set_mode, opened, reply = answer(comment(f"/online {mode}"), ALERT, [], lambda _: True, CONTEXT)

    assert set_mode == SetOnline(mode, "requested by dana below #3")
    assert IncidentState.from_json(opened.memory).actions
    assert f"The mode of online corrections is `{mode}`" in reply.body
    other = replace(ALERT, marker="robot:nightly.yml", memory={})
    first, _ = answer(comment(f"/online {mode}"), other, [], lambda _: True, CONTEXT)
    assert first == set_mode


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("/online", "`/online` takes `off`, `shadow` or `on`"),
        ("/online yes", "`/online` takes `off`, `shadow` or `on`"),
        ("/online off now", "`/online` takes `off`, `shadow` or `on`"),
    ],
)
def test_a_mode_that_does_not_exist_switches_nothing(body, said):
    """The reply names the modes."""
    (reply,) = answer(comment(body), ALERT, [], lambda _: True, CONTEXT)
    assert said in reply.body


@pytest.mark.parametrize(("mode", "done"), [("on", False), ("off", True), ("shadow", True)])
def test_a_correction_is_not_switched_on_for_another_version(mode, done):
    """Off is what was asked for, whatever is live."""
    context = replace(CONTEXT, champion_now=A)
    actions = answer(comment(f"/online {mode}"), ALERT, [], lambda _: True, context)

    assert any(isinstance(each, SetOnline) for each in actions) == done
    assert done or "Not switched on" in actions[-1].body


def test_an_old_comment_and_a_stranger_switch_nothing():
    """As with a rollback."""
    old = comment("/online on", at="2026-01-13T11:00:00Z")
    for actions in (
        answer(old, ALERT, [], lambda _: True, CONTEXT),
        answer(comment("/online on"), ALERT, [], lambda _: False, CONTEXT),
    ):
        assert [type(each) for each in actions] == [PostComment]
