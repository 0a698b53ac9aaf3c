"""Write the dashboard: what the forge has, and the history that monitoring keeps, as one page in a folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.atomic_file import write_atomically
from contracts.live_config import LIVE, Live, LiveError, champions_of, usable
from contracts.thresholds import read_rules
from forge.bundles.bundle_files import as_named
from forge.drills.drill_records import read_drills
from forge.interface import GITHUB, Change, Forge, ForgeError
from forge.releases.observed_state import releases_with, served_on
from forge.releases.rollback import back_to
from forge.releases.slot_checks import changed_slots, unfit
from monitoring.dashboard.dashboard_data import Context, champions, gather, with_journal
from monitoring.dashboard.dashboard_page import page
from monitoring.dashboard.last_results import read_drill, read_score
from monitoring.journal.frame_store import folder_of
from monitoring.journal.remote_files import journal_at
from monitoring.metric_history import ARTIFACT, NAME, Series, read_series

PAGE = "index.html"


def run(args: argparse.Namespace, forge: Forge) -> None:
    """Write FOLDER/index.html."""
    history = forge.history(LIVE)
    manifests, lost = _manifests(forge, champions(history))
    known: dict[str, Any] = {
        "history": history,
        "releases": forge.releases(),
        "proposals": forge.proposals(),
        "alerts": forge.alerts(),
    }
    place = Path(".forge" if args.forge.startswith(GITHUB) else args.forge)
    try:
        series = read_series(args.watch or place / "watch", lambda: forge.artifact(ARTIFACT, NAME))
    except ForgeError as error:  # GitHub shows artifacts only to those with a token
        series = Series()
        lost.append(f"the history that monitoring keeps: {error}")
    journal = args.journal or (str(place / "journal") if (place / "journal").is_dir() else "")
    if journal:
        limits = read_rules(args.rules).monitoring
        with journal_at(journal) as rows:
            series, notes = with_journal(series, rows, manifests, limits, folder_of(args.kept, journal))
        lost += notes
    try:
        drills = [each for each in read_drills(forge, args.forge) if each.get("drill") == "rollback"]
    except ForgeError as error:
        drills = []
        lost.append(str(error))
    context = Context(
        f"{args.now:%Y-%m-%dT%H:%MZ}",
        args.forge,
        _address(args.forge),
        _back(forge, history),
        read_drill(args.drill),
        read_score(args.score),
        drills[-1] if drills else {},
        _unfollowed(forge, history),
    )
    out = args.out / PAGE
    write_atomically(out, page(gather(known, manifests, series, context, tuple(lost))))
    print(f"dashboard: {out}", flush=True)


def _manifests(forge: Forge, versions: set[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The manifests that can be read, and why others cannot: a deleted release does not prevent the page."""
    found, lost = {}, []
    for version in sorted(versions):
        try:
            found[version] = forge.manifest(version)
        except ForgeError as error:
            lost.append(f"{version}: {error}")
    return found, lost


def _back(forge: Forge, history: Sequence[Change]) -> tuple[str, str]:
    try:
        live, _, _ = served_on(forge)
        return back_to(None, live, champions_of(history), releases_with(forge, live)), ""
    except (ForgeError, LiveError) as error:
        return "", str(error)


def _unfollowed(forge: Forge, history: Sequence[Change]) -> tuple[str, ...]:
    """Why scorers cannot follow live.toml on main; () if they can, as far as the forge knows."""
    try:
        live, found = usable(forge.read(LIVE) or "")
    except LiveError as error:
        return (str(error),)
    before = "" if live.says else "".join(champions_of(history)[-1:])
    if before:
        found.append(f"{LIVE} names no champion, so scorers go on with {before}")
    found += unfit(Live(live.champion), live, history, forge.releases())
    for role, slot in changed_slots(Live(), live).items():
        try:
            as_named(forge.manifest(slot.version), slot)
        except ForgeError as error:
            found.append(f"the {role} {slot.version} cannot be read: {error}")
    return tuple(found)


def _address(forge: str) -> str:
    """The repository's web page; "" of a folder."""
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{forge.removeprefix(GITHUB)}" if forge.startswith(GITHUB) else ""
