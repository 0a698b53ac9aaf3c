"""`open_forge`: the forge in a folder or on GitHub that a command uses."""

from __future__ import annotations

import os
from pathlib import Path

from forge.github.github_forge import GitHubForge
from forge.interface import GITHUB, Forge, ForgeError
from forge.local.folder_forge import LocalForge
from forge.notifications import notifying


def open_forge(where: str) -> Forge:
    """The forge at *where*: a folder, or `github:OWNER/NAME` with the token in GITHUB_TOKEN.

    WAIT_MINUTES limits how long a command waits for GitHub's rate limits. With NOTIFY_URL, events are posted there.
    """
    name = where.removeprefix(GITHUB)
    source = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name != where else where
    return notifying(_plain(where), source, os.environ)


def _plain(where: str) -> Forge:
    if where.startswith(GITHUB):
        minutes = os.environ.get("WAIT_MINUTES") or "1"
        if not minutes.isdigit():
            raise ForgeError(f"WAIT_MINUTES is {minutes!r}; expected a number of minutes, such as 10")
        return GitHubForge(
            where.removeprefix(GITHUB),
            os.environ.get("GITHUB_TOKEN", ""),
            os.environ.get("GITHUB_API_URL", "https://api.github.com"),
            patience=60.0 * int(minutes),
        )
    return LocalForge(Path(where))
