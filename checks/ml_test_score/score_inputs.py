"""What the forge and the files of this checkout record -> runs of checks. Everything is read here, and nothing written.

What cannot be read is noted: its tests count as missing, and the score says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from checks.ml_test_score.recorded_runs import day_of, of_drills, of_manifests, of_reports, of_series
from checks.ml_test_score.test_states import Run
from contracts.live_config import LIVE, LiveError, champions_of
from forge.github.guardrails import findings
from forge.interface import GITHUB, Change, Forge, ForgeError, Proposal, Release
from forge.releases.rollback import backs

#: Champions whose manifests are read, the newest.
CHAMPIONS = 10
#: Scheduled workflows whose newest success counts as a run.
SCHEDULED = ("nightly.yml", "monitor.yml", "features.yml", "backtest.yml")
#: Results of the backtest: the file, the key that it has where something was measured, and what that shows.
RESULTS = (
    ("checks/staleness.json", "by_age", "staleness"),
    ("build/backtest/staleness.json", "by_age", "staleness"),
    ("build/backtest/nights.json", "lengths", "lengths"),
)
#: Guard rails that together have every model specification reviewed: the words of `forge doctor` begin or end so.
_REVIEWED = ("changes only through pull requests", "needs an owner's review")
_BROKEN = (ForgeError, LiveError, OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass
class Reader:
    """Reads what a score needs from *forge*; *unread* collects what could not be read.

    *asks_settings*: whether to ask for the repository's settings, which the token of a workflow may not see.
    """

    forge: Forge
    asks_settings: bool = True
    unread: list[str] = field(default_factory=list)

    def runs(self, where: str, watch: Path | None, root: Path, today: date) -> list[Run]:
        """All runs that are recorded; *where* is the forge's address, *root* the checkout.

        *watch* is the folder of monitoring's runs, where that is not beside the forge.
        """
        place = None if where.startswith(GITHUB) else Path(where)
        history: list[Change] = self._read("the history of live.toml", lambda: self.forge.history(LIVE), [])
        champions = champions_of(history)
        found = [*of_reports(self._reports())]
        found += of_manifests(self._manifests(champions))
        found += [Run("live:rollback", day, back.reason) for back in backs(history) if (day := day_of(back.change.at))]
        found += self._stored(
            "signals", "series.json", watch or (place and place / "watch"), lambda c: of_series(c, champions)
        )
        found += self._stored("drills", "drills.json", place, of_drills)
        found += self._schedules() if place is None else []
        found += self._settings(today)
        for name, key, what in RESULTS:
            made = self._read(name, lambda name=name: _json(root / name), None)  # type: ignore[misc]
            if made and made.get(key) and (day := day_of(str(made.get("made", "")))):
                found.append(Run(f"backtest:{what}", day, name))
        return found

    def _reports(self) -> dict[str, tuple[str, str]]:
        releases: list[Release] = self._read("the releases", self.forge.releases, [])
        proposals: list[Proposal] = self._read("the proposals", self.forge.proposals, [])
        comments = {f"proposal {each.number}": (each.comments.get("verdict", ""), "") for each in proposals}
        return comments | {each.version: (each.notes, each.at[:10]) for each in releases}

    def _manifests(self, champions: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        newest = list(dict.fromkeys(filter(None, champions)))[-CHAMPIONS:]
        found = {
            version: self._read(f"the manifest of {version}", lambda version=version: self.forge.manifest(version), {})  # type: ignore[misc]
            for version in newest
        }
        return dict(sorted((version, manifest) for version, manifest in found.items() if manifest))

    def _stored(
        self, artifact: str, name: str, folder: Path | None, runs: Callable[[Mapping[str, Any]], Iterable[Run]]
    ) -> list[Run]:
        """The runs in the file *name*: in *folder* of a forge in a folder, or in the newest *artifact* of GitHub's."""

        def read() -> list[Run]:
            content = _json(folder / name) if folder else json.loads(self.forge.artifact(artifact, name) or b"{}")
            return [*runs(content)] if content else []

        found: list[Run] = self._read(name, read, [])
        return found

    def _schedules(self) -> list[Run]:
        found = []
        for name in SCHEDULED:
            schedule = self._read(f"the runs of {name}", lambda name=name: self.forge.schedule(name), None)  # type: ignore[misc]
            if schedule and schedule.ran and (day := day_of(schedule.last_success)):
                found.append(Run(f"workflow:{name}", day, f"newest success of {name}", schedule.enabled))
        return found

    def _settings(self, today: date) -> list[Run]:
        """The settings in force today; a forge in a folder has none."""
        settings = getattr(self.forge, "settings", None)
        if settings is None:
            return []
        if not self.asks_settings:
            self.unread.append("the rules of the repository: not asked for; see python -m forge doctor")
            return []
        rails = self._read("the settings", lambda: findings(settings()), [])
        states = {words: [each.state for each in rails if each.what.endswith(words)] for words in _REVIEWED}
        if all(each == ["set"] for each in states.values()):
            return [Run("setting:review", today, "the repository's rules", scheduled=True)]
        if any("not checked" in each for each in states.values()):
            self.unread.append("the rules of the repository: see python -m forge doctor")
        return []

    def _read(self, what: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except _BROKEN as error:
            self.unread.append(f"{what}: {error or type(error).__name__}")
            return otherwise


def _json(path: Path) -> Any:
    """The JSON in a file; None if it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
