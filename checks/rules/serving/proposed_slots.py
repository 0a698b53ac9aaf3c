"""The slots of live.toml that a proposal changes."""

from __future__ import annotations

from collections.abc import Sequence

from checks.verdict import Finding


def fit(problems: Sequence[str]) -> Finding:
    """Whether the slots that a proposal changes can be served; *problems* lists why not."""
    return Finding(
        "live.slots",
        "FAIL" if problems else "PASS",
        "; ".join(problems) or "each changed slot can be served",
        "each version is stored with that digest, passed a gate and is not withdrawn",
        "Scorers skip a slot that cannot be loaded, and a version that no gate judged would answer users.",
    )
