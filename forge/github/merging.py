"""The merge of a pull request: what is waited for, and what a person has to do.

GitHub refuses a merge for reasons that pass (a required check runs, the base has just moved) and for
rules that no waiting cures (a review, a merge queue, signatures). `obstacle` tells them apart by
GitHub's words and by the pull request's state; `squash` waits for the first kind only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forge.github.api_errors import BYPASS, RefusedError
from forge.github.rest import Rest
from forge.interface import ForgeError

#: Between the tries to merge, in seconds: for what settles at once, and for checks, ten minutes.
MERGE_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, *(30.0,) * 19)
#: So many of these pauses are made for a reason that is not known here.
BRIEFLY = 5


@dataclass(frozen=True)
class Obstacle:
    """Why a pull request is not merged.

    *cure* is what a person can do. *pauses* is how many of `MERGE_PAUSES` are waited for it; 0 if no
    waiting cures it.
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
_CHANGED = "its branch has changed meanwhile: judge it again"
_UNMET = f"a rule of the default branch is not met: {_APPROVE}; {BYPASS}"
_FAILED = "see why the check failed, run it again, and merge pull request {number}: that is enough"
_RUNS = (
    "merge pull request {number} when its checks are green: that is enough. A check that waits for a"
    " click on `Approve workflows to run` begins with that click"
)
#: GitHub's words -> the cure; the first that matches counts. Names of checks were taken out.
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
        f"deploy the branch of pull request {{number}} to where the rule wants it, and merge it: that is enough; {BYPASS}",
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
        f"merge pull request {{number}} by hand, with the words that the rule wants: that is enough; {BYPASS}",
    ),
    (r"(check|scanning|quality|workflow).*(fail|error|cancel|timed out|action required)", _FAILED),
)
_CHECKS = re.compile(r"status checks?\b|scanning|code quality|required workflow", re.IGNORECASE)
_PASSING = re.compile(r"base branch was modified|already in progress|try (the merge )?again", re.IGNORECASE)
#: what a pull request's `mergeable_state` says -> the cure
_STATES = {"dirty": _CONFLICT, "behind": _BEHIND, "draft": _DRAFT, "blocked": _UNMET}


def obstacle(said: str, pull: Mapping[str, Any], head: str) -> Obstacle:
    """What keeps the *pull* request, whose commit *head* was to be merged, by the words GitHub *said*.

    A rule that no waiting cures counts before a check that still runs: both may be said at once.
    """
    words = re.sub(r'"[^"]*"', '""', said)
    if pull.get("state") == "closed":
        found = Obstacle("it was closed meanwhile: propose again")
    elif (pull.get("head") or {}).get("sha", head) != head:
        found = Obstacle(_CHANGED)
    else:
        found = _by_rule(words) or _by_state(words, pull)
    return Obstacle(found.cure.replace("{number}", str(pull.get("number", ""))), found.pauses)


def _by_rule(words: str) -> Obstacle | None:
    for pattern, cure in _RULES:
        if re.search(pattern, words, re.IGNORECASE):
            return Obstacle(cure)
    return Obstacle(_RUNS, len(MERGE_PAUSES)) if _CHECKS.search(words) else None


def _by_state(words: str, pull: Mapping[str, Any]) -> Obstacle:
    state, mergeable = pull.get("mergeable_state"), pull.get("mergeable", True)
    if "Head branch was modified" in words:
        return Obstacle(_CHANGED, BRIEFLY)  # or GitHub has not seen our own push yet
    if pull.get("draft"):
        return Obstacle(_DRAFT)
    if mergeable is None or state == "unknown" or _PASSING.search(words):
        return Obstacle("", len(MERGE_PAUSES))  # GitHub is still finding out
    if mergeable is False or state in _STATES:
        return Obstacle(_STATES.get(state or "", _CONFLICT))
    return Obstacle("", BRIEFLY)


def squash(rest: Rest, pull: Mapping[str, Any], how: Mapping[str, Any], name: str) -> str:
    """Merge *pull* as one commit, and return it; raises `ForgeError` with what is missing.

    *how* is the body of the request. A merge by a person that came first is as good.
    """
    path, tries = f"pulls/{pull['number']}", 0
    while True:
        try:
            return str(rest.write("PUT", f"{path}/merge", how)["sha"])
        except RefusedError as refused:
            now = dict(pull) | (rest.get(path) or {})
            if now.get("merged"):
                return str(now["merge_commit_sha"])
            found = obstacle(refused.said, now, how["sha"])
            if refused.status not in (405, 409) and not ("rule" in refused.said and found.cure):
                raise
            if tries >= found.pauses:
                minutes = round(sum(MERGE_PAUSES[:tries]) / 60)
                waited = f" after {minutes} minutes" if minutes > 1 else ""
                why = "; ".join(filter(None, (refused.said.rstrip("."), found.cure)))
                raise ForgeError(f"GitHub does not merge {name}{waited}: {why}. See {pull['html_url']}") from refused
            rest.sleep(MERGE_PAUSES[tries])
            tries += 1
