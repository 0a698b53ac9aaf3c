"""A month of releases, a rollback, an experiment, corrections and a stop: what served when, and every answer again."""

import json
import os
import random
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from audit.__main__ import main as audit
from audit.answer_spans import NAMES, answered
from audit.explanation import explained
from audit.journal_lines import files
from bundles.bundle import Bundle
from contracts.live_config import Live, Slot
from contracts.live_tables import Online
from online.correction import Correction
from serve.app import create_app

BUNDLES = Path(__file__).parents[1] / "bundles"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
EVERY = timedelta(hours=8)


class Month:
    """A scorer through a month, with what it answered and what live.toml named at each step."""

    def __init__(self, task, store, journal, clock, clone, row):
        found = [next((BUNDLES / kind / task).iterdir()) for kind in ("format-1", "format-2", "with-core")]
        self.task, self.store, self.journal, self.clock, self.clone = task, store, journal, clock, clone
        self.first, self.second, self.third = [Slot(each.name, Bundle.described(each).digest) for each in found]
        for each in found:
            store.put(each)
        self.answers, self.named, self.row = [], {}, row
        clone.mkdir()
        self.git("init", "-q", "-b", "main")
        self.play()

    def play(self):
        """Every eight hours a request of one row and one of three."""
        on = Live(self.first)
        steps = {
            1: (on, "Release the first model"),
            6: (Live(self.second), "Release the second model (#12)"),
            9: (on, f"Roll back to {self.first.version}: too many complaints"),
            14: (Live(self.third), "Release the third model (#17)"),
            17: (Live(self.third, replace(self.first, share=0.4), salt="try-1"), "Begin an experiment"),
            22: (Live(self.third), "End the experiment"),
            24: (Live(self.third, online=Online("on")), "Correct scores online"),
            29: (Live(nothing=True), "Stop"),
            30: (on, "Serve the first model"),
        }
        self.clock.now = BEGIN
        app = create_app(self.store.folder, self.journal, follow_every=None, clock=self.clock)
        scorer, client, draw = app.extensions["tidegate"], app.test_client(), random.Random(1)
        for turn in range(31 * 3):
            day = turn // 3 + 1
            if turn % 3 == 0 and day in steps:
                self.to(*steps[day])
            if 24 <= day < 29:
                self.correct(day, turn)
            scorer.follower.refresh()
            self.clock.pass_by(minutes=30)
            self.named[self.clock.now] = self.live
            for count in (1, 3):
                rows = [
                    self.row | {"visitor": f"v{draw.randrange(40)}", "pages": draw.randrange(9)} for _ in range(count)
                ]
                response = client.post("/score", json=rows if count > 1 else rows[0])
                if response.status_code == 200:
                    self.answers += response.json if count > 1 else [response.json]
            self.clock.now += EVERY - timedelta(minutes=30)
        scorer.close()

    def to(self, live, message):
        """Change live.toml, in the repository and in the store."""
        self.live = live
        self.store.write(live.to_toml() + f"# {self.clock.now}\n")
        (self.clone / "serve").mkdir(exist_ok=True)
        (self.clone / "serve/live.toml").write_text(live.to_toml())
        self.git("add", ".")
        self.git("commit", "-qm", message)

    def correct(self, day, turn):
        """The correction of this hour."""
        now = f"{self.clock.now:%Y-%m-%dT%H:%M:%SZ}"
        terms = {"biases": (0.1 * day, -0.1, 0.01 * turn)} if self.task == "multiclass" else {"intercept": 0.01 * turn}
        found = Correction(self.third.version, self.task, now, now, "applied", "it earns", 1.0, **terms)
        folder = self.store.folder / "online"
        folder.mkdir(exist_ok=True)
        (folder / ".new").write_bytes(found.to_bytes())
        (folder / ".new").replace(folder / f"{self.third.version}.json")

    def git(self, *words):
        time = f"{self.clock.now:%Y-%m-%dT%H:%M:%S+00:00}"
        who = {f"GIT_{one}_{two}": "Robin" for one in ("AUTHOR", "COMMITTER") for two in ("NAME", "EMAIL")}
        who |= {"GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time, "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", *words], cwd=self.clone, env=os.environ | who, check=True)

    def asked(self, *words):
        """The arguments of a command."""
        places = ["--store", self.store.folder, "--journal", self.journal, "--forge", self.clone]
        return [*words, *map(str, places)]


@pytest.fixture(scope="module", params=["multiclass", "regression"])
def month(request, tmp_path_factory, row):
    from tests.serve.conftest import Clock, Store

    folder = tmp_path_factory.mktemp("month")
    return Month(request.param, Store(folder / "store"), folder / "journal", Clock(), folder / "clone", row)


def test_every_answer_is_computed_again_bit_for_bit(month):
    """Of three versions of three formats, with and without a correction, alone and in lists."""
    load = cache(lambda version: Bundle.load(month.store.folder / "bundles" / version))
    corrected = Counter()
    for answer in month.answers:
        found = explained(answer["id"], month.store.folder, month.journal, load)
        corrected[answer["version"], "correction" in answer] += 1
        again = [line for line in found.text.splitlines() if "computed again" in line or "for this row alone" in line]
        assert found.equal, found.text
        assert all("equal, bit for bit" in line for line in again), again
        assert len(again) == 1 + ("correction" in answer)

    assert len(month.answers) == (31 - 1) * 3 * 4
    assert corrected.keys() == {
        (month.first.version, False),
        (month.second.version, False),
        (month.third.version, False),
        (month.third.version, True),
    }


def test_the_versions_of_every_time_are_found(month):
    """By the journal: those that live.toml named, at each request."""
    for when, live in month.named.items():
        every = chain(files(month.journal, "answers", NAMES))
        spans = [each for each in answered(every, when).spans if each.first <= when <= each.last]
        found = {each.arm: each.version for each in spans}
        slots = {"champion": live.champion, "challenger": live.challenger}
        expected = {role: slot.version for role, slot in slots.items() if slot}
        # Of a few keys all may be the champion's: then nothing of the challenger was answered yet, or any more.
        assert found.get("champion") == expected.get("champion"), when
        assert found.items() <= expected.items(), when


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("2026-03-02T00:30", ["champion {first}", "the first model", "correction: none", "\n  nothing"]),
        ("2026-03-07T12:00+01:00", ["11:00:00 UTC\n", "champion {second}", "(#12)", "pull request: #12", "by Robin"]),
        ("2026-03-10", ["champion {first}", "{second}: withdrawn 2026-03-09", "too many complaints"]),
        ("2026-03-18 14:00 Europe/Vienna", ["13:00:00 UTC\n", "challenger {first}", "40% of the keys", "salt try-1"]),
        ("2026-03-25T17:00", ["champion {third}", "  correction: ", "taken up 2026-03-25T16", "corrections on"]),
        ("2026-03-29T12:00Z", ["no answers around then", "nothing was to be served", "{third}: withdrawn"]),
        ("2026-04-20T12:00", ["no answers since 2026-03-31", "champion {first}: since 2026-03-30", "and still is"]),
        ("2026-02-01T12:00", ["the journal begins later, at 2026-03-01 00:30:00", "live.toml is younger"]),
        ("2999-01-01T12:00", ["in the future"]),
    ],
)
def test_a_time_is_answered_in_sentences(month, capsys, time, words):
    """With and without a zone; in an experiment, after a rollback, while nothing served, and outside the journal."""
    assert audit(month.asked("at", time)) == 0
    text = capsys.readouterr().out
    names = {name: getattr(month, name).version for name in ("first", "second", "third")}
    for each in words:
        assert each.format(**names) in text
    assert ("read as UTC" in text) == (not time.endswith(("Z", "01:00", "Vienna")))


def test_a_time_and_an_answer_go_together(month, capsys):
    """The time of the answer, if none is given."""
    answer = month.answers[-1]
    assert audit(month.asked("at", "--id", answer["id"])) == 0
    text = capsys.readouterr().out
    assert "2026-03-31 16:30:00 UTC\n" in text
    assert f"champion {month.first.version}: answered from 2026-03-30" in text
    assert "for this row alone: equal, bit for bit" in text
    assert "against the typical value" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["at"], "name a time"),
        (["at", "yesterday"], "'yesterday' is not a time"),
        (["at", "2026-03-01T12:00 Europe/Atlantis"], "is not a time"),
        (["at", "--id", "none"], "has no answer with the id none"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(month, capsys, words, said):
    """In a sentence, with the exit code for usage."""
    assert audit(month.asked(*words)) == 2
    assert said in capsys.readouterr().out


def test_a_bundle_that_the_store_dropped_is_said(month, capsys, tmp_path):
    """The score of the model cannot be computed; the correction still can."""
    answer = next(each for each in month.answers if "correction" in each)
    words = ["explain", answer["id"], "--store", str(tmp_path), "--journal", str(month.journal)]
    assert audit([*words, "--forge", str(tmp_path / "none")]) == 0
    text = capsys.readouterr().out
    assert "there is no model to compute with" in text
    assert audit(["at", "2026-03-10", *words[2:], "--forge", str(tmp_path / "none")]) == 0
    assert "not known without the history of live.toml" in capsys.readouterr().out
    assert json.dumps(answer["version"])[1:-1] in text
