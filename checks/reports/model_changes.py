"""Which model was judged and which is served, and what differs from the champion: version, window, features, build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reporting.markdown import table_row, text

_COMMIT = re.compile(r"([0-9a-f]{12})[0-9a-f]{28}(-dirty)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)\S*")


def model_changes(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> str:
    """A table of two manifests with a row for each difference, and a line with what is equal."""
    ours, theirs = _facts(candidate), _facts(champion or {})
    if champion is None:
        rows = [(name, text(", ".join(sorted(x)) if isinstance(x, set) else x)) for name, x in ours.items()]
        return "\n".join(["| The first model | |", "|---|---|", *map(table_row, rows)])
    equal = []
    lines = ["| | candidate | champion |", "|---|---|---|"]
    for name, here in ours.items():
        there = theirs[name]
        if here == there and not str(here).endswith("-dirty"):  # uncommitted changes may differ
            equal.append(name)
        elif isinstance(here, set) and isinstance(there, set):
            lines.append(table_row([name, _only(here - there), _only(there - here)]))
        else:
            lines.append(table_row([name, text(here), text(there)]))
    if len(equal) == len(ours):
        lines = ["Nothing changed."]
    if equal:
        lines += ["", f"The same in both: {', '.join(equal)}."]
    return "\n".join(lines)


def served_model(manifest: Mapping[str, Any]) -> str:
    """Which model of a bundle was judged on the holdout, and which is served: a line."""

    def at(*path: str) -> str:
        return text(_short(_at(manifest, *path)))

    trained = f"trained on {at('data', 'train', 'rows')} rows up to {at('data', 'train', 'end')}"
    judged = f"{trained}, evaluated on {at('data', 'holdout', 'rows')} later rows"
    if "release" not in manifest:
        return f"**Served**: the model that was judged; it was {judged}."
    return (
        f"**Judged**: the evaluation model, {judged}. **Served**: the release model,"
        f" the same estimator trained on all {at('release', 'rows')} rows up to {at('release', 'end')}."
    )


def changed_names(candidate: Mapping[str, Any], champion: Mapping[str, Any]) -> list[str]:
    """The names of what differs."""
    ours, theirs = _facts(candidate), _facts(champion)
    return [name for name, here in ours.items() if here != theirs[name] or str(here).endswith("-dirty")]


def _facts(manifest: Mapping[str, Any]) -> dict[str, str | set[str]]:
    start, end = (_short(_at(manifest, "data", "train", each)) for each in ("start", "end"))
    features = _at(manifest, "contract", "features") or []
    libraries = dict(_at(manifest, "build", "libraries") or {})
    python = _at(manifest, "build", "python")
    return {
        "version": str(_at(manifest, "version")),
        "training window": f"{start} to {end}",
        "served model trained until": _short(_at(manifest, "release", "end") or _at(manifest, "data", "train", "end")),
        "training rows": _short(_at(manifest, "data", "train", "rows")),
        "features": {f"{each.get('name')} ({each.get('kind')})" for each in features},
        "recipe": _short(_at(manifest, "recipe", "sha256")),
        "commit": _short(_at(manifest, "build", "commit")),
        "libraries": {
            f"{name} {version}" for name, version in (libraries | ({"Python": python} if python else {})).items()
        },
    }


def _only(values: set[str]) -> str:
    return f"only here: {text(', '.join(sorted(values)))}" if values else "no others"


def _at(manifest: Mapping[str, Any], *path: str) -> Any:
    value: Any = manifest
    for key in path:
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    return value


def _short(value: Any) -> str:
    """A number with commas, the beginning of a digest or commit, a time to the minute."""
    if isinstance(value, int):
        return f"{value:,}"
    string = str(value)
    if string.startswith("sha256:"):
        return string[7:19]
    string = _COMMIT.sub(lambda commit: commit[1] + (commit[2] or ""), string)
    return _TIME.sub(r"\1 \2", string)
