"""What of the guard rails on GitHub is not set; what cannot be seen is no pass, and nothing is written."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from contracts.live_config import LIVE, Live
from forge.__main__ import main
from forge.github.codeowners import owners_of, read_owners, unowned
from forge.github.doctor import NOT_CHECKED, NOT_SET, SET
from tests.forge.conftest import on_github
from tests.forge.fake_github import NAME, FakeGitHub
from tests.forge.fake_server import serve

ROOT = Path(__file__).parents[2]
OWNERS = (ROOT / ".github/CODEOWNERS").read_text()
PATHS = [".github/workflows/gate.yml", "checks/thresholds.toml", "requirements/work.txt", LIVE, "README.md"]


def rules_of(name):
    """What is in force once the ruleset file *name* is imported, and the ruleset."""
    ruleset = json.loads((ROOT / f".github/rulesets/{name}.json").read_text())
    return [rule | {"ruleset_id": 7, "ruleset_source_type": "Repository"} for rule in ruleset["rules"]], ruleset


def all_set():
    """The settings of a repository whose owner did everything."""
    rules, ruleset = rules_of("with-app")
    app = {"actor_id": 99, "actor_type": "Integration", "bypass_mode": "pull_request"}
    return {
        "rules/branches/trunk": rules,
        "rulesets/7": ruleset | {"bypass_actors": [app]},
        "branches/trunk": {"protected": True, "protection": {"enabled": False}, "commit": {"sha": "f" * 40}},
        "branches/trunk/protection": 404,
        f"git/trees/{'f' * 40}": {"truncated": False, "tree": [{"path": p, "type": "blob"} for p in PATHS]},
        "codeowners/errors": {"errors": []},
        "environments/automation": {
            "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
            "protection_rules": [{"type": "branch_policy"}],
        },
        "environments/automation/deployment-branch-policies": {"branch_policies": [{"name": "trunk"}]},
        "actions/secrets": {"total_count": 0, "secrets": []},
        "actions/organization-secrets": {"total_count": 0, "secrets": []},
    }


@pytest.fixture
def fake():
    owners = OWNERS.replace("@your-org/", "@acme/")
    fake = FakeGitHub({LIVE: Live().to_toml(), ".github/CODEOWNERS": owners}, default="trunk")
    fake.settings = all_set()
    server = serve(fake)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(fake, capsys):
    """Type the command; returns its exit code, and what it says of what is not set."""

    def ask():
        code = main(["doctor", "--settings", "--forge", f"github:{NAME}"], opening=lambda _: on_github(fake))
        lines = capsys.readouterr().out.splitlines()
        wrong = [n for n, line in enumerate(lines) if line.startswith("NOT ")]
        return code, [f"{lines[n]} {lines[n + 1].strip()}" for n in wrong]

    return ask


def test_where_all_is_set_it_says_so_and_writes_nothing(fake, ask):
    """It only reads."""
    assert ask() == (SET, [])
    assert {method for method, _, _ in fake.calls} == {"GET"}


def rule(kind):
    return next(r for r in all_set()["rules/branches/trunk"] if r["type"] == kind)


def with_rules(*changed, without=()):
    """The rules, some of them as *changed*, and without others."""
    kinds = {each["type"] for each in changed} | set(without)
    kept = [r for r in all_set()["rules/branches/trunk"] if r["type"] not in kinds]
    return {"rules/branches/trunk": [*kept, *changed]}


def with_parameters(kind, **parameters):
    found = rule(kind)
    return with_rules(found | {"parameters": found["parameters"] | parameters})


def checks(*sources):
    required = [{"context": "gate"} | ({"integration_id": each} if each else {}) for each in sources]
    return with_parameters("required_status_checks", required_status_checks=required)


def actors(*kinds):
    ruleset = all_set()["rulesets/7"]
    found = [{"actor_id": 1, "actor_type": kind, "bypass_mode": mode} for kind, mode in kinds]
    return {"rulesets/7": ruleset | {"bypass_actors": found}}


ROBOT = ("Integration", "always")
POLICY = "environments/automation"
#: what somebody did not set -> what is said of it
NOT_SET_YET = {
    "no rule": (
        {"rules/branches/trunk": [], "branches/trunk": {"protected": False, "commit": {"sha": "f" * 40}}},
        "Import a ruleset",
    ),
    "no pull request": (with_rules(without=["pull_request"]), "only through pull requests"),
    "gate not required": (with_rules(without=["required_status_checks"]), "the check `gate` is required"),
    "another check": (
        with_parameters("required_status_checks", required_status_checks=[{"context": "required"}]),
        "the check `gate`",
    ),
    "gate from any source": (checks(None), "from any source, so anybody with write access can post it"),
    "may be deleted": (with_rules(without=["deletion"]), "cannot be deleted"),
    "may be force-pushed": (with_rules(without=["non_fast_forward"]), "force-pushed"),
    "code owners inert": (
        with_parameters("pull_request", required_approving_review_count=0),
        "only where at least one approval is required",
    ),
    "code owners off": (with_parameters("pull_request", require_code_owner_review=False), "needs an owner's review"),
    "some folders reviewed": (
        with_parameters(
            "pull_request",
            required_approving_review_count=0,
            required_reviewers=[{"minimum_approvals": 1, "file_patterns": [".github/**", "checks/**"]}],
        ),
        "needs an owner's review",
    ),
    "optional reviewers": (
        with_parameters(
            "pull_request",
            required_approving_review_count=0,
            required_reviewers=[{"minimum_approvals": 0, "file_patterns": ["*"]}],
        ),
        "needs an owner's review",
    ),
    "administrators push past": (actors(ROBOT, ("RepositoryRole", "always")), "RepositoryRole may push past the rules"),
    "deploy keys push past": (actors(ROBOT, ("DeployKey", "always")), "DeployKey may push past"),
    "robots are held": (actors(), "each landing and rollback waits for a person"),
    "merge queue": (
        {**with_rules({"type": "merge_queue", "ruleset_id": 7}), **actors()},
        "an approval and a merge queue is required",
    ),
    "owner unknown": (
        {"codeowners/errors": {"errors": [{"line": 4, "kind": "Unknown owner"}]}},
        "line 4: Unknown owner",
    ),
    "no environment": ({POLICY: 404}, "there is none yet"),
    "any branch": ({POLICY: {"deployment_branch_policy": None, "protection_rules": []}}, "limited to trunk"),
    "protected branches": (
        {POLICY: {"deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False}}},
        "limited to trunk",
    ),
    "other branches": (
        {f"{POLICY}/deployment-branch-policies": {"branch_policies": [{"name": "trunk"}, {"name": "release/*"}]}},
        "it also allows trunk, release/*",
    ),
    "reviewers": (
        {POLICY: all_set()[POLICY] | {"protection_rules": [{"type": "required_reviewers"}]}},
        "required_reviewers of the environment",
    ),
    "loose secret": (
        {"actions/secrets": {"secrets": [{"name": "APP_PRIVATE_KEY"}, {"name": "OTHER"}]}},
        "any branch can read APP_PRIVATE_KEY",
    ),
    "shared secret": (
        {"actions/organization-secrets": {"secrets": [{"name": "AWS_SECRET_ACCESS_KEY"}]}},
        "to the whole organisation",
    ),
}


@pytest.mark.parametrize(("changed", "said"), NOT_SET_YET.values(), ids=NOT_SET_YET)
def test_what_is_not_set_is_named_with_the_step_to_take(fake, ask, changed, said):
    """Each by itself."""
    fake.settings |= deepcopy(changed)
    code, wrong = ask()

    assert code == NOT_SET
    assert any(said in line for line in wrong), wrong


#: what a token may not see -> what is said to be unchecked
UNSEEN = {
    "rules": ({"rules/branches/trunk": 403, "rulesets/7": 403}, "only through pull requests"),
    "who may bypass": ({"rulesets/7": {"name": "Tidegate"}}, "may bypass the rules"),
    "older protection": (
        {
            "rules/branches/trunk": [],
            "branches/trunk": {"protected": True, "protection": {"enabled": True}, "commit": {"sha": "f" * 40}},
            "branches/trunk/protection": 404,
        },
        "only through pull requests",
    ),
    "branch": ({"branches/trunk": 403}, "CODEOWNERS names owners"),
    "owners' mistakes": ({"codeowners/errors": 403}, "GitHub knows every owner"),
    "environment": ({POLICY: 403}, "limited to trunk"),
    "its branches": ({f"{POLICY}/deployment-branch-policies": 403}, "limited to trunk"),
    "secrets": ({"actions/secrets": 403}, "to the whole repository"),
    "secrets, to the anonymous": ({"actions/secrets": 401}, "to the whole repository"),
    "the organisation's": ({"actions/organization-secrets": 404}, "to the whole organisation"),
    "another App's gate": (checks(4711), "the App with the id 4711"),
}


@pytest.mark.parametrize(("changed", "said"), UNSEEN.values(), ids=UNSEEN)
def test_what_the_token_may_not_see_is_no_pass(fake, ask, changed, said):
    """It is said to be unchecked, with a code that is not 0."""
    fake.settings |= deepcopy(changed)
    code, wrong = ask()

    assert code == NOT_CHECKED
    assert any(line.startswith("NOT CHECKED") and said in line for line in wrong), wrong
    assert not any(line.startswith("NOT RIGHT") for line in wrong)


def test_a_repository_as_it_is_copied_has_much_to_set(fake, ask):
    """The owners are placeholders, and there is no rule."""
    fake.push({".github/CODEOWNERS": OWNERS})
    fake.settings = {
        "rules/branches/trunk": [],
        "branches/trunk": {"protected": False, "commit": {"sha": "f" * 40}},
        f"git/trees/{'f' * 40}": all_set()[f"git/trees/{'f' * 40}"],
        "codeowners/errors": {"errors": []},
    }
    code, wrong = ask()

    assert code == NOT_SET
    assert any(".github/workflows/gate.yml, checks" in line for line in wrong)
    assert any("put your teams into .github/CODEOWNERS" in line for line in wrong)


def test_the_ruleset_for_robots_without_an_app_lets_them_through(fake, ask):
    """Only the owners' review is missing there, and who may approve in their place is named."""
    rules, ruleset = rules_of("without-app")
    fake.settings |= {"rules/branches/trunk": rules, "rulesets/7": ruleset}
    code, wrong = ask()

    assert code == NOT_SET
    assert len(wrong) == 1
    assert "Require review from specific teams" in wrong[0]
    fake.settings |= {
        "rules/branches/trunk": [
            each
            | {
                "parameters": each["parameters"]
                | {
                    "required_reviewers": [
                        {
                            "minimum_approvals": 1,
                            "file_patterns": [
                                ".github/**",
                                "checks/**",
                                "contracts/**",
                                "provenance/**",
                                "requirements/**",
                            ],
                        }
                    ]
                }
            }
            if each["type"] == "pull_request"
            else each
            for each in rules
        ]
    }
    assert ask() == (SET, [])


def test_the_older_branch_protection_counts_as_well(fake, ask):
    """Where the token may see it."""
    check = {"context": "gate", "app_id": 15368}
    fake.settings |= {
        "rules/branches/trunk": [],
        "branches/trunk": {
            "protected": True,
            "commit": {"sha": "f" * 40},
            "protection": {"enabled": True, "required_status_checks": {"contexts": ["gate"], "checks": [check]}},
        },
        "branches/trunk/protection": {
            "required_pull_request_reviews": {"require_code_owner_reviews": True, "required_approving_review_count": 0},
            "allow_deletions": {"enabled": False},
            "allow_force_pushes": {"enabled": False},
            "enforce_admins": {"enabled": True},
        },
    }
    code, wrong = ask()

    assert code == NOT_SET
    assert [line for line in wrong if "owner's review" not in line] == []


def test_a_person_has_no_organisation_whose_secrets_could_be_read(fake, ask):
    """GitHub has no such list there."""
    fake.shown = {"owner": {"type": "User"}}
    fake.settings |= {"actions/organization-secrets": 404}

    assert ask() == (SET, [])


def test_a_folder_has_no_guard_rails(tmp_path, capsys):
    """Nobody else gets there."""
    assert main(["doctor", "--settings", "--forge", str(tmp_path)]) == 6
    assert "type --forge github:OWNER/NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ["a", "a/b/c.py"], []),
        ("*.py", ["a.py", "a/b.py"], ["a.pyc"]),
        ("/checks/", ["checks/a", "checks/b/c"], ["checks", "x/checks/a"]),
        ("checks/", ["checks/a", "x/checks/a"], ["checks.py"]),
        ("/checks", ["checks", "checks/a/b"], ["x/checks"]),
        ("docs/*", ["docs/a"], ["docs/a/b", "x/docs/a"]),
        ("/docs/**", ["docs/a", "docs/a/b"], ["doc"]),
        ("**/logs", ["logs", "a/logs/b"], ["logsx"]),
        ("/a/**/z", ["a/z", "a/b/c/z"], ["a/zz"]),
        (".github/", [".github/x"], ["xgithub/x"]),
    ],
)
def test_a_pattern_of_codeowners_is_read_as_github_reads_it(pattern, yes, no):
    """As in .gitignore."""
    lines = read_owners(f"{pattern} @acme/ml # who else\n")

    assert unowned(yes, lines) == []
    assert unowned(no, lines) == no


def test_the_last_pattern_that_matches_counts():
    """One without owners takes a file out."""
    lines = read_owners("# all\n* @acme/all\n/serve/ @acme/serve dana@acme.org\n/serve/live.toml\n")

    assert owners_of("README.md", lines) == ("@acme/all",)
    assert owners_of("serve/app.py", lines) == ("@acme/serve", "dana@acme.org")
    assert owners_of(LIVE, lines) == ()
