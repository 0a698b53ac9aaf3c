"""live.toml, its history and the releases as a forge shows them, each checked against the others.

GitHub may show less than there is: a token may lose its access, an answer may be out of date, a list incomplete.
What is missing there was not deleted, so a contradiction raises `ForgeError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.live_config import LIVE, Live, LiveError, parse_live, served, usable
from forge.interface import Change, Forge, ForgeError, Release


def live_on(forge: Forge, branch: str | None = None) -> Live:
    """What is live by live.toml on *branch* (the default one), or on a commit. Raises `ForgeError`."""
    text = forge.read(LIVE, branch)
    if text is None:
        where = branch or "the default branch"
        raise ForgeError(f"there is no {LIVE} on {where}; propose a model first: make retrain")
    return parse_live(text)


def served_on(forge: Forge) -> tuple[Live, list[str], list[Change]]:
    """What scorers serve by the default branch, the problems of live.toml, and its history.

    Raises `ForgeError` where the text and the history contradict each other, as one of them is incomplete.
    """
    for _ in range(2):  # twice, as there may have been a merge between the two requests
        history, text = forge.history(LIVE), forge.read(LIVE)
        newest = history[0].text if history else None
        if newest == (text or ""):
            live, wrong = served(newest, history)
            return live, wrong, history
    if text is None and newest is None:
        raise ForgeError(f"there is no {LIVE} on the default branch; propose a model first: make retrain")
    if newest is None and not parse_live(text or "").says:
        return Live(), [], []
    raise ForgeError(
        f"{LIVE} on the default branch differs from its newest commit: it is changing, or was not shown completely."
        " Nothing was changed; run the command again"
    )


def releases_with(forge: Forge, live: Live) -> list[Release]:
    """The releases, with that of the champion of *live* unless it was deleted.

    Raises `ForgeError` if the list lacks a release that exists.
    """
    found = forge.releases()
    version = live.champion.version if live.champion else ""
    if version and version not in [each.version for each in found] and forge.has_release(version):
        raise ForgeError(
            f"the list of releases lacks {version}, although its release exists. Nothing was changed; run the"
            " command again later"
        )
    return found


def named_on(forge: Forge, commit: str, history: Sequence[Change]) -> str:
    """The champion in live.toml on *commit*; "" if it has none or cannot be read.

    Raises `ForgeError` where there is no live.toml on *commit*, although main has one: *history* is main's.
    """
    text = forge.read(LIVE, commit)
    if text is None and (not history or history[0].text):
        raise ForgeError(f"there is no {LIVE} on {commit}")
    try:
        champion = usable(text or "")[0].champion
    except LiveError:
        return ""
    return champion.version if champion else ""


def says(forge: Forge) -> bool:
    """Whether live.toml on the default branch can be read and names what is live."""
    try:
        return usable(forge.read(LIVE) or "")[0].says
    except LiveError:
        return False
