"""The anchor: an older model that stays, so that many small losses in a row add up. Pure.

The first model that lands becomes the anchor (`contracts.live_config.with_champion`). After that only a separate pull
request moves it: `python -m checks anchor`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from checks.comparison.bootstrap import Gap
from checks.evidence import Evidence
from checks.verdict import Finding, Named, ruled

COMMAND = "python -m checks anchor"
_WHY = "Without an anchor, many small losses in a row go unnoticed."


def anchor_state(evidence: Evidence, anchor: Named | None, quarantine: Collection[str]) -> Finding:
    """Whether the anchor that live.toml names can be compared with; if not, with the command that moves it."""
    limit = "an anchor that can be read"
    if anchor is None and evidence.champion is None and not evidence.unreadable:
        return Finding("compare.anchor", "PASS", "none yet; the first model becomes the anchor", limit, _WHY)
    if anchor is None:
        observed, todo = "live.toml names no anchor", f"To propose one, type: {COMMAND}."
    elif evidence.anchor is None:
        observed, todo = evidence.anchor_unreadable, f"To propose another, type: {COMMAND}."
    elif anchor.digest in quarantine:
        observed = f"the anchor {anchor.version} was rolled back"
        todo = f'To propose another, type: {COMMAND} --reason "it was rolled back".'
    else:
        return Finding("compare.anchor", "PASS", f"{anchor.version} is the anchor", limit, _WHY)
    return Finding("compare.anchor", "FAIL", observed, limit, f"{_WHY} {todo}", "warn")


def over_anchor(found: Finding, gap: Gap, margin: float) -> Finding:
    """The finding *found* on a gain over the anchor, which holds a candidate only where the estimate is below the limit.

    The anchor bounds the sum of many small losses, and each of them is compared with the champion, too. An old model makes
    other mistakes than a new one, so that a proof of its margin needs far more rows than that against the champion.
    """
    if found.outcome != "INCONCLUSIVE" or gap.low is None or gap.value < -margin:
        return found
    why = "The estimate is within the margin of the anchor. It holds a candidate whose estimate is below, and rejects one that surely is."
    return replace(found, outcome="PASS", why=why, more_rows=None)


def unmoved(now: Named | None, proposed: Named | None, first: Named | None) -> Finding:
    """Whether a proposal of a model keeps the anchor.

    *now* is the anchor on main; *first* the candidate where there is no champion yet: it may become the anchor.
    """
    kept = proposed == now or (now is None and proposed is not None and proposed == first)
    names = [each.version if each else "none" for each in (now, proposed)]
    return ruled(
        "live.anchor",
        kept,
        f"the anchor stays {names[1]}" if kept else f"the proposal moves the anchor from {names[0]} to {names[1]}",
        "a proposal of a model keeps the anchor",
        f"A candidate must not choose what it is compared with. A separate proposal moves the anchor: {COMMAND}.",
    )
