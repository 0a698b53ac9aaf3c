"""Guard rails on GitHub: settings -> findings, each with the step to take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from contracts.live_config import LIVE
from forge.github.codeowners import owners_of, read_owners, unowned
from forge.github.repository_settings import ENVIRONMENT, Settings, Unseen

#: GitHub Actions' id, as the source of a check or a status.
ACTIONS = 15368
GATE = "gate"
#: The folders whose changes need an owner's review, because they judge everything else.
GUARDED = (".github/", "checks/", "contracts/", "provenance/", "requirements/")
#: The secrets that the workflows use.
SECRETS = {"APP_PRIVATE_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TIDEGATE_WATCH_TOKEN"}
SECRETS |= {"TIDEGATE_SIGNING_KEY"}
IMPORT = (
    "Settings → Rules → Rulesets → New ruleset → Import a ruleset: .github/rulesets/with-app.json if the"
    " robots have a GitHub App, or else without-app.json"
)
_ADMIN = "run it with the token of an administrator: GITHUB_TOKEN=$(gh auth token)"


@dataclass(frozen=True)
class Finding:
    """One guard rail. *step* is how to set it, or why it could not be checked."""

    what: str
    state: Literal["set", "not set", "not checked"]
    step: str = ""


def findings(settings: Settings) -> list[Finding]:
    """All guard rails, set or not."""
    return [
        _pull_request(settings),
        _gate(settings),
        _history(settings),
        _bypass(settings),
        _robots(settings),
        *_owners(settings),
        _review(settings),
        *_secrets(settings),
    ]


def _pull_request(settings: Settings) -> Finding:
    what = f"{settings.default} changes only through pull requests"
    if _of(settings, "pull_request") or _classic(settings, "required_pull_request_reviews"):
        return Finding(what, "set")
    return _missing(settings, what, IMPORT)


def _gate(settings: Settings) -> Finding:
    what = f"the check `{GATE}` is required, from GitHub Actions"
    rules = _of(settings, "required_status_checks")
    checks = [each for rule in rules for each in rule["parameters"]["required_status_checks"]]
    sources = [each.get("integration_id") for each in checks if each["context"] == GATE]
    branch = settings.branch if isinstance(settings.branch, dict) else {}
    older = (branch.get("protection") or {}).get("required_status_checks") or {}
    sources += [each.get("app_id") for each in older.get("checks") or () if each["context"] == GATE]
    if ACTIONS in sources:
        return Finding(what, "set")
    others = [each for each in sources if each and each > 0]
    if others:
        why = f"its source is the App with the id {others[0]}: check that it is yours and reports on every pull request"
        return Finding(what, "not checked", why)
    if sources or GATE in (older.get("contexts") or ()):
        step = "it is accepted from any source, so anybody with write access can post it: choose GitHub Actions as its source in the rule"
        return Finding(what, "not set", step)
    return _missing(settings, what, IMPORT)


def _history(settings: Settings) -> Finding:
    what = f"{settings.default} cannot be deleted or force-pushed"
    older = settings.protection if isinstance(settings.protection, dict) else {}
    closed = [
        bool(_of(settings, rule)) or (bool(older) and not (older.get(name) or {}).get("enabled", False))
        for rule, name in (("deletion", "allow_deletions"), ("non_fast_forward", "allow_force_pushes"))
    ]
    return Finding(what, "set") if all(closed) else _missing(settings, what, IMPORT)


def _bypass(settings: Settings) -> Finding:
    what = "only the robots' App may bypass the rules; others only in pull requests"
    if not settings.rulesets:
        admins = _classic(settings, "enforce_admins") or {}
        return Finding(what, "set") if admins.get("enabled") else _missing(settings, what, IMPORT)
    actors = _actors(settings)
    if isinstance(actors, Unseen):
        return Finding(what, "not checked", f"{actors.why}; {_ADMIN}")
    free = [each for each in actors if each["actor_type"] != "Integration" and each["bypass_mode"] != "pull_request"]
    if free:
        kinds = ", ".join(sorted({each["actor_type"] for each in free}))
        return Finding(what, "not set", f"{kinds} may push past the rules: let them bypass `For pull requests only`")
    return Finding(what, "set")


def _robots(settings: Settings) -> Finding:
    """Robots merge pull requests with a good status, without a review."""
    what = "robots land and roll back without waiting for a person"
    held = [
        text
        for rule, text in (
            ("merge_queue", "a merge queue"),
            ("update", "a restriction of updates"),
            ("required_signatures", "signed commits"),
            ("required_deployments", "a deployment"),
        )
        if _of(settings, rule)
    ]
    if _approvals(settings):
        held.insert(0, "an approval")
    if not held:
        return Finding(what, "set") if not _blind(settings) else _missing(settings, what, "")
    actors = _actors(settings)
    if isinstance(actors, Unseen):
        return Finding(
            what, "not checked", f"{' and '.join(held)} is required, and the bypass list is not shown: {_ADMIN}"
        )
    if any(each["actor_type"] == "Integration" for each in actors):
        return Finding(what, "set")
    return Finding(
        what,
        "not set",
        f"{' and '.join(held)} is required: put the robots' App on the bypass list, or each landing and rollback waits for a person",
    )


def _owners(settings: Settings) -> Iterator[Finding]:
    what = f"CODEOWNERS names owners of {', '.join('/' + each for each in GUARDED)}"
    if settings.owners is None:
        yield Finding(what, "not set", "there is no .github/CODEOWNERS: write one with your teams")
        return
    lines = read_owners(settings.owners)
    if isinstance(settings.files, Unseen):
        yield Finding(what, "not checked", f"{settings.files.why}; {_ADMIN}")
    else:
        open_ = unowned((f for f in settings.files if f.startswith(GUARDED)), lines)
        step = f"{_few(open_)} has no owner (@your-org is a placeholder): put your teams into .github/CODEOWNERS"
        yield Finding(what, "not set", step) if open_ else Finding(what, "set")
    what = "GitHub knows every owner, with write access"
    if isinstance(settings.mistakes, Unseen):
        yield Finding(what, "not checked", f"{settings.mistakes.why}; {_ADMIN}")
    else:
        wrong = [f"line {each['line']}: {each['kind']}" for each in settings.mistakes]
        yield (
            Finding(what, "not set", f"{_few(wrong)} of CODEOWNERS: the page of that file on GitHub shows more")
            if wrong
            else Finding(what, "set")
        )
    what = f"{LIVE} has no owner"
    mine = owners_of(LIVE, lines)
    yield (
        Finding(
            what,
            "not set",
            f"{', '.join(mine)} would have to review each landing: end CODEOWNERS with the line `/{LIVE}`",
        )
        if mine
        else Finding(what, "set")
    )


def _review(settings: Settings) -> Finding:
    what = f"a change of {', '.join('/' + each for each in GUARDED)} needs an owner's review"
    for rule in _of(settings, "pull_request"):
        parameters = rule["parameters"]
        if parameters.get("require_code_owner_review") and parameters.get("required_approving_review_count"):
            return Finding(what, "set")
        covered = {
            pattern
            for each in parameters.get("required_reviewers") or ()
            if each.get("minimum_approvals")
            for pattern in each.get("file_patterns") or ()
        }
        if all({"*", "**", "**/*", f"{g}**", f"{g}**/*", f"/{g}**"} & covered for g in GUARDED):
            return Finding(what, "set")
    older = _classic(settings, "required_pull_request_reviews")
    if older and older.get("require_code_owner_reviews") and older.get("required_approving_review_count"):
        return Finding(what, "set")
    inert = any(rule["parameters"].get("require_code_owner_review") for rule in _of(settings, "pull_request"))
    step = ("GitHub waits for code owners only where at least one approval is required: " if inert else "") + (
        "with an App on the bypass list, require one approval and `Review from Code Owners`"
        " (.github/rulesets/with-app.json); in an organisation, without one, `Require review from specific"
        " teams` for these folders"
    )
    return _missing(settings, what, step)


def _secrets(settings: Settings) -> Iterator[Finding]:
    what = f"the environment `{ENVIRONMENT}` is limited to {settings.default}"
    found = settings.environment
    step = (
        f"Settings → Environments → {ENVIRONMENT} → Deployment branches and tags → Selected: {settings.default} alone"
    )
    if isinstance(found, Unseen):
        yield Finding(what, "not checked", f"{found.why}; {_ADMIN}")
    elif found is None:
        yield Finding(what, "not set", f"there is none yet: {step}")
    else:
        policy = found.get("deployment_branch_policy") or {}
        if not policy.get("custom_branch_policies"):
            yield Finding(what, "not set", step)
        elif isinstance(settings.branches, Unseen):
            yield Finding(what, "not checked", f"{settings.branches.why}; {_ADMIN}")
        else:
            only = settings.branches == [settings.default]
            yield (
                Finding(what, "set")
                if only
                else Finding(what, "not set", f"it also allows {_few(settings.branches)}. {step}")
            )
        waits = [each["type"] for each in found.get("protection_rules") or () if each["type"] != "branch_policy"]
        if waits:
            yield Finding(
                "no job waits for a person or a timer",
                "not set",
                f"{_few(waits)} of the environment `{ENVIRONMENT}` would delay a rollback: remove it",
            )
    for names, where in ((settings.secrets, "repository"), (settings.shared, "organisation")):
        what = f"no secret of the workflows belongs to the whole {where}"
        if isinstance(names, Unseen):
            yield Finding(what, "not checked", f"{names.why}; {_ADMIN}")
        else:
            exposed = sorted(SECRETS & set(names))
            yield (
                Finding(
                    what,
                    "not set",
                    f"any branch can read {_few(exposed)}: move it to the environment `{ENVIRONMENT}`, and delete it there",
                )
                if exposed
                else Finding(what, "set")
            )


def _of(settings: Settings, kind: str) -> list[Any]:
    rules = [] if isinstance(settings.rules, Unseen) else settings.rules
    return [rule for rule in rules if rule["type"] == kind]


def _classic(settings: Settings, name: str) -> Any:
    older = settings.protection
    return older.get(name) if isinstance(older, dict) else None


def _approvals(settings: Settings) -> bool:
    older = _classic(settings, "required_pull_request_reviews") or {}
    parameters = [rule["parameters"] for rule in _of(settings, "pull_request")] + [older]
    return any(each.get("required_approving_review_count") for each in parameters)


def _actors(settings: Settings) -> list[Any] | Unseen:
    """Who may bypass the rules; GitHub shows it only to those who may change a ruleset."""
    found: list[Any] = []
    if isinstance(settings.rules, Unseen):
        return settings.rules
    for ruleset in settings.rulesets.values():
        if not isinstance(ruleset, dict) or "bypass_actors" not in ruleset:
            return Unseen("the bypass list is shown to administrators only")
        found += ruleset["bypass_actors"]
    return found


def _blind(settings: Settings) -> bool:
    """Whether there may be rules that this token cannot see: classic branch protection is shown to administrators only."""
    if isinstance(settings.rules, Unseen) or not isinstance(settings.branch, dict):
        return True
    older = settings.branch.get("protection") or {}
    guarded = older.get("enabled", settings.branch.get("protected") and not settings.rulesets)
    return bool(guarded) and not isinstance(settings.protection, dict)


def _missing(settings: Settings, what: str, step: str) -> Finding:
    if _blind(settings):
        return Finding(what, "not checked", f"this token cannot see every rule: {_ADMIN}")
    return Finding(what, "not set", step)


def _few(names: Iterable[str]) -> str:
    first, *rest = [*names] or [""]
    more = f" and {len(rest) - 2} more" if len(rest) > 2 else ""
    return ", ".join([first, *rest[:2]]) + more
