"""Merging a pull request: waiting for temporary obstacles, and what a person has to do about others.

GitHub refuses a merge for temporary reasons (a required check is running, the base has just moved) and for rules that
need a person (a review, a merge queue, signatures). `obstacle` distinguishes them by GitHub's message and the pull
request's state; `squash` waits for the first kind only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forge.github.api_errors import BYPASS, RefusedError
from forge.github.rest import Rest
from forge.interface import ForgeError

#: Pauses between attempts to merge, in seconds: short ones first, ten minutes in all for checks.
MERGE_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, *(30.0,) * 19)
#: How many of these pauses are made for an unknown reason.
PAUSES_WITHOUT_REASON = 5


@dataclass(frozen=True)
class Obstacle:
    """Why a pull request is not merged.

    *cure* is what a person can do. *pauses* is how many of `MERGE_PAUSES` to wait; 0 if waiting does not help.
    """

    cure: str
    pauses: int = 0


_APPROVE = "approve and merge pull request {number}: that is enough"
_BEHIND = (
    "press `Update branch` in pull request {number} and merge it when its checks are green, or switch off"
    " `Require branches to be up to date` in the rule"
)
_DRAFT = "press `Ready for review` in pull request {number} and merge it: that is enough"
_CONFLICT = "it conflicts with the default branch: close pull request {number}, and the next run proposes again"
_CHANGED = "its branch has changed meanwhile: run the gate again"
_UNMET = f"a rule of the default branch is not met: {_APPROVE}; {BYPASS}"
_FAILED = "see why the check failed, run it again, and merge pull request {number}: that is enough"
_RUNS = (
    "merge pull request {number} when its checks are green: that is enough. A check may wait for a"
    " click on `Approve workflows to run`"
)
#: pattern of GitHub's message, without names of checks -> the cure; the first match counts
_RULES = (
    (r"expected (github )?(app|source)", "a rule takes this check from another source: python -m forge doctor"),
    (
        r"requested changes|changes (were |are )?requested",
        f"settle the changes that a reviewer requested, then {_APPROVE}",
    ),
    (
        r"approv|code ?owner|\breview(er)?s? (is |are )?required|review from|(required|pending) review",
        f"{_APPROVE}; {BYPASS}",
    ),
    (
        r"merge queue|already (queued|in the queue)",
        f"press `Merge when ready` in pull request {{number}}, for the merge queue: that is enough; {BYPASS}",
    ),
    (
        r"signature|\b(un)?signed",
        f"merge pull request {{number}} in the browser, where GitHub signs the commit: that is enough; {BYPASS}",
    ),
    (
        r"(squash|merge|rebase).*(not allowed|not permitted|disabled)|allowed merge method|linear|merge commits",
        "allow squash merging (Settings → General → Pull Requests, and the merge methods of the rule), or merge pull request {number} by hand: that is enough",
    ),
    (r"conversation|thread", "resolve the conversations of pull request {number} and merge it: that is enough"),
    (
        r"deploy",
        f"deploy the branch of pull request {{number}} to the environment of the rule, and merge it: that is enough; {BYPASS}",
    ),
    (
        r"\block",
        "unlock the default branch (Settings → Branches, or Rules), then merge pull request {number}: that is enough",
    ),
    (r"draft", _DRAFT),
    (
        r"protected ref|not authori[sz]ed|restrict|cannot (update|create|push)",
        f"let a person that the rule allows merge pull request {{number}}: that is enough; {BYPASS}",
    ),
    (r"out of date|not up to date|behind", _BEHIND),
    (
        r"must (not )?(match|start|end|contain)|pattern",
        f"merge pull request {{number}} by hand, with the message that the rule requires: that is enough; {BYPASS}",
    ),
    (r"(check|scanning|quality|workflow).*(fail|error|cancel|timed out|action required)", _FAILED),
)
_CHECKS = re.compile(r"status checks?\b|scanning|code quality|required workflow", re.IGNORECASE)
_PASSING = re.compile(r"base branch was modified|already in progress|try (the merge )?again", re.IGNORECASE)
#: what a pull request's `mergeable_state` says -> the cure
_STATES = {"dirty": _CONFLICT, "behind": _BEHIND, "draft": _DRAFT, "blocked": _UNMET}


def obstacle(message: str, pull: Mapping[str, Any], head: str) -> Obstacle:
    """Why the *pull* request with the commit *head* was not merged, by GitHub's *message*.

    A rule that needs a person takes precedence over a check that still runs; GitHub may name both.
    """
    text = re.sub(r'"[^"]*"', '""', message)
    if pull.get("state") == "closed":
        found = Obstacle("it was closed meanwhile: propose again")
    elif (pull.get("head") or {}).get("sha", head) != head:
        found = Obstacle(_CHANGED)
    else:
        found = _by_rule(text) or _by_state(text, pull)
    return Obstacle(found.cure.replace("{number}", str(pull.get("number", ""))), found.pauses)


def _by_rule(text: str) -> Obstacle | None:
    for pattern, cure in _RULES:
        if re.search(pattern, text, re.IGNORECASE):
            return Obstacle(cure)
    return Obstacle(_RUNS, len(MERGE_PAUSES)) if _CHECKS.search(text) else None


def _by_state(text: str, pull: Mapping[str, Any]) -> Obstacle:
    state, mergeable = pull.get("mergeable_state"), pull.get("mergeable", True)
    if "Head branch was modified" in text:
        return Obstacle(_CHANGED, PAUSES_WITHOUT_REASON)  # or GitHub has not processed our push yet
    if pull.get("draft"):
        return Obstacle(_DRAFT)
    if mergeable is None or state == "unknown" or _PASSING.search(text):
        return Obstacle("", len(MERGE_PAUSES))  # GitHub has not computed it yet
    if mergeable is False or state in _STATES:
        return Obstacle(_STATES.get(state or "", _CONFLICT))
    return Obstacle("", PAUSES_WITHOUT_REASON)


def squash(rest: Rest, pull: Mapping[str, Any], how: Mapping[str, Any], name: str) -> str:
    """Squash-merge *pull*; returns the commit. Raises `ForgeError` with what is missing.

    *how* is the body of the request. A merge by a person in the meantime counts.
    """
    path, tries = f"pulls/{pull['number']}", 0
    while True:
        try:
            return str(rest.write("PUT", f"{path}/merge", how)["sha"])
        except RefusedError as refused:
            now = dict(pull) | (rest.get(path) or {})
            if now.get("merged"):
                return str(now["merge_commit_sha"])
            found = obstacle(refused.message, now, how["sha"])
            if refused.status not in (405, 409) and not ("rule" in refused.message and found.cure):
                raise
            if tries >= found.pauses:
                minutes = round(sum(MERGE_PAUSES[:tries]) / 60)
                waited = f" after {minutes} minutes" if minutes > 1 else ""
                why = "; ".join(filter(None, (refused.message.rstrip("."), found.cure)))
                raise ForgeError(f"GitHub does not merge {name}{waited}: {why}. See {pull['html_url']}") from refused
            rest.sleep(MERGE_PAUSES[tries])
            tries += 1
