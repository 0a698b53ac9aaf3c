"""What a proposal does to the slots of live.toml. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from checks.verdict import Finding


def fit(wrong: Sequence[str]) -> Finding:
    """Whether the slots that a proposal changes can be served; *wrong* says why not."""
    return Finding(
        "live.slots",
        "FAIL" if wrong else "PASS",
        "; ".join(wrong) or "each slot that it changes can be served",
        "each is stored as it is named, was judged, and is not withdrawn",
        "A slot that cannot be had is left out by each scorer; one that was not judged answers people.",
    )
