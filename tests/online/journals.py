"""Lines of a journal for tests: answers and outcomes of rows by the hour."""

from datetime import UTC, datetime, timedelta

import numpy as np

from model.contract import Contract, Feature, Target
from online.corrector import Setting
from online.hourly_steps import HourlySteps
from online.outcome_delays import DelayCurves

START = datetime(2026, 3, 1, tzinfo=UTC)
VERSION = "20260301T0000-0123456789ab"
FEATURES = (Feature("place", "category"), Feature("size", "number"))


def contract(task="binary", classes=("no", "yes")):
    """A contract with one slice."""
    target = Target("happened", classes if task != "regression" else ())
    return Contract(name="t", task=task, features=FEATURES, target=target, key="who", time="when", slices=("place",))


def steps(task="binary", classes=("no", "yes"), delay=None, **given):
    """Steps that have seen nothing."""
    setting = Setting(task, len(classes) if task != "regression" else 0, ("place",), **given)
    return HourlySteps(contract(task, classes), setting, delay or DelayCurves())


def at(hour, minute=0):
    """A time as the journal writes it."""
    return (START + timedelta(hours=hour, minutes=minute)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def answer(id_, hour, score, place="a", version=VERSION, minute=1, **more):
    """The line of an answer."""
    row = {"place": place, "size": 1.0}
    return {
        "id": id_, "at": at(hour, minute), "version": version, "arm": "champion", "key": id_, "time": at(hour),
        "row": row, "score": score, **more,
    }  # fmt: skip


def outcome(id_, hour, value, minute=30):
    """The line of an outcome."""
    return {"id": id_, "outcome": value, "at": at(hour, minute)}


def stream(hours=48, rows=40, shift=0.8, delay=2, seed=0, of=lambda y: ["no", "yes"][y]):
    """Answers and outcomes of a binary stream whose scores lack *shift* on the logit at place b."""
    draw = np.random.default_rng(seed)
    answers, outcomes = [], []
    for hour in range(hours):
        for n in range(rows):
            place = "ab"[int(draw.integers(2))]
            z = draw.normal(-0.5, 1)
            score = float(np.float32(1 / (1 + np.exp(-z))))
            y = int(draw.random() < 1 / (1 + np.exp(-z - shift * (place == "b"))))
            id_ = f"{seed}-{hour}-{n}"
            answers.append(answer(id_, hour, score, place, minute=n % 60))
            outcomes.append(outcome(id_, hour + delay, of(y), minute=n % 60))
    return answers, outcomes


def run(found, answers, outcomes, until=None):
    """Give all lines at once, and close the hours."""
    found.hours.add_answers(answers, START + timedelta(days=60))
    found.hours.add_outcomes(outcomes, START + timedelta(days=60))
    last = max((line["at"] for line in [*answers, *outcomes]), default=at(0))
    end = datetime.fromisoformat(last) + timedelta(hours=1) if until is None else START + timedelta(hours=until)
    found.close(end)
    return found
