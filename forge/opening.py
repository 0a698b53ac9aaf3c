"""`open_forge`: the forge in a folder or on GitHub that a command uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from forge.bundles.verifying_forge import VerifyingForge
from forge.github.github_forge import GitHubForge
from forge.interface import GITHUB, Forge, ForgeError
from forge.local.folder_forge import LocalForge
from forge.notifications import notifying
from provenance.separate_process import verify_apart
from provenance.trust_settings import TrustError, demanded, read_trust


def open_forge(where: str) -> Forge:
    """The forge at *where*: a folder, or `github:OWNER/NAME` with the token in GITHUB_TOKEN.

    WAIT_MINUTES limits how long a command waits for GitHub's rate limits. With NOTIFY_URL, events are posted there.
    Where signatures are demanded, bundles are verified. Raises `ForgeError` for wrong settings.
    """
    name = where.removeprefix(GITHUB)
    source = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name != where else where
    return _verifying(notifying(_plain(where), source, os.environ))


def _verifying(forge: Forge) -> Forge:
    """*forge*, with each bundle verified where signatures are demanded."""
    try:
        wanted = demanded(read_trust(), os.environ)
    except TrustError as error:
        raise ForgeError(str(error)) from error
    return cast("Forge", VerifyingForge(forge, verify_apart)) if wanted else forge


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
