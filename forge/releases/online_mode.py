"""Set the mode of online corrections in live.toml: off, shadow or on."""

from __future__ import annotations

from dataclasses import replace

from contracts.live_config import LIVE
from contracts.live_tables import MODES
from forge.interface import Forge, ForgeError
from forge.releases.live_change import merge_live
from forge.releases.observed_state import served_on
from forge.workflow_output import say

BRANCH = "online"


def set_mode(forge: Forge, mode: str, reason: str = "") -> None:
    """Set the *mode*; nothing changes if it is set already. Problems of live.toml are removed, as a rollback does.

    Raises `ForgeError` if there is no such mode, or nothing is live.
    """
    if mode not in MODES:
        raise ForgeError(f"the mode is {mode!r}; expected {', '.join(MODES)}")
    live, wrong, _ = served_on(forge)
    if not live.says:
        raise ForgeError("no model is live: there is nothing to correct")
    if live.online.mode == mode and not wrong:
        say(f"the mode of online corrections is {mode} already")
        return
    title = f"Online corrections: {mode}"
    removed = f"\n\nProblems of {LIVE} are removed: {'; '.join(wrong)}." if wrong else ""
    body = (" ".join(reason.split()) or "Typed by a person.") + removed
    after = replace(live, online=replace(live.online, mode=mode))
    merge_live(forge, BRANCH, after, title, body, label="online", status="no model changes")
    say(f"the mode of online corrections is {mode}; scorers follow after their next sync")
