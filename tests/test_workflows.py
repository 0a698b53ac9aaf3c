"""Workflows are wiring: pinned, with just the permissions they say, and no logic of their own."""

import ast
import json
import re
from pathlib import Path

import pytest

from forge.clock.due import JOBS
from forge.clock.due import WORKFLOWS as STARTED
from forge.github.codeowners import owners_of, read_owners

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def blocks(text):
    """The shell of every step."""
    found = re.findall(r"^( *)(?:- )?run: (\|\n(?:\1 +.*\n|\n)+|.+\n)", text, re.MULTILINE)
    return [shell for _, shell in found]


def test_the_workflows_are_those_of_the_design():
    """A newcomer guesses which file is at fault."""
    names = {path.stem for path in WORKFLOWS}

    expected = {
        "ci",
        "nightly",
        "retrain",
        "gate",
        "land",
        "merged",
        "release",
        "rollback",
        "monitor",
        "features",
        "backtest",
        "commands",
        "pages",
        "upgrade",
        "software-release",
    }
    assert names == expected


@each
def test_nothing_is_granted_but_by_a_job_with_a_reason(path):
    """Each grant is one line, with its why."""
    text = path.read_text()
    grants = re.findall(r"^ +([a-z-]+): (?:read|write)\b(.*)$", text, re.MULTILINE)

    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    own = [why for name, why in grants if not name.startswith("permission-")]
    assert all(why.startswith(" # ") for why in own)


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_and_say_which_version(path):
    """A tag can be moved; ours come with the checkout."""
    for used in re.findall(r"^[ -]+uses: (.+)", path.read_text(), re.MULTILINE):
        assert re.fullmatch(r"(\./\S+|[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)", used), used


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.stem)
def test_no_value_is_pasted_into_a_shell(path):
    """A branch's name or a reason may hold a command: they come as variables."""
    shells = blocks(path.read_text())

    assert shells or "steps:" not in path.read_text()
    assert [shell for shell in shells if "${{" in shell] == []


@each
def test_a_checkout_keeps_no_token(path):
    """What runs later finds none in .git/config."""
    text = path.read_text()

    assert text.count("uses: actions/checkout@") == text.count("persist-credentials: false")


@each
def test_no_job_runs_for_ever(path):
    """GitHub would stop it after six hours."""
    text = path.read_text()

    assert text.count("runs-on:") == text.count("timeout-minutes:")


@each
def test_what_a_stranger_proposes_meets_no_token_that_writes(path):
    """On a fork's pull request GitHub's token can only read: so no event that would give another."""
    events = path.read_text().partition("\non:")[2].partition("\npermissions:")[0]

    assert "pull_request_target" not in events
    assert "workflow_run" not in events


def test_the_job_that_runs_a_proposals_code_has_no_token_at_all():
    """It can check out, and nothing else; its checkout keeps none either."""
    text = (ROOT / ".github/workflows/gate.yml").read_text()
    train = re.search(r"^  train:\n(?:    .*\n|\n)+", text, re.MULTILINE)[0]
    head = text.partition("\njobs:")[0]

    assert "contents: read" in train
    assert "write" not in train.partition("steps:")[0]
    assert "GITHUB_TOKEN" not in train + head
    # What load() needs, and only once a reviewer has approved the run of this very commit.
    assert re.findall(r"secrets\.\w+", text) == re.findall(r"secrets\.\w+", train) == ["secrets.RECIPE_ENV"]
    assert "environment: # its secrets are available once a reviewer has approved this run" in train


@each
def test_a_job_that_can_sign_runs_none_of_the_recipes_code(path):
    """With its token it could have anything signed as a build of this repository; so it trains nothing."""
    for name, job in jobs(path.read_text()).items():
        steps = job.partition("    steps:")[2]
        if "id-token: write" not in job or not steps:
            continue  # or it passes the permission on to a workflow that it calls
        assert not re.search(r"-m (model|drill|backtest)\b|-m checks gate|RECIPE_ENV", steps), name
        assert "environments: work" not in steps, name


def test_what_is_signed_is_what_was_trained():
    """The attestation is stored beside the bundle; where it failed, nothing is proposed."""
    found = jobs((ROOT / ".github/workflows/retrain.yml").read_text())

    assert {name for name, job in found.items() if "id-token: write" in job} == {"attest"}
    assert {name for name, job in found.items() if "secrets.TIDEGATE_SIGNING_KEY" in job} == {"attest"}
    assert "name: signing" in found["attest"]
    assert "needs: train" in found["attest"]
    assert "needs: [train, attest]" in found["propose"]
    assert "needs.attest.result != 'failure'" in found["propose"]


def test_where_signatures_are_demanded_every_job_can_verify():
    """A job without the libraries would refuse every bundle."""
    text = (ROOT / ".github/actions/setup/action.yml").read_text()

    assert """if grep -q '^verify = "on"' provenance/trust.toml; then requirements/install.sh verify; fi""" in text
    assert re.search(r'^verify = "(on|off)"', (ROOT / "provenance/trust.toml").read_text(), re.MULTILINE)


def test_a_release_of_the_software_lists_the_scorers_packages():
    """From its lock, with the hashes that are installed."""
    text = (ROOT / ".github/workflows/software-release.yml").read_text()
    made = re.search(r"^sbom: .*\n(?:\t.*\n)+", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]

    assert "run: make sbom" in text
    assert re.search(r"gh release create .* build/serve\.cdx\.json$", text, re.MULTILINE)
    assert "--output-file build/serve.cdx.json requirements/serve.txt" in made


DEFAULT = "ref: ${{ github.event.repository.default_branch }}"
#: A schedule runs in the repository that it is meant for: a fork has to ask for it.
HERE = "github.event_name != 'schedule' || !github.event.repository.fork || vars.RUN_IN_FORK == 'on'"


def jobs(text):
    """The name of each job -> its text."""
    found = re.split(r"^  ([a-z]+):\n", text.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


@pytest.mark.parametrize(
    "name",
    ["land", "release", "rollback", "retrain", "monitor", "features", "backtest", "commands", "nightly", "pages"],
)
def test_a_job_that_can_write_runs_the_default_branchs_code(name):
    """Whatever was proposed, and whatever the default branch is called."""
    text = (ROOT / f".github/workflows/{name}.yml").read_text()
    own = 0
    if name == "retrain":  # what it attests is what it ran on: it stops on any other branch
        train = jobs(text)["train"].partition("actions/checkout@")[0]
        assert "github.ref != format('refs/heads/{0}', github.event.repository.default_branch)" in train
        assert "exit 1" in train
        own = 1
    if name == "backtest":  # of the proposal it reads one file, and runs none
        assert re.search(r"path: proposal\n +sparse-checkout: checks/thresholds.toml\n", text)
        assert text.count("proposal/") == text.count("--proposed proposal/checks/thresholds.toml") == 1
        own = 1

    assert text.count("uses: actions/checkout@") == text.count(DEFAULT) + own


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.stem)
def test_no_workflow_knows_the_name_of_the_default_branch(path):
    """GitHub is asked: it may be trunk, or develop beside a main."""
    words = re.sub(r"(^| )#.*", "", path.read_text(), flags=re.MULTILINE)
    words = words.replace("python -m forge subject proposal --main before", "")  # an option's name

    assert re.findall(r"\b(?:main|master)\b", words) == []


#: module -> why it may know one
OWN_BRANCH = {"forge/local/git_repository.py": "a forge in a folder begins its repository itself"}


def test_no_code_knows_the_name_of_the_default_branch():
    """But that of a folder, whose repository is made here."""
    known = []
    for package in ("archive", "checks", "forge", "model", "monitoring", "serve"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and re.fullmatch(
                    r"(main|master)|.*(heads|origin|blob|tree)/(main|master)|(main|master)\.{2,3}.*", text
                ):
                    known.append(path.relative_to(ROOT).as_posix())

    assert set(known) == OWN_BRANCH.keys()


def test_a_push_counts_where_it_is_one_to_the_default_branch():
    """A trigger takes no expression, so the job asks."""
    for name, job in (("merged", "ci"), ("release", "release")):
        text = (ROOT / f".github/workflows/{name}.yml").read_text()

        assert 'branches: ["**"]' in text.partition("\njobs:")[0]
        assert "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)" in jobs(text)[job]


def test_a_job_that_did_not_run_stands_in_for_no_required_check():
    """GitHub takes a skipped job of that name for one that went well."""
    assert "  push:" not in (ROOT / ".github/workflows/ci.yml").read_text()
    merged = jobs((ROOT / ".github/workflows/merged.yml").read_text())
    assert {"required", "gate"} & merged.keys() == set()


@each
def test_a_schedule_runs_in_the_repository_it_is_meant_for(path):
    """A fork with Actions switched on does not retrain into itself; a copy of the template runs."""
    text = path.read_text()
    if "  schedule:" not in text:
        return
    for name, job in jobs(text).items():
        head = job.partition("    steps:")[0]
        condition = re.search(r"^    if: (>-\n(?:      .+\n)+|.+\n)", head, re.MULTILINE)
        when = " ".join(condition[1].split()) if condition else ""
        first = not re.search(r"^    needs: ", head, re.MULTILINE)
        if path.stem == "release":
            assert "!github.event.repository.fork || vars.RUN_IN_FORK == 'on'" in when, name
        elif first or ("!cancelled()" in when and "outputs" not in when):
            assert HERE in when, name


def test_the_gate_judges_an_entry_of_a_merge_queue():
    """Against the entries before it: a required check that is skipped would let everything through."""
    gate = jobs((ROOT / ".github/workflows/gate.yml").read_text())

    assert "github.event_name == 'merge_group'" in gate["subject"]
    assert "github.event.merge_group.base_sha || 'HEAD^1'" in gate["subject"]


@each
def test_a_job_waits_for_github_no_longer_than_it_may_run(path):
    """Five minutes are left for what it does."""
    text = path.read_text()
    if "\n  FORGE:" not in text:
        return
    wait = int(re.search(r"^  WAIT_MINUTES: (\d+)", text, re.MULTILINE)[1])

    times = [int(each) for each in re.findall(r"timeout-minutes: (\d+)", text)]
    assert all(time >= wait + 5 or time == 5 for time in times)  # what only starts another
    if path.stem == "land":
        assert min(times) >= wait + 10 + 5  # for checks that are required


def test_whatever_changes_what_is_live_waits_for_its_turn():
    """Two at once would each see half of the other."""
    for name in ("land", "release", "rollback"):
        text = (ROOT / f".github/workflows/{name}.yml").read_text()

        assert "group: live" in text
        assert "cancel-in-progress: false" in text
        assert "queue: max" in text


def test_a_comment_gets_into_no_value_and_no_shell():
    """Anybody may write one: the event says that there is one, the code reads it and asks who wrote it."""
    text = (ROOT / ".github/workflows/commands.yml").read_text()
    condition = re.search(r"^    if: >-\n(?:      .+\n)+", text, re.MULTILINE)[0]

    assert "github.event" in condition
    assert "github.event" not in text.replace(condition, "").replace(DEFAULT, "")
    assert "${{" not in condition
    assert "startsWith(github.event.comment.body, '/')" in condition
    assert """contains(github.event.comment.body, fromJSON('"\\n/"'))""" in condition
    assert "github.event.issue.user.type == 'Bot'" in condition  # its label may be gone
    assert "types: [created, edited]" in text


def test_whatever_changes_alerts_waits_for_its_turn():
    """A command's memory would be lost by a look at the same time."""
    for name in ("monitor", "commands"):
        text = (ROOT / f".github/workflows/{name}.yml").read_text()

        assert "group: alerts" in text
        assert "queue: max" in text


def test_pages_are_off_until_somebody_wants_them():
    """A page may be public where the repository is not; nothing that reads the forge can write to it."""
    text = (ROOT / ".github/workflows/pages.yml").read_text()
    build, deploy = text.partition("\n  deploy:")[::2]

    assert "if: vars.PAGES == 'on'" in build
    assert "        if: ${{ vars.DOCS == 'on' }}\n        run: make docs && " in build
    assert "needs: build" in deploy
    assert ": write" not in build
    assert "secrets." not in text
    assert "group: pages" in text
    assert "cancel-in-progress: false" in text


def started(name, called=False, attested=False):
    """The jobs that the workflow *name* starts by the clock, those of workflows that it calls included.

    A private repository has no job for signatures unless it wants them (*attested*).
    """
    found = []
    for job, text in jobs((ROOT / f".github/workflows/{name}.yml").read_text()).items():
        head = text.partition("    steps:")[0]
        if uses := re.search(r"^    uses: \./\.github/workflows/(\w+)\.yml$", head, re.MULTILINE):
            found += started(uses[1], called=True, attested=attested)
        elif "vars.ATTEST" in head and not attested:
            continue
        elif not (called and ("github.event_name == 'pull_request'" in head or "needs: subject" in head)):
            found.append(job)
    return found


DAYS = 30


def minutes(everything):
    """A month of the workflows that run by the clock. GitHub counts each job as a whole minute at least."""
    runs = {name: DAYS * 24 // hours for name, hours in (JOBS | STARTED).items()}
    monitor = jobs((ROOT / ".github/workflows/monitor.yml").read_text())
    for name in JOBS:
        assert "".join(monitor.values()).count(f"needs.due.outputs.{name} == 'true'") == 1
    total = (
        12 * DAYS
        + runs["robots"]
        + runs["drill"]
        + runs["release"]
        + len(started("nightly")) * DAYS
        + len(started("features"))
    )
    if everything:
        # A command a day that no event answered, and a night on the day that an incident opens.
        total += DAYS + runs["watch"] + runs["experiment"] + len(started("pages")) * runs["pages"]
        total += len(started("upgrade")) + len(started("nightly", attested=True))
        total += DAYS  # a job each night that signs
    return total


def test_the_night_is_five_jobs():
    """Train, propose, judge, land, and a look at whether monitoring runs."""
    assert started("nightly") == ["train", "propose", "gate", "land", "robots"]
    assert started("nightly", attested=True) == ["train", "attest", "propose", "gate", "land", "robots"]


def test_one_job_runs_every_two_hours_and_installs_nothing():
    """The variable EVERY makes it every 6 or 24; a job that is skipped costs nothing."""
    text = (ROOT / ".github/workflows/monitor.yml").read_text()
    crons = re.findall(r'cron: "41 ([\d,]+) \* \* \*"', text)
    job = jobs(text)["due"]

    assert sorted(int(hour) for each in crons for hour in each.split(",")) == [*range(0, 24, 2)]
    assert "actions/setup" not in job
    for cron in crons[:2]:
        assert f"github.event.schedule == '41 {cron} * * *'" in job
    first = [name for name, each in jobs(text).items() if "    needs: " not in each.partition("    steps:")[0]]
    assert first == ["due"]


def test_the_clock_costs_what_the_readme_says():
    """At most 600 minutes a month of the 2,000 that a private repository has, 1,500 with everything on."""
    assert minutes(everything=False) <= 600
    assert minutes(everything=True) <= 1500
    said = " ".join((ROOT / "README.md").read_text().split())
    assert f"about {round(minutes(everything=False), -1)} minutes" in said
    assert f"{round(minutes(everything=True), -1):,} with everything on" in said
    assert "`EVERY`" in said


def test_uv_is_the_one_that_is_locked():
    """Not the newest, in jobs that can write."""
    (version,) = re.findall(r'version: "(.+)"', (ROOT / ".github/actions/setup/action.yml").read_text())

    assert f"uv=={version} " in (ROOT / "requirements/tools.txt").read_text()


def test_nothing_runs_on_the_hour():
    """There GitHub drops most."""
    crons = [c for path in WORKFLOWS for c in re.findall(r'cron: "(\d+) ', path.read_text())]

    assert len(crons) == 6  # three of them are of monitor
    assert "0" not in crons


@each
def test_a_secret_is_read_where_the_default_branch_alone_can_read_it(path):
    """Of an environment: a branch's own workflow gets none of its secrets."""
    for name, job in jobs(path.read_text()).items():
        head, _, steps = job.partition("    steps:")
        if "RECIPE_ENV" in steps and path.stem in ("gate", "backtest"):
            assert re.search(r"      name: \$\{\{ .+ && '(automation|recipe-review)' \|\| '' \}\}", head), name
        elif "secrets." in steps:
            assert re.search(r"^      name: (automation|signing)\n      deployment: false", head, re.MULTILINE), name
            assert ("name: signing" in head) == (re.findall(r"secrets\.(\w+)", job) == ["TIDEGATE_SIGNING_KEY"]), name


def test_a_job_on_a_tag_needs_no_secret():
    """A release's event runs on its tag, which the environment does not let in."""
    hand = jobs((ROOT / ".github/workflows/release.yml").read_text())

    assert "github.event_name == 'release'" in hand["hand"]
    assert "environment" not in hand["hand"]
    assert "github.event_name != 'release'" in hand["release"]


@pytest.mark.parametrize("name", ["with-app", "without-app"])
def test_a_ruleset_lets_a_robot_through_that_has_a_good_status_from_actions(name):
    """A squash merge; no one else's status of the name; no review where nobody could bypass it."""
    ruleset = json.loads((ROOT / f".github/rulesets/{name}.json").read_text())
    rules = {each["type"]: each.get("parameters", {}) for each in ruleset["rules"]}

    assert ruleset["enforcement"] == "active"
    assert ruleset["conditions"]["ref_name"]["include"] == ["~DEFAULT_BRANCH"]
    assert rules.keys() == {"deletion", "non_fast_forward", "pull_request", "required_status_checks"}
    assert rules["required_status_checks"]["required_status_checks"] == [{"context": "gate", "integration_id": 15368}]
    assert "squash" in rules["pull_request"]["allowed_merge_methods"]
    assert rules["pull_request"]["require_code_owner_review"]
    assert rules["pull_request"]["required_approving_review_count"] == int(name == "with-app")
    assert not rules["pull_request"]["require_last_push_approval"]


def test_what_judges_has_owners_and_what_is_live_has_none():
    """The robots land without a review, and nothing else of weight does."""
    lines = read_owners((ROOT / ".github/CODEOWNERS").read_text())

    for folder in (".github", "archive", "checks", "requirements", "forge", "serve"):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and name != "serve/live.toml":
                assert owners_of(name, lines), name
    assert owners_of("serve/live.toml", lines) == ()


def test_the_job_that_replays_a_recipe_has_no_token_and_the_one_that_comments_runs_no_recipe():
    """What the first found is data for the second."""
    found = jobs((ROOT / ".github/workflows/backtest.yml").read_text())

    assert "TOKEN" not in found["replay"]
    assert "write" not in found["replay"].partition("steps:")[0]
    assert "environments: serve\n" in found["comment"]
    assert "backtest fit" not in found["comment"]


def test_a_backtest_is_run_for_who_may_write_and_no_part_of_a_comment_gets_into_a_shell():
    """GitHub is asked; an association is not enough."""
    text = (ROOT / ".github/workflows/backtest.yml").read_text()
    asked = jobs(text)["asked"]

    assert "forge may-write" in asked
    assert "needs.asked.outputs.permitted == 'true'" in jobs(text)["replay"]
    assert "github.event.comment" not in text.replace(re.search(r"    if: >-\n(?:      .+\n)+", asked)[0], "")


def test_rows_are_loaded_by_one_job_of_a_night():
    """The step that trains, which alone gets the recipe's secrets: a warehouse is asked by no other job."""
    loading = re.compile(r"-m (?:model (?:train|retrain|check|init|feature add)|backtest fit|drill make)\b")
    found = {
        path.stem: len(steps)
        for path in WORKFLOWS
        if (steps := [step for step in re.split(r"\n      - ", path.read_text()) if loading.search(step)])
    }
    secret = {path.stem: n for path in WORKFLOWS if (n := path.read_text().count("RECIPE_ENV: ${{"))}

    assert found == secret == {"retrain": 1, "gate": 1, "backtest": 1}
