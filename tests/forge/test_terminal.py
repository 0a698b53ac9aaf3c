"""Incidents and commands on both forges: what was decided is done, and a run that was killed doubles nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bundles.bundle import Bundle
from contracts.live_config import LIVE, parse_live, with_champion
from contracts.monitoring_limits import Incident
from forge.local.folder_forge import LocalForge
from monitoring.incidents.cause import Cause
from monitoring.incidents.expected_causes import PATH, read_expected
from monitoring.incidents.forge_actions import answer_comments, apply
from monitoring.incidents.incident import RunFindings, decide
from monitoring.incidents.incident_state import IncidentState
from tests.forge.conftest import on_github, person

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = Incident(7, 14, 1.5, "never", 7, 2)
CAUSE = Cause("score_drift", "issue", "", "2026-02-20", "2026-02-28", 2.0, 2.5, "scores moved")
#: What writes, of all that a forge does.
WRITES = {"alert", "resolve", "note", "propose", "status"}


class Killed(BaseException):
    """The process ends here, without a word."""


class Dying:
    """A forge whose process is killed at a write, just before it or just after it."""

    def __init__(self, forge, number, after):
        self.forge, self.left, self.after = forge, number, after

    def __getattr__(self, name):
        found = getattr(self.forge, name)
        if name not in WRITES:
            return found

        def write(*words, **named):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Killed
            result = found(*words, **named)
            if self.left == 0:
                raise Killed
            return result

        return write


def run(forge, *causes, on=NOW, waivers=()):
    """One look of the watch."""
    newest = tuple((on.date() - timedelta(days=n)).isoformat() for n in (3, 2, 1))
    seen = RunFindings("flights", "v", f"{on:%Y-%m-%dT%H:%MZ}", {"score_drift": newest}, causes)

    def words(look, memory, state, why):
        return f"drift since {memory.since}", f"{state}: {why}; {len(memory.runs)} lines"

    apply(forge, decide(seen, forge.alerts(), waivers, 3, RULES, words))


def answers(forge, on=NOW):
    answer_comments(forge, on, 3)


def state_of(forge):
    """What a person sees, but for times; of GitHub's, notes are counted by the forge's own tests."""
    notes = [body for _, body in forge._comments.all()] if isinstance(forge, LocalForge) else []
    return (
        notes,
        [
            (
                a.marker,
                a.title,
                a.body,
                a.state,
                a.by_hand,
                a.memory,
                [(c.body, c.reply) for c in forge.comments(a.number)],
            )
            for a in forge.alerts()
        ],
        [(p.branch, p.title, p.state, p.status) for p in forge.proposals()],
    )


def test_an_incident_lives_and_ends(forge):
    """Opened, updated, closed with a summary, opened again: one issue."""
    run(forge, CAUSE)
    run(forge, replace(CAUSE, last="2026-03-01", now=3, peak=3), on=NOW + timedelta(days=1))
    run(forge, on=NOW + timedelta(days=5))
    (closed,) = forge.alerts()
    assert (closed.state, closed.by_hand) == ("closed", False)
    run(forge, replace(CAUSE, since="2026-03-08", last="2026-03-09"), on=NOW + timedelta(days=9))

    (alert,) = forge.alerts()
    assert (alert.number, alert.state, alert.title) == (1, "open", "drift since 2026-03-08")
    assert len(IncidentState.from_json(alert.memory).runs) == 4


def test_a_person_who_closed_it_is_not_fought(forge, dana):
    """The issue is not touched; when it is clearly worse, it opens again."""
    run(forge, CAUSE)
    dana.set_state(1, "closed")
    before = forge.alerts()
    run(forge, CAUSE, on=NOW + timedelta(days=1))
    assert forge.alerts() == before
    run(forge, replace(CAUSE, now=5), on=NOW + timedelta(days=1))

    assert forge.alerts()[0].state == "open"


def test_a_command_is_done_and_answered_once(forge, dana):
    """However often the watch looks."""
    run(forge, CAUSE)
    for words in ("/ack 7d", "what is it?", "/akc"):
        dana.say(1, words)
    for _ in range(2):
        answers(forge)
    first, second, third = forge.comments(1)

    assert first.reply.startswith("Acknowledged until")
    assert second.reply is None
    assert "did you mean `/ack`?" in third.reply
    assert IncidentState.from_json(forge.alerts()[0].memory).ack_by == first.author


def test_expected_is_a_proposal_and_the_two_name_each_other(forge, dana):
    """Once it is merged, the incident closes; nothing is expected before."""
    run(forge, CAUSE)
    dana.say(1, "/expected until 2026-04-01 because of the sale")
    answers(forge)
    proposal = forge.proposal("expected-1")
    assert forge.alerts()[0].link in proposal.body
    assert proposal.link in forge.comments(1)[0].reply
    assert (proposal.labels, proposal.files) == (("waiver",), (PATH,))
    run(forge, CAUSE, waivers=read_expected(forge.read(PATH)))
    assert forge.alerts()[0].state == "open"
    forge.merge("expected-1", proposal.title)
    waivers = read_expected(forge.read(PATH))
    run(forge, CAUSE, on=NOW + timedelta(hours=1), waivers=waivers)

    assert [waiver.until for waiver in waivers] == [date(2026, 4, 1)]
    assert forge.alerts()[0].state == "closed"


def test_a_stranger_gets_one_polite_word(github, fake):
    """On GitHub anybody may comment: a contributor, and a collaborator who only reads."""
    run(github, CAUSE)
    for name, association in (("mallory", "NONE"), ("rita", "COLLABORATOR")):
        somebody = person(fake, name, "read", association)
        for words in ("/rollback", "/retrain"):
            somebody.say(1, words)
    for _ in range(2):
        answers(github)

    replies = [comment.reply for comment in github.comments(1)]
    assert [bool(reply) for reply in replies] == [True, False, True, False]
    assert all(reply.startswith("Thank you.") for reply in replies if reply)
    assert github.proposals() == []


def test_a_robot_of_another_kind_is_not_heard(github, fake):
    """A bot's comment is no person's."""
    run(github, CAUSE)
    fake.tokens["bot"] = (None, {"login": "helpful[bot]", "type": "Bot"}, "NONE")
    fake.people["helpful[bot]"] = "write"
    on_github(fake, "bot").say(1, "/retrain")
    answers(github)

    assert len(fake.comments) == 1


def test_in_a_workflow_a_robot_is_started_by_outputs(forge, dana, bundles, tmp_path, monkeypatch):
    """Which hold nothing that a stranger wrote."""
    older, newer = landed(forge, bundles), bundles[1].name
    run(forge, CAUSE)
    (alert,) = forge.alerts()
    if isinstance(forge, LocalForge):  # git's clock is not the forge's
        forge._time = lambda: f"{datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}"
    dana.say(alert.number, "/retrain")
    dana.say(alert.number, f"/rollback {older}")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    answers(forge)

    author, link = forge.comments(alert.number)[0].author, alert.link
    assert (tmp_path / "output").read_text().splitlines() == [
        "retrain=true",
        "rollback=true",
        f"version={older}",
        f"bad={newer}",
        f"reason=requested by {author} below {link}",
    ]
    assert parse_live(forge.read(LIVE)).champion.version != older


def test_on_a_laptop_a_rollback_is_the_button_s(tmp_path, bundles, capsys):
    """The older model is live, the newer in quarantine, and a second look goes no further."""
    forge = LocalForge(tmp_path / "forge")
    older = landed(forge, bundles)
    now = datetime.now(UTC) + timedelta(seconds=2)
    run(forge, CAUSE)
    forge._time = lambda: f"{now:%Y-%m-%dT%H:%M:%SZ}"
    forge.say(1, "/rollback")
    for _ in range(2):
        answers(forge, now)

    assert parse_live(forge.read(LIVE)).champion.version == older
    assert [release.state for release in forge.releases()] == ["withdrawn", "published"]
    assert forge.comments(1)[0].reply == f"Rolled back: `{older}` is live.\n"
    assert "below alert 1" in forge.history(LIVE)[0].message


STORY = {
    "a new incident": ((), lambda f: run(f, CAUSE)),
    "an update": ((CAUSE,), lambda f: run(f, replace(CAUSE, now=3, peak=3))),
    "it becomes graver": ((CAUSE,), lambda f: run(f, CAUSE, replace(CAUSE, kind="missing_values", severity="page"))),
    "it closes": ((CAUSE,), lambda f: run(f, on=NOW + timedelta(days=5))),
    "commands": (("/ack 7d", "/akc", "/expected until 2026-04-01 because x"), answers),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", STORY)
def test_a_run_that_was_killed_at_any_write_and_is_repeated_doubles_nothing(worlds, name, after):
    """Each write in turn, carried out or not; then the same run again."""
    before, step = STORY[name]

    def begun():
        forge, somebody = worlds()
        causes = [each for each in before if isinstance(each, Cause)]
        if before:
            run(forge, *(causes or [CAUSE]))
        for words in before:
            if isinstance(words, str):
                somebody.say(1, words)
        return forge

    calm = begun()
    step(calm)
    number = 0
    while True:
        number += 1
        forge = begun()
        try:
            step(Dying(forge, number, after))
        except Killed:
            step(forge)
            assert state_of(forge) == state_of(calm), f"killed at write {number}"
        else:
            break
    assert number > 1


def landed(forge, bundles):
    """Two models, one after the other; returns the older's version."""
    for path in bundles:
        bundle = Bundle.load(path)
        forge.upload(bundle.version, path)
        live = with_champion(parse_live(forge.read(LIVE)), bundle.version, bundle.digest)
        forge.propose("retrain", f"model {bundle.version}", "", {LIVE: live.to_toml()})
        forge.status("retrain", True, "good")
        forge.merge("retrain", f"model {bundle.version}")
        forge.publish(bundle.version)
    return bundles[0].name
