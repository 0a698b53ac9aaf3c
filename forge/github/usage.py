"""What this month's workflow runs used, and when the token expires, as GitHub shows it."""

from __future__ import annotations

import math
from datetime import datetime

from forge.github.rest import Rest
from forge.interface import ForgeError

#: The header in which GitHub says when a token expires, and its form.
EXPIRES, FORM = "github-authentication-token-expiration", "%Y-%m-%d %H:%M:%S"


class Usage:
    """The usage of one repository, by its REST API."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def expires(self) -> datetime:
        """When the token expires. Raises `ForgeError` where GitHub does not say: some tokens have no end."""
        text = self._rest.header("", EXPIRES)
        if not text:
            raise ForgeError("GitHub does not say when it expires, as for the token of a workflow")
        try:
            return datetime.strptime(f"{text[:19]} +0000", f"{FORM} %z")
        except ValueError as error:
            raise ForgeError(f"GitHub says that it expires at {text!r}, which is no time") from error

    def minutes(self, now: datetime) -> int:
        """The minutes of this month's runs, at least: each run by its duration, rounded up; jobs beside each other count once.

        Raises `ForgeError`.
        """
        total, page = 0, 1
        while True:
            found = self._rest.get("actions/runs", created=f">={now:%Y-%m-01}", per_page=100, page=page)
            if found is None:
                raise ForgeError("GitHub shows no workflow runs to this token")
            runs = found["workflow_runs"]
            total += sum(_minutes(each) for each in runs)
            if len(runs) < 100:
                return total
            page += 1


def _minutes(run: dict[str, str]) -> int:
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("run_started_at", "updated_at"))
    return max(1, math.ceil((ended - begun).total_seconds() / 60))
