"""What GitHub says no to, in a sentence that names what to do."""

from __future__ import annotations

import re

import requests

from forge import ForgeError

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


def refusal(method: str, path: str, answer: requests.Response, repository: str) -> RefusedError:
    """The error for an *answer* that says no."""
    status, said = answer.status_code, _said(answer)
    what = f"{method} {path.partition('?')[0] or repository}"
    if status == 401:
        why = f"GitHub does not accept the token ({said}); set GITHUB_TOKEN to one that is valid"
    elif status == 403 and "not permitted to create or approve pull requests" in said:
        why = (
            f"{said.rstrip('.')}; switch it on in Settings → Actions → General → Allow GitHub Actions"
            " to create and approve pull requests"
        )
    elif status == 403:
        need = f"{_permission(path)}: {'read' if method == 'GET' else 'write'}"
        why = (
            f"the token may not {what} ({said}); it needs {need}: add that to the job's permissions"
            " in the workflow, or to the token"
        )
    elif status in (301, 302, 307, 308):
        why = f"{repository} has another name now; say github:NEW-OWNER/NEW-NAME"
    elif status == 404:
        why = (
            f"GitHub found nothing for {what}; check the name {repository}, and that the token may"
            f" write (it needs {_permission(path)}: write)"
        )
    else:
        why = f"GitHub refused {what} ({status}): {said}"
    return RefusedError(why, status, said)


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
            else each.get("message")
            or " ".join(str(each[key]) for key in ("resource", "field", "code") if key in each)
            for each in (errors if isinstance(errors, list) else [errors])
        ]
        return " ".join(": ".join([str(told["message"]), *filter(None, more)]).split())[:500]
    except (ValueError, KeyError, AttributeError, TypeError):
        return answer.reason or "no reason given"
