"""What GitHub says no to, in a sentence that names what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import requests

from forge.interface import ForgeError

#: the first that matches the path names the permission
PERMISSIONS = {
    r"pulls/\d+/merge$": "contents",
    r"issues/(\d+/comments|comments)": "pull-requests: write, and for an alert issues",
    r"pulls|issues/\d+/labels": "pull-requests",
    r"issues": "issues",
    r"statuses|commits/[^/]+/status": "statuses",
    r"actions": "actions",
    r"": "contents",
}


class RefusedError(ForgeError):
    """GitHub said no, and nothing was changed: *status* is its code, *said* its words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


#: What lets a robot through.
BYPASS = (
    "or put the robots' GitHub App on the bypass list of the rule (Settings → Rules → Rulesets; the"
    " list does not take GITHUB_TOKEN)"
)


def unknown(repository: str) -> ForgeError:
    """The error for a repository that GitHub does not show."""
    return ForgeError(
        f"GitHub knows no repository {repository}, or does not show it to this token (404);"
        " check the name, and GITHUB_TOKEN"
    )


def refusal(
    method: str, path: str, answer: requests.Response, repository: str, about: Mapping[str, Any] | None = None
) -> RefusedError:
    """The error for an *answer* that says no; *about* is what GitHub shows of the repository, if asked."""
    status, said = answer.status_code, _said(answer)
    what = f"{method} {path.partition('?')[0] or repository}"
    return RefusedError(
        _of_repository(repository, said, about or {})
        or _of_request(what, said)
        or _of_status(path, what, status, said, repository),
        status,
        said,
    )


def _of_repository(repository: str, said: str, about: Mapping[str, Any]) -> str:
    """The reason that lies with the repository as a whole, whatever was asked; "" if there is none."""
    name = str(about.get("full_name") or repository)
    if about.get("archived") or "archived" in said:
        return (
            f"{repository} is archived: nothing in it can be changed. Unarchive it (Settings → General →"
            " Unarchive this repository), or switch its workflows off"
        )
    if about.get("disabled") or re.search("access blocked|account was suspended|disabled by", said):
        return f"GitHub has disabled {repository} ({said}): its owner has to ask GitHub Support"
    if name.lower() != repository.lower():
        return f"{repository} has another name now; say github:{name}"
    return ""


#: GitHub's words -> what to do about them, whichever request it was
REASONS = (
    (
        "not permitted to create or approve pull requests",
        "{said}; switch it on in Settings → Actions → General → Allow GitHub Actions to create and approve pull requests",
    ),
    ("SAML|single sign-on|SSO", "the organisation wants this token authorised for single sign-on: {said}"),
    (
        "IP allow list|access restrictions",
        "the organisation lets neither this token nor this machine in; ask its owners: {said}",
    ),
    ("Issues are disabled", "{said}; switch them on in Settings → General → Features"),
    (
        "rule violations|[Pp]rotected branch",
        "a rule forbids {what} ({said}); leave the robots' branches out of what the rule targets, {bypass}",
    ),
    (
        "[Ww]rite access|[Pp]ush access|[Mm]ust have",
        "the account of this token may not {what} ({said}); give it write access, or use another token",
    ),
)


def _of_request(what: str, said: str) -> str:
    """The reason that GitHub's words give; "" if they give none."""
    found = next((words for pattern, words in REASONS if re.search(pattern, said)), "")
    return found.format(what=what, said=said.rstrip("."), bypass=BYPASS)


def _of_status(path: str, what: str, status: int, said: str, repository: str) -> str:
    need = f"{_permission(path)}: {'read' if what.startswith('GET') else 'write'}"
    if status == 401:
        return f"GitHub does not accept the token ({said}); set GITHUB_TOKEN to one that is valid"
    if status == 403:
        return (
            f"the token may not {what} ({said}); it needs {need}: add that to the job's permissions"
            " in the workflow, or to the token"
        )
    if status in (301, 302, 307, 308):
        return f"{repository} has another name now; say github:NEW-OWNER/NEW-NAME"
    if status == 404:
        return (
            f"GitHub found nothing for {what}; check the name {repository}, and that the token may"
            f" write (it needs {need})"
        )
    return f"GitHub refused {what} ({status}): {said}"


def _permission(path: str) -> str:
    path = path.partition("/repos/")[2].partition("/")[2].partition("/")[2] or path
    return next(name for pattern, name in PERMISSIONS.items() if re.match(pattern, path))


def _said(answer: requests.Response) -> str:
    """GitHub's message and what it adds, on one line."""
    try:
        told = answer.json()
        errors = told.get("errors") or []
        more = [
            each
            if isinstance(each, str)
            else each.get("message") or " ".join(str(each[key]) for key in ("resource", "field", "code") if key in each)
            for each in (errors if isinstance(errors, list) else [errors])
        ]
        return " ".join(": ".join([str(told["message"]), *filter(None, more)]).split())[:500]
    except (ValueError, KeyError, AttributeError, TypeError):
        return answer.reason or "no reason given"
