"""The anchor: an older model that stays, so that a hundred small steps down from it are one large one.

The first model that lands becomes it (`contracts.live_config.with_champion`); from then on a pull request of
its own moves it: `python -m checks anchor`. Pure.
"""

from __future__ import annotations

from collections.abc import Collection

from checks.evidence import Evidence
from checks.verdict import Finding, Named

COMMAND = "python -m checks anchor"
_WHY = "Without it, many small losses in a row go unseen."


def state(evidence: Evidence, anchor: Named | None, quarantine: Collection[str]) -> Finding:
    """Whether there is an anchor to compare with; one that cannot be read is said, and how to move it.

    *anchor* is what live.toml names.
    """
    limit = "an anchor that can be read"
    if anchor is None and evidence.champion is None and not evidence.unreadable:
        return Finding("compare.anchor", "PASS", "none yet; the first model becomes it", limit, _WHY)
    if anchor is None:
        told, todo = "live.toml names no anchor", f"To propose one, type: {COMMAND}."
    elif evidence.anchor is None:
        told, todo = evidence.anchor_unreadable, f"To propose another, type: {COMMAND}."
    elif anchor.digest in quarantine:
        told = f"{anchor.version} was rolled back, and still is the anchor"
        todo = f'To propose another, type: {COMMAND} --reason "it was rolled back".'
    else:
        return Finding("compare.anchor", "PASS", f"{anchor.version} is the anchor", limit, _WHY)
    return Finding("compare.anchor", "FAIL", told, limit, f"{_WHY} {todo}", "warn")


def unmoved(now: Named | None, proposed: Named | None, first: Named | None) -> Finding:
    """Whether a proposal of a model leaves the anchor alone.

    *now* is main's; *first* the candidate, where there is neither champion nor anchor yet: that one
    may name itself.
    """
    good = proposed == now or (now is None and proposed is not None and proposed == first)
    names = [each.version if each else "none" for each in (now, proposed)]
    return Finding(
        "live.anchor",
        "PASS" if good else "FAIL",
        f"the anchor stays {names[1]}" if good else f"it moves the anchor from {names[0]} to {names[1]}",
        "a proposal of a model leaves the anchor alone",
        f"What brings its own yardstick is not measured. The anchor has a proposal of its own: {COMMAND}.",
    )
