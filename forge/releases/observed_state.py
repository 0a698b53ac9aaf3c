"""What a forge shows of live.toml, its history and the releases, each checked against the others.

GitHub may show less than there is: a token that lost its access, an answer that comes too late, a list that is
cut short. What is missing from such an answer was not deleted by anybody, so that raises `ForgeError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.live_config import LIVE, Live, LiveError, parse_live, served, usable
from forge.interface import Change, Forge, ForgeError, Release


def live_on(forge: Forge, branch: str | None = None) -> Live:
    """What *branch* (the default one), or a commit, has live. Raises `ForgeError`."""
    text = forge.read(LIVE, branch)
    if text is None:
        where = branch or "the default branch"
        raise ForgeError(f"there is no {LIVE} on {where}; propose a model first: make retrain")
    return parse_live(text)


def served_on(forge: Forge) -> tuple[Live, list[str], list[Change]]:
    """What scorers serve by the default branch, what is wrong in live.toml, and its history.

    Raises `ForgeError` where the text and the history contradict each other: one of them was not shown whole.
    """
    for _ in range(2):  # once more, as a merge may have come between the two
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
        f"{LIVE} on the default branch is not what its newest commit has made it: it changes at this"
        " moment, or was not shown whole. Nothing was decided by that; run the command again"
    )


def releases_with(forge: Forge, live: Live) -> list[Release]:
    """The releases, with that of the champion of *live* unless it was deleted.

    A list may lack a release that is there; that is no deletion. Raises `ForgeError`.
    """
    found = forge.releases()
    version = live.champion.version if live.champion else ""
    if version and version not in [each.version for each in found] and forge.has_release(version):
        raise ForgeError(
            f"the list of releases does not have {version}, and its release is there: the list was not"
            " shown whole. Nothing was decided by it; run the command again later"
        )
    return found


def named_on(forge: Forge, commit: str, history: Sequence[Change]) -> str:
    """The champion that live.toml named on *commit*; "" where it named none that can be read.

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
    """Whether live.toml on the default branch itself says what is live."""
    try:
        return usable(forge.read(LIVE) or "")[0].says
    except LiveError:
        return False
