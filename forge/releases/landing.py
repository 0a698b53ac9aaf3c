"""What a verdict allows: pure decisions of `land`.

A verdict comes from a job that ran a proposal's code: it is data, and nothing of it is believed
before it is checked against the proposal and against what is live now.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from contracts.live_config import LIVE, Live, Slot
from forge.interface import Alert, ForgeError

POLICIES = ("always", "boring", "never")
#: What a good candidate does while an experiment runs, which its landing would begin anew.
DURING = ("wait", "land")
DECISIONS = ("PROMOTE", "HOLD", "REJECT")
#: Begins the marker of an alert on a rollback.
INCIDENT = "incident:"
#: So many earlier verdicts stay, folded, below the newest.
EARLIER = 10


@dataclass(frozen=True)
class Verdict:
    """The part of verdict.json that landing needs.

    *champion* and *anchor* are what it was compared with. *churn* is the share of fresh rows whose
    decision changes, *head* the commit of the proposal that was judged; None where that is not known.
    """

    decision: Literal["PROMOTE", "HOLD", "REJECT"]
    summary: str
    candidate: tuple[str, str]
    champion: tuple[str, str] | None
    churn: float | None = None
    head: str | None = None
    anchor: tuple[str, str] | None = None


@dataclass(frozen=True)
class Policy:
    """What is done with a good verdict, from [land] in thresholds.toml."""

    name: str
    max_churn: float
    during_experiment: str = "wait"


def read_verdict(path: Path) -> Verdict:
    """The verdict in the file *path*. Raises `ForgeError` if it is none."""
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != 1 or data["decision"] not in DECISIONS:
            raise ValueError(f"format {data['format']!r}, decision {data['decision']!r}")
        churn = data.get("churn")
        return Verdict(
            data["decision"],
            str(data["summary"]),
            _named(data["candidate"]),
            _named(data["champion"]) if data["champion"] else None,
            None if churn is None else float(churn),
            data.get("head"),
            _named(data["anchor"]) if data.get("anchor") else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgeError(f"{path} is not a verdict ({error!r}); make one: make gate") from error


def read_policy(rules: Path, instead: str | None = None) -> Policy:
    """The policy in the file *rules*, or the one called *instead*. Raises ValueError."""
    try:
        land = tomllib.loads(rules.read_text(encoding="utf-8")).get("land", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{rules} cannot be read: {error}") from error
    policy, churn = instead or land.get("policy"), land.get("max_churn")
    during = land.get("during_experiment", "wait")
    if policy not in POLICIES:
        raise ValueError(f"{rules}: land.policy is {policy!r}; expected one of {', '.join(POLICIES)}")
    if isinstance(churn, bool) or not isinstance(churn, (int, float)) or not 0 <= churn <= 1:
        raise ValueError(f"{rules}: land.max_churn is {churn!r}; expected a share, from 0 to 1")
    if during not in DURING:
        raise ValueError(f"{rules}: land.during_experiment is {during!r}; expected one of {', '.join(DURING)}")
    return Policy(str(policy), float(churn), str(during))


def is_landed(verdict: Verdict, live: Live) -> bool:
    """Whether what was judged is live: a landing that was cut off is finished, not refused."""
    champion = _slot(live.champion) if live.champion else None
    return verdict.decision == "PROMOTE" and verdict.candidate == champion


def refuse_if_stale(verdict: Verdict, head: str, proposed: Live, live: Live) -> None:
    """Raise `ForgeError` unless the verdict is about just this proposal, this champion, this anchor."""
    if verdict.head not in (None, head):
        raise ForgeError("the proposal has changed since it was judged; judge again: make gate")
    if proposed.champion is None or verdict.candidate != _slot(proposed.champion):
        now = proposed.champion.version if proposed.champion else "nothing"
        raise ForgeError(
            f"the verdict is about {verdict.candidate[0]}, but the proposal is for {now}; judge again: make gate"
        )
    for role, judged, slot in (("champion", verdict.champion, live.champion), ("anchor", verdict.anchor, live.anchor)):
        if judged != (_slot(slot) if slot else None):
            then = f"{role} {judged[0]}" if judged else f"no {role}"
            now = f"{slot.version} is the {role}" if slot else f"there is no {role}"
            raise ForgeError(f"the verdict compared with {then}, but {now} now; judge again: make gate")


def reason_to_wait(
    verdict: Verdict, policy: Policy, files: Sequence[str], alerts: Iterable[Alert] = (), live: Live | None = None
) -> str:
    """Why a proposal of *files* with a good verdict is left to a person; "" if it is merged.

    While an incident is open, no robot lands: the next night would only bring back, with a day more
    of data, what somebody took off. While an experiment runs, none lands but the challenger.
    """
    for alert in alerts:
        if alert.state == "open" and alert.marker.startswith(INCIDENT):
            return f"incident {alert.number} is open ({alert.title}); close it, and robots land again"
    tried = _tried(live) if policy.during_experiment == "wait" else ""
    if tried not in ("", verdict.candidate[0]):
        return f"an experiment with {tried} runs, which another champion would begin anew"
    more = sorted(set(files) - {LIVE})
    if more:
        return f"it changes {', '.join(more)} besides {LIVE}"
    if policy.name == "never":
        return "the policy is that a person merges"
    return "" if policy.name == "always" else _not_boring(verdict, policy.max_churn)


def _tried(live: Live | None) -> str:
    """The challenger that has rows, in the shadow or not; "" if none has."""
    slot = live.challenger if live else None
    return slot.version if slot and slot.scores else ""


def _not_boring(verdict: Verdict, budget: float) -> str:
    if verdict.champion is None:
        return ""
    if verdict.churn is None:
        return "how many decisions change is not known"
    if verdict.churn > budget:
        return f"{verdict.churn:.1%} of the decisions change; the policy lets {budget:.1%} by"
    return ""


def overridden(notes: str) -> str:
    """The *notes* of a release that goes live, which say so first if the verdict was against it."""
    against = re.match(r"## \S+ (HOLD|REJECT)$", notes, re.MULTILINE)
    return f"> **Override:** a person merged this; the verdict was {against[1]}.\n\n{notes}" if against else notes


def with_earlier(words: str, before: str | None) -> str:
    """The comment *words*, with the verdict of the comment *before* and its elders folded below."""
    if before is None:
        return words
    last, _, elders = before.partition(_FOLD)
    if last.rstrip() == words.rstrip():
        return before
    # A report begins with the decision as its heading, and one sentence.
    lines = [line.removeprefix("## ") for line in last.split("\n") if line.strip()]
    told = [f"- {': '.join(lines[:2])[:400]}", *re.findall(r"^- .+$", elders, re.MULTILINE)]
    return f"{words.rstrip()}\n\n{_FOLD}\n\n" + "\n".join(told[:EARLIER]) + "\n\n</details>\n"


_FOLD = "<details><summary>Earlier verdicts</summary>"


def _slot(slot: Slot) -> tuple[str, str]:
    return slot.version, slot.digest


def _named(data: Mapping[str, Any]) -> tuple[str, str]:
    return str(data["version"]), str(data["digest"])
