"""The scorer's copy of `live.toml`, as the store has it: `contracts.live_config` reads and checks its text."""

from __future__ import annotations

from pathlib import Path

from contracts.bundle_content import read_regular
from contracts.live_config import BEGINS, ENDS, MAX_BYTES, Live, LiveError, Slot, usable
from contracts.live_tables import ROLES


class LiveFileError(Exception):
    """live.toml does not say what is live. The message lists every problem."""


def read_live(path: Path) -> tuple[Live, bool]:
    """The content of the live.toml at *path*, and whether its last line is `ENDS`. Raises `LiveFileError`."""
    try:
        text = read_regular(path, MAX_BYTES).decode()
        live, problems = usable(text)
    except FileNotFoundError as error:
        raise LiveFileError(f"there is no {path}: nothing is live yet, or the store is elsewhere") from error
    except LiveError as error:
        why = str(error).removeprefix("live.toml ")
        raise LiveFileError(f"{path} cannot be read: it {why}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LiveFileError(f"{path} cannot be read: {error}") from error
    is_whole = text.endswith(f"\n{ENDS}\n")
    if text.startswith(BEGINS) and not is_whole:
        raise LiveFileError(f"{path} is not whole: it does not end with the line {ENDS!r}")
    if problems:
        raise LiveFileError(f"{path}: {'; '.join(problems)}")
    return live, is_whole


def loaded_slots(live: Live) -> dict[str, Slot]:
    """The slots whose bundles are loaded, by role: the champion first, then those that get rows."""
    slots: dict[str, Slot | None] = {role: getattr(live, role) for role in ROLES}
    return {role: slot for role, slot in slots.items() if slot and (role == "champion" or slot.scores)}
