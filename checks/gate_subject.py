"""What is judged, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from checks.verdict import Finding, Named
from serve.release.bundle import Bundle


@dataclass(frozen=True)
class Subject:
    """What is judged, against what; the digests in quarantine; its proposal's files and head.

    *anchored* is the anchor that live.toml names, *anchor* its bundle, or *lost* says why there is
    none. *moves* is the finding on a proposal that moves it; *notes* are the releases' notes. *content*
    is the finding on the candidate's ONNX files: unless it is a PASS, the candidate is not loaded.
    """

    candidate: Bundle
    champion: Bundle | None = None
    quarantine: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    head: str | None = None
    anchored: Named | None = None
    anchor: Bundle | None = None
    lost: str = ""
    moves: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    content: Finding | None = None


def named(bundle: Bundle) -> Named:
    """A bundle by version and digest."""
    return Named(bundle.version, bundle.digest)
