"""A shadow of the real forge: its champion and the version before, with the same bytes, in a folder.

Only what a rollback needs is copied: two bundles, and the two texts of live.toml under which they served.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.live_config import LIVE, Live, champions_of, readable
from forge.interface import Forge
from forge.local.folder_forge import LocalForge
from forge.releases.observed_state import releases_with, served_on
from forge.releases.rollback import back_to, older


@dataclass(frozen=True)
class Shadow:
    """The shadow, and the versions between which it goes: *now* is live, a rollback goes to *before*."""

    forge: LocalForge
    now: str
    before: str


def shadow_of(forge: Forge, folder: Path) -> Shadow | None:
    """The shadow of *forge* in *folder*; None where there is no version to roll back to yet.

    Raises `ForgeError` where live.toml or a bundle cannot be read.

    Bundles are fetched from the real forge, with whatever it verifies. Other slots than the champion are left out.
    """
    live, _, history = served_on(forge)
    champions, releases = champions_of(history), releases_with(forge, live)
    if live.champion is None or not older(live, champions, releases):
        return None
    before = back_to(None, live, champions, releases)
    slots = {each.champion.version: each.champion for _, each in readable(history) if each.champion}
    shadow = LocalForge(folder / "forge")
    for slot in (slots[before], live.champion):
        copy = folder / "copies" / slot.version
        forge.download(slot.version, copy)
        shadow.upload(slot.version, copy)
        land(shadow, Live(slot), f"Release {slot.version}")
        shadow.publish(slot.version)
    return Shadow(shadow, live.champion.version, before)


def land(shadow: LocalForge, live: Live, message: str) -> None:
    """Merge *live* as the live.toml of *shadow*."""
    proposal = shadow.propose("drill", message, "", {LIVE: live.to_toml()})
    shadow.status("drill", True, "a drill", proposal.head)
    shadow.merge("drill", message)
