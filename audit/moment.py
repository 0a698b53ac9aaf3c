"""What served at a time, as text: by the journal, which has what really answered, and by the repository. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.answer_spans import Answered, Span
from audit.asked_time import Asked
from audit.repository_record import (
    Held,
    Record,
    limits_at,
    live_at,
    others_withdrawn,
    proposal_of,
    roles_at,
    verdict_on,
    withdrawn_at,
)

Line = Mapping[str, Any]
#: Without an answer for so long, the journal does not prove what served.
GAP = timedelta(minutes=15)
#: The variants, in the order in which they are shown.
ARMS = ("champion", "challenger", "anchor", "shadow")


def described(
    asked: Asked,
    now: datetime,
    found: Answered,
    corrections: Sequence[Line],
    record: Record,
    unknown: Sequence[str] = (),
) -> list[str]:
    """The lines of the answer to *asked*. *corrections* are the journal's, *unknown* says what cannot be known."""
    when = asked.when
    zone = "" if asked.has_zone else ", read as UTC; end it with +01:00 or Z to name a zone"
    text = [f"{_shown(when)} UTC{zone}"]
    if when > now:
        return [*text, f"This is in the future: it is {_shown(now)} UTC. Nothing has been served then."]
    text += ["", "By the journal:", *(f"  {line}" for line in _answers(found, corrections, when))]
    text += ["", "By the repository:", *(f"  {line}" for line in _decisions(record, when))]
    refused = [f"{version}: {why}" for version, why in withdrawn_at(record, when)]
    refused += [
        f"{version}: its release is withdrawn now; since when is not known"
        for version in others_withdrawn(record, when)
    ]
    nothing = "nothing" if record.history else "not known without the history of live.toml"
    text += ["", "Refused then (not to be promoted again):", *(f"  {line}" for line in refused or [nothing])]
    notes = [*record.notes, *unknown]
    return [*text, *(["", "Not known:", *(f"  {line}" for line in notes)] if notes else [])]


def _answers(found: Answered, corrections: Sequence[Line], when: datetime) -> Iterator[str]:
    if found.first is None or found.last is None:
        yield "the journal has no answers"
        return
    if when < found.first:
        yield f"the journal begins later, at {_shown(found.first)}, with an answer by {found.spans[0].version}"
        return
    arms = [*ARMS, *sorted({span.arm for span in found.spans} - {*ARMS})]
    current = [(arm, span) for arm in arms for span in _at(found.spans, arm, when)]
    for arm, span in current:
        yield f"{arm} {span.version}: answered from {_shown(span.first)} until {_shown(span.last)} ({span.answers:,} answers)"
        yield from (f"  {line}" for line in _near(found, arm))
        if arm in ("champion", "challenger", "anchor"):
            yield f"  {_correction(found.before.get(arm), span, corrections, when)}"
    if not current:
        yield from _gap(found, when)


def _at(spans: Sequence[Span], arm: str, when: datetime) -> list[Span]:
    return [span for span in spans if span.arm == arm and span.first <= when <= span.last]


def _near(found: Answered, arm: str) -> Iterator[str]:
    """The answers on both sides of the time, of the variant."""
    before, after = found.before.get(arm), found.after.get(arm)
    if before:
        yield f"last answer until then: {before['at']}, id {before.get('id')}" + _share(before)
    if after:
        yield f"next answer: {after['at']}, id {after.get('id')}"
    if before and after and (gap := _time(after) - _time(before)) > GAP:
        yield f"no answers for {gap}: the journal does not show what served meanwhile"


def _share(line: Line) -> str:
    share, salt = line.get("share"), line.get("salt")
    return f" (share {share:g} of the keys, salt {salt})" if isinstance(share, int | float) else ""


def _gap(found: Answered, when: datetime) -> Iterator[str]:
    """No answer on one side, or another version on each."""
    before = max((span for span in found.spans if span.last < when), key=lambda span: span.last, default=None)
    after = min((span for span in found.spans if span.first > when), key=lambda span: span.first, default=None)
    if before and after:
        yield (
            f"no answers around then: the last one was at {_shown(before.last)} by {before.version} ({before.arm}), the"
            f" next one at {_shown(after.first)} by {after.version} ({after.arm})"
        )
    elif before:
        yield (
            f"no answers since {_shown(before.last)}; the last one was by {before.version} ({before.arm}). Without"
            " traffic the journal does not show whether a scorer ran"
        )


def _correction(line: Line | None, span: Span, corrections: Sequence[Line], when: datetime) -> str:
    """The correction of the last answer until then, and what was last taken up."""
    mine = [each for each in corrections if each.get("version") == span.version and _time(each) <= when]
    newest = max(mine, key=lambda each: str(each["at"]), default=None)
    if line and line.get("version") == span.version and line.get("correction"):
        taken = next((each for each in mine if each.get("correction") == line["correction"]), None)
        since = f", taken up {taken['at']}" if taken else ", whose line the journal does not have"
        return f"correction: {line['correction']}{since}"
    if newest:
        return f"correction: none applied; {newest.get('correction')} was known, in the state {newest.get('state')}"
    return "correction: none"


def _time(line: Line) -> datetime:
    return datetime.fromisoformat(str(line["at"]))


def _decisions(record: Record, when: datetime) -> Iterator[str]:
    now = live_at(record, when)
    if not record.history:
        yield "the history of live.toml is not at hand: name it with --forge"
        return
    if now is None:
        yield f"live.toml is younger: its first change is of {record.history[-1].at}"
        return
    change, live = now
    for each in roles_at(record, when):
        yield from _role(record, each)
    if live.nothing or live.champion is None:
        yield f"nothing was to be served, since {change.at}: {change.message}"
    online = live.online
    yield (
        f"rules: online corrections {online.mode} (max_shift {online.max_shift:g}, max_flips {online.max_flips:g}),"
        f" salt of the split {live.salt or 'the name of the model'}, in live.toml of {change.commit[:10]}"
    )
    if limits := limits_at(record, when):
        yield f"limits of the gate: checks/thresholds.toml of {limits.commit[:10]}, {limits.at}"


def _role(record: Record, each: Held) -> Iterator[str]:
    slot = each.slot
    how = ", shadow mode" if slot.shadow else f", {slot.share:.0%} of the keys" if slot.share else ""
    until = f"until {each.until.at}" if each.until else "and still is"
    yield f"{each.role} {slot.version}{how}: since {each.since.at}, {until}"
    by = f" by {each.since.by}" if each.since.by else ""
    yield f"  commit {each.since.commit[:10]}{by}: {each.since.message}"
    if each.until:
        yield f"  ended by commit {each.until.commit[:10]}: {each.until.message}"
    if each.role == "champion":
        yield f"  verdict: {verdict_on(record, slot.version) or 'not at hand (the notes of the release)'}"
        yield f"  pull request: {proposal_of(record, slot.version, each.since) or 'not at hand'}"


def _shown(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
