"""What the forge, the journal and the files of this checkout record of debts. Everything is read here.

What cannot be read is noted: it is not said to be free of debts.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from checks.debt.debt_items import (
    ALWAYS_WAIVED,
    EXPIRED,
    LONG,
    NEVER_FIRED,
    NO_BENEFIT,
    OLD,
    UNSENT,
    Debt,
    expired,
    long_experiments,
    never_sent,
    old_pins,
    rules,
    without_benefit,
)
from checks.ml_test_score.recorded_runs import rule_runs
from contracts.journal_format import Folder, lines, parts
from contracts.live_config import LIVE, LiveError, readable
from contracts.row_contract import Contract, ContractError
from forge.interface import Forge, ForgeError

#: Files with waivers: the table of an entry, and the key with what it waives.
_WAIVERS = (("checks/waivers.toml", "waiver", "rule"), ("monitoring/expected.toml", "expected", "causes"))
_PIN = re.compile(r"^\t(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)")
_BROKEN = (
    ForgeError,
    LiveError,
    ContractError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    subprocess.CalledProcessError,
)


def debts_of(
    forge: Forge, verdict: Path, journal: Path | None, root: Path, today: date
) -> tuple[list[Debt], dict[str, str]]:
    """All debts, and the kinds that could not be looked at, each with the reason."""
    found: list[Debt] = []
    unseen: dict[str, str] = {}

    def look(read: Callable[[], Iterable[Debt]], *kinds: str) -> None:
        try:
            found.extend([*read()])
        except _BROKEN as error:
            unseen.update(dict.fromkeys(kinds, str(error) or type(error).__name__))

    look(lambda: without_benefit(_verdict(forge, verdict)), NO_BENEFIT)
    look(lambda: _unsent(forge, journal), UNSENT)
    look(lambda: rules([run for each in forge.releases() for run in rule_runs(each.notes)]), ALWAYS_WAIVED, NEVER_FIRED)
    look(lambda: expired(_waivers(root), today), EXPIRED)
    look(lambda: long_experiments(_challengers(forge), today), LONG)
    look(lambda: old_pins(_pins(root), today), OLD)
    return sorted(found), unseen


def _verdict(forge: Forge, path: Path) -> Any:
    """The newest verdict here, or that of the monthly workflow. Raises OSError without either."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    content = forge.artifact("features", path.name)
    if content is None:
        raise OSError(f"there is no verdict at {path}; type: make gate")
    return json.loads(content)


def _unsent(forge: Forge, journal: Path | None) -> Iterator[Debt]:
    if journal is None:
        raise OSError("no journal was given; type: --journal DIR")
    live = next((live for _, live in readable(forge.history(LIVE)) if live.champion), None)
    if live is None or live.champion is None:
        return
    contract = Contract.from_json(forge.manifest(live.champion.version)["contract"])
    place, sent, answers = Folder(journal), Counter[str](), 0
    names = {*contract.feature_names} - {*contract.private}  # those are not written to the journal
    for part in parts(place, "answers"):
        for line in lines(place, part, {f"row.{name}" for name in names}):
            row = line.get("row") if line else None
            if isinstance(row, dict):
                answers += 1
                sent.update(name for name, value in row.items() if value is not None)
    yield from never_sent(names, sent, answers)


def _waivers(root: Path) -> Iterator[tuple[str, str, Any]]:
    for name, table, key in _WAIVERS:
        path = root / name
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get(table, []) if path.is_file() else []
        for each in entries:
            what = each.get(key, "")
            yield name, ", ".join(what) if isinstance(what, list) else str(what), each.get("until")


def _challengers(forge: Forge) -> Iterator[tuple[str, date]]:
    """The challenger that is live now, with the day since which it has been so without a pause."""
    since: tuple[str, date] | None = None
    for change, live in readable(forge.history(LIVE)):
        version = live.challenger.version if live.challenger else ""
        if not version:
            since = None
        elif since is None or since[0] != version:
            since = version, datetime.fromisoformat(change.at).date()
    if since:
        yield since


def _pins(root: Path) -> dict[str, tuple[str, date]]:
    """The pinned version of each direct requirement, and the day on which its line was last changed.

    Raises ValueError for a shallow clone, where git does not know the day.
    """
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise ValueError("this is a shallow clone, in which the days are unknown; type: git fetch --unshallow")
    found: dict[str, tuple[str, date]] = {}
    for path in sorted((root / "requirements").glob("*.in")):
        lock = path.with_suffix(".txt")
        if not lock.is_file():
            continue
        direct = {
            re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in path.read_text(encoding="utf-8").splitlines()
        }
        day = date.min
        for line in _git(root, "blame", "--line-porcelain", "--", str(lock.relative_to(root))).splitlines():
            if line.startswith("author-time "):
                day = datetime.fromtimestamp(int(line.split()[1]), UTC).date()
            elif (pin := _PIN.match(line)) and pin["name"].lower() in direct:
                found[pin["name"].lower()] = pin["version"], day
    return found


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout
