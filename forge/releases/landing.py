"""Decisions of `land`: what a verdict allows. Pure.

A verdict comes from a job that ran a proposal's code, so it is checked against the proposal and against what is live.
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
#: What a good candidate does while an experiment runs, which its landing would restart.
DURING = ("wait", "land")
DECISIONS = ("PROMOTE", "HOLD", "REJECT")
#: Prefix of the marker of an alert on a rollback.
INCIDENT = "incident:"
#: How many earlier verdicts stay, folded, below the newest.
EARLIER = 10


@dataclass(frozen=True)
class Verdict:
    """The part of verdict.json that landing needs.

    *champion* and *anchor* were compared with. *churn* is the prediction churn: the share of fresh rows whose decision
    changes; *head* the judged commit of the proposal; None if unknown.
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
    """What to do with a good verdict, from [land] in thresholds.toml."""

    name: str
    max_churn: float
    during_experiment: str = "wait"


def read_verdict(path: Path) -> Verdict:
    """The verdict in the file *path*. Raises `ForgeError`."""
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
        raise ForgeError(f"{path} is not a verdict ({error!r}); run: make gate") from error


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
    """Whether the judged candidate is live: an interrupted landing is completed, not refused."""
    champion = _slot(live.champion) if live.champion else None
    return verdict.decision == "PROMOTE" and verdict.candidate == champion


def refuse_if_stale(verdict: Verdict, head: str, proposed: Live, live: Live) -> None:
    """Raise `ForgeError` unless the verdict is about this proposal, champion and anchor."""
    if verdict.head not in (None, head):
        raise ForgeError("the proposal has changed since the gate ran; run: make gate")
    if proposed.champion is None or verdict.candidate != _slot(proposed.champion):
        now = proposed.champion.version if proposed.champion else "nothing"
        raise ForgeError(f"the verdict is about {verdict.candidate[0]}, but the proposal is for {now}; run: make gate")
    for role, judged, slot in (("champion", verdict.champion, live.champion), ("anchor", verdict.anchor, live.anchor)):
        if judged != (_slot(slot) if slot else None):
            then = f"{role} {judged[0]}" if judged else f"no {role}"
            now = f"{slot.version} is the {role}" if slot else f"there is no {role}"
            raise ForgeError(f"the verdict compared with {then}, but {now} now; run: make gate")


def reason_to_wait(
    verdict: Verdict, policy: Policy, files: Sequence[str], alerts: Iterable[Alert] = (), live: Live | None = None
) -> str:
    """Why a proposal of *files* with a good verdict is left to a person; "" if it is merged.

    While an incident is open, no robot lands: the next night's candidate would be much like the one that was rolled
    back. While an experiment runs, only its challenger lands.
    """
    for alert in alerts:
        if alert.state == "open" and alert.marker.startswith(INCIDENT):
            return f"incident {alert.number} is open ({alert.title}); robots land again when it is closed"
    tried = _tried(live) if policy.during_experiment == "wait" else ""
    if tried not in ("", verdict.candidate[0]):
        return f"an experiment with {tried} is running, which another champion would restart"
    more = sorted(set(files) - {LIVE})
    if more:
        return f"it changes {', '.join(more)} besides {LIVE}"
    if policy.name == "never":
        return "by the policy a person merges"
    return "" if policy.name == "always" else _not_boring(verdict, policy.max_churn)


def _tried(live: Live | None) -> str:
    """The challenger that scores rows, in shadow mode or not; "" if there is none."""
    slot = live.challenger if live else None
    return slot.version if slot and slot.scores else ""


def _not_boring(verdict: Verdict, budget: float) -> str:
    if verdict.champion is None:
        return ""
    if verdict.churn is None:
        return "the prediction churn is not known"
    if verdict.churn > budget:
        return f"{verdict.churn:.1%} of the decisions change; the policy allows {budget:.1%}"
    return ""


def overridden(notes: str, reason: str = "") -> str:
    """The *notes* of a release that becomes live, with a remark at the top if the verdict was against it.

    A *reason* is added to a remark that has none.
    """
    if found := _OVERRIDE.match(notes):
        return f"{found[1]}: {reason}\n\n{notes[found.end() :]}" if reason else notes
    against = re.match(r"## \S+ (HOLD|REJECT)$", notes, re.MULTILINE)
    if against is None:
        return notes
    return f"> **Override:** a person merged this; the verdict was {against[1]}{f': {reason}' if reason else '.'}\n\n{notes}"


def with_earlier(text: str, before: str | None) -> str:
    """The comment *text*, with the verdict of the comment *before* and the ones before that folded below."""
    if before is None:
        return text
    last, _, earlier = before.partition(_FOLD)
    if last.rstrip() == text.rstrip():
        return before
    # A report begins with the decision as its heading, and one sentence.
    lines = [line.removeprefix("## ") for line in last.split("\n") if line.strip()]
    entries = [f"- {': '.join(lines[:2])[:400]}", *re.findall(r"^- .+$", earlier, re.MULTILINE)]
    return f"{text.rstrip()}\n\n{_FOLD}\n\n" + "\n".join(entries[:EARLIER]) + "\n\n</details>\n"


#: The remark of a release that was merged against its verdict, without a reason yet.
_OVERRIDE = re.compile(r"(> \*\*Override:\*\* a person merged this; the verdict was \w+)\.\n\n")
_FOLD = "<details><summary>Earlier verdicts</summary>"


def _slot(slot: Slot) -> tuple[str, str]:
    return slot.version, slot.digest


def _named(data: Mapping[str, Any]) -> tuple[str, str]:
    return str(data["version"]), str(data["digest"])
