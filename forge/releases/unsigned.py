"""The releases from before signatures were demanded, for `[earlier]` in provenance/trust.toml."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from contracts.live_config import LIVE, digests_of
from forge.interface import Forge


def unsigned(forge: Forge) -> list[tuple[str, str]]:
    """Version and digest of each stored bundle that main has named and that has no attestation, the oldest first.

    A digest is that in the history of live.toml: a release can be edited.
    """
    known = digests_of(forge.history(LIVE))
    stored = sorted(each.version for each in forge.releases() if each.version in known)
    return [
        (version, digest)
        for version in stored
        if forge.attestation(version) is None
        for digest in sorted(known[version])
    ]


def earlier_table(found: Iterable[tuple[str, str]], before: date) -> str:
    """The table `[earlier]` that trusts the bundles *found*, by their digests, made *before* that day."""
    lines = [f'    "{digest}", # {version}' for version, digest in found]
    return "\n".join(["[earlier]", f"before = {before.isoformat()}", "digests = [", *lines, "]"])
