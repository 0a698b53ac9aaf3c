"""Errors of GitHub's API as sentences that say what to do."""

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
    """GitHub refused a request, and nothing was changed. *status* is the HTTP status, *message* GitHub's text."""

    def __init__(self, text: str, status: int, message: str) -> None:
        super().__init__(text)
        self.status, self.message = status, message


#: How to let a robot merge despite a rule.
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
    """The error for an *answer* that is a refusal; *about* is what GitHub shows of the repository, if read."""
    status, message = answer.status_code, _message(answer)
    what = f"{method} {path.partition('?')[0] or repository}"
    return RefusedError(
        _of_repository(repository, message, about or {})
        or _of_request(what, message)
        or _of_status(path, what, status, message, repository),
        status,
        message,
    )


def _of_repository(repository: str, message: str, about: Mapping[str, Any]) -> str:
    """A reason that concerns the whole repository; "" if there is none."""
    name = str(about.get("full_name") or repository)
    if about.get("archived") or "archived" in message:
        return (
            f"{repository} is archived: nothing in it can be changed. Unarchive it (Settings → General →"
            " Unarchive this repository), or switch its workflows off"
        )
    if about.get("disabled") or re.search("access blocked|account was suspended|disabled by", message):
        return f"GitHub has disabled {repository} ({message}): its owner has to ask GitHub Support"
    if name.lower() != repository.lower():
        return f"{repository} was renamed; use github:{name}"
    return ""


#: pattern of GitHub's message -> what to do, for any request
REASONS = (
    (
        "not permitted to create or approve pull requests",
        "{message}; switch it on in Settings → Actions → General → Allow GitHub Actions to create and approve pull requests",
    ),
    ("SAML|single sign-on|SSO", "authorise this token for the organisation's single sign-on: {message}"),
    (
        "IP allow list|access restrictions",
        "the organisation does not allow access from this machine or with this token; ask its owners: {message}",
    ),
    ("Issues are disabled", "{message}; switch them on in Settings → General → Features"),
    (
        "rule violations|[Pp]rotected branch",
        "a rule forbids {what} ({message}); leave the robots' branches out of what the rule targets, {bypass}",
    ),
    (
        "[Ww]rite access|[Pp]ush access|[Mm]ust have",
        "the account of this token may not {what} ({message}); give it write access, or use another token",
    ),
)


def _of_request(what: str, message: str) -> str:
    """The reason by GitHub's message; "" if the message is not known."""
    found = next((text for pattern, text in REASONS if re.search(pattern, message)), "")
    return found.format(what=what, message=message.rstrip("."), bypass=BYPASS)


def _of_status(path: str, what: str, status: int, message: str, repository: str) -> str:
    need = f"{_permission(path)}: {'read' if what.startswith('GET') else 'write'}"
    if status == 401:
        return f"GitHub does not accept the token ({message}); set GITHUB_TOKEN to one that is valid"
    if status == 403:
        return (
            f"the token may not {what} ({message}); it needs {need}: add that to the job's permissions"
            " in the workflow, or to the token"
        )
    if status in (301, 302, 307, 308):
        return f"{repository} was renamed; use github:NEW-OWNER/NEW-NAME"
    if status == 404:
        return (
            f"GitHub returned 404 for {what}; check the name {repository}, and that the token may"
            f" write (it needs {need})"
        )
    return f"GitHub refused {what} ({status}): {message}"


def _permission(path: str) -> str:
    path = path.partition("/repos/")[2].partition("/")[2].partition("/")[2] or path
    return next(name for pattern, name in PERMISSIONS.items() if re.match(pattern, path))


def _message(answer: requests.Response) -> str:
    """GitHub's message and what it adds, on one line."""
    try:
        payload = answer.json()
        errors = payload.get("errors") or []
        more = [
            each
            if isinstance(each, str)
            else each.get("message") or " ".join(str(each[key]) for key in ("resource", "field", "code") if key in each)
            for each in (errors if isinstance(errors, list) else [errors])
        ]
        return " ".join(": ".join([str(payload["message"]), *filter(None, more)]).split())[:500]
    except (ValueError, KeyError, AttributeError, TypeError):
        return answer.reason or "no reason given"
