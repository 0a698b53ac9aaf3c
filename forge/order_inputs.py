"""What `working_order` judges, read from a forge. What cannot be read is `Unseen`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from contracts.live_config import LiveError, champions_of
from forge import working_order
from forge.github.guardrails import Finding, findings
from forge.github.repository_settings import Unseen
from forge.interface import GITHUB, Forge, ForgeError
from forge.releases.observed_state import releases_with, served_on
from forge.releases.rollback import older
from forge.working_order import SCHEDULED

T = TypeVar("T")


def in_order(forge: Forge, where: str, now: datetime) -> Iterator[Finding]:
    """All findings on the forge at the address *where*: guard rails of GitHub, what runs, what is live.

    Raises `ForgeError` where a repository cannot be read at all.
    """
    settings = getattr(forge, "settings", None)
    if settings:
        yield from findings(settings())
    yield from _live(forge)
    yield from working_order.schedules({name: seen(lambda name=name: forge.schedule(name)) for name in SCHEDULED}, now)  # type: ignore[misc]
    usage = getattr(forge, "usage", None)
    if usage and where.startswith(GITHUB):
        yield working_order.token(seen(lambda: usage().expires()), now)
        private, used = seen(lambda: not forge.public()), seen(lambda: usage().minutes(now))
        yield working_order.minutes(private, used, now)
    place = Path() if where.startswith(GITHUB) else Path(where)
    if place.exists():
        room = shutil.disk_usage(place)
        yield working_order.disk(str(place.resolve()), room.free, room.total)


def seen(read: Callable[[], T]) -> T | Unseen:
    """What *read* returns, or why it cannot be read."""
    try:
        return read()
    except (ForgeError, LiveError) as error:
        return Unseen(str(error))


def _live(forge: Forge) -> list[Finding]:
    try:
        live, problems, history = served_on(forge)
        releases = releases_with(forge, live)
    except (ForgeError, LiveError) as error:
        return [Finding("live.toml names a champion that scorers can serve", "not checked", str(error))]
    champion = live.champion.version if live.champion else ""
    return working_order.live(champion, problems, older(live, champions_of(history), releases), releases)
