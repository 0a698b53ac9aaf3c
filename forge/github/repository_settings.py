"""A repository's settings on GitHub. Read-only; a setting that the token cannot see is `Unseen`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from forge.github.api_errors import RefusedError
from forge.github.codeowners import PLACES
from forge.github.rest import Rest
from forge.interface import ForgeError

#: The environment whose secrets the workflows use.
ENVIRONMENT = "automation"

T = TypeVar("T")


@dataclass(frozen=True)
class Unseen:
    """A setting that this token cannot see, with GitHub's message."""

    why: str


@dataclass(frozen=True)
class Settings:
    """Rules of the *default* branch, owners, environment and names of secrets.

    *rules* are those in force, *rulesets* their sources by id; *branch* and *protection* belong to classic branch
    protection. A missing setting is None, one that the token cannot see `Unseen`. *files* are all paths on the
    default branch.
    """

    default: str
    rules: list[Any] | Unseen
    rulesets: dict[int, Any]
    branch: Any
    protection: Any
    files: list[str] | Unseen
    owners: str | None
    mistakes: list[Any] | Unseen
    environment: Any
    branches: list[str] | Unseen
    secrets: list[str] | Unseen
    shared: list[str] | Unseen


def read_settings(rest: Rest) -> Settings:
    """Read all settings from GitHub."""
    default = rest.default_branch()
    rules = _seen(lambda: list(rest.pages(f"rules/branches/{default}")))
    branch = _seen(lambda: rest.get(f"branches/{default}"))
    numbers = {rule["ruleset_id"] for rule in _known(rules) if "ruleset_id" in rule}
    where = f"environments/{ENVIRONMENT}"
    return Settings(
        default,
        rules,
        {n: _seen(lambda n=n: rest.get(f"rulesets/{n}")) for n in sorted(numbers)},  # type: ignore[misc]
        branch,
        _seen(lambda: _protection(rest, default)),
        _seen(lambda: _files(rest, branch)),
        next(filter(None, (rest.text(f"contents/{place}") for place in PLACES)), None),
        _seen(lambda: _listed(rest, "codeowners/errors", "errors")),
        _seen(lambda: rest.get(where)),
        _seen(lambda: _names(rest, f"{where}/deployment-branch-policies", "branch_policies")),
        _seen(lambda: _names(rest, "actions/secrets", "secrets")),
        [] if _is_persons(rest) else _seen(lambda: _names(rest, "actions/organization-secrets", "secrets")),
    )


def _is_persons(rest: Rest) -> bool:
    """Whether a person owns it: only an organisation has secrets for its repositories."""
    return ((rest.get("") or {}).get("owner") or {}).get("type") == "User"


def _seen(ask: Callable[[], T]) -> T | Unseen:
    try:
        return ask()
    except RefusedError as refused:
        if refused.status not in (401, 403, 404):
            raise
        return Unseen(refused.message)


def _known(items: list[Any] | Unseen) -> list[Any]:
    return [] if isinstance(items, Unseen) else items


def _protection(rest: Rest, default: str) -> Any:
    """The setting; None if there is none. GitHub's answer is the same for a token without access."""
    return rest.get(f"branches/{default}/protection")


def _listed(rest: Rest, path: str, name: str) -> list[Any]:
    found = rest.get(path, per_page=100)
    if found is None:  # missing, or not visible to this token
        raise RefusedError(f"GitHub shows no {path}", 404, "Not Found")
    return list(found[name])


def _names(rest: Rest, path: str, name: str) -> list[str]:
    return [str(each["name"]) for each in _listed(rest, path, name)]


def _files(rest: Rest, branch: Any) -> list[str]:
    if isinstance(branch, Unseen) or branch is None:
        raise RefusedError("GitHub shows no branch", 404, "Not Found")
    found = rest.get(f"git/trees/{branch['commit']['sha']}", recursive=1)
    if found is None or found.get("truncated"):
        raise ForgeError("GitHub does not list every file of the default branch")
    return [each["path"] for each in found["tree"] if each["type"] == "blob"]
