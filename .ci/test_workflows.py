"""The repository runs itself: its workflows, on a workbench that plays GitHub, offline.

    ~/.cache/gha-harness/venv/bin/python -m pytest -c /dev/null --rootdir .ci .ci/test_workflows.py

Here workflows run for real: checkout, artifacts, attestation, tokens with just the permissions that
are declared.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT.parent / "shared/harness"))

from gha_harness.fake import route
from gha_harness.places import MIRROR
from gha_harness.report import state
from gha_harness.world import World

RECIPE = "tests/recipes/buys.py"
LIVE = "serve/live.toml"
SLUG = "acme/toy"
SKIPPED = (".git", ".venv", ".demo", ".forge", "build", "__pycache__", ".*_cache", "*.lock")


APP_ACTION = "actions/create-github-app-token"
#: Without a snapshot of the real action, one stands in that nothing may reach.
HAS_APP_ACTION = (MIRROR / APP_ACTION.replace("/", "+")).is_dir()
NO_APP_ACTION = """\
name: no App
description: stands in where the real action is not at hand
inputs: {client-id: {}, private-key: {}, permission-contents: {}, permission-pull-requests: {},
  permission-statuses: {}, permission-issues: {}}
runs: {using: composite, steps: [{run: exit 1, shell: bash}]}
"""
#: GitHub's own, which need its Pages: what would be uploaded is looked at, and the rest left.
PAGES_ACTIONS = {
    "actions/upload-pages-artifact": """\
name: no upload
description: the page is there, and nothing beside it
inputs: {path: {}}
runs: {using: composite, steps: [{run: 'test "$(ls "${{ inputs.path }}")" = index.html', shell: bash}]}
""",
    "actions/deploy-pages": """\
name: no deployment
description: says where it would be
outputs: {page_url: {value: "https://acme.github.io/toy/"}}
runs: {using: composite, steps: [{run: "true", shell: bash}]}
""",
}


@route("GET", "/repos/{o}/{n}/collaborators/{u}/permission")
def permission(_, u):
    """What the workbench lacks: any token may ask it."""
    may = "read" if u == "rita" else "write"
    return 200, {"permission": may, "role_name": may, "user": None}


class Repository:
    """A repository made from this one, with "Allow Actions to create pull requests" switched on."""

    def __init__(self, folder, *, policy="always", ci=False, **more):
        self.folder = folder
        shutil.copytree(ROOT, folder / "template", ignore=shutil.ignore_patterns(*SKIPPED))
        template = folder / "template"
        rules = template / "checks/thresholds.toml"
        rules.write_text(rules.read_text().replace('policy = "always"', f'policy = "{policy}"'))
        (template / LIVE).write_text("# What is live.\n")
        # Jobs side by side make the workbench's runner fall over its own cache of actions.
        (template / ".actrc").write_text("--concurrent-jobs=1\n")
        for path in (template / ".github/workflows").glob("*.yml"):
            # The runner of the workbench does not know these yet; GitHub does, since spring 2026.
            new = r"^ +(queue: max|deployment: false).*\n"
            text = re.sub(new, "", path.read_text(), flags=re.MULTILINE)
            # Nor does it know members: every person is one that GitHub calls a contributor.
            path.write_text(text.replace('"COLLABORATOR"]', '"COLLABORATOR", "CONTRIBUTOR"]'))
        if ci:  # its wiring: what it runs has been run already
            (template / "Makefile").write_text(
                "lint docs test-serve test-checks test-work test-loop test-clients coverage coverage-report:\n\t@true\n"
                ".PHONY: docs\n"
            )
        else:
            for name in ("ci", "merged"):
                (template / f".github/workflows/{name}.yml").unlink()
        self.journal = folder / "journal"
        stubs = PAGES_ACTIONS | ({} if HAS_APP_ACTION else {APP_ACTION: NO_APP_ACTION})
        for action, text in stubs.items():
            (folder / action).mkdir(parents=True)
            (folder / action / "action.yml").write_text(text)
        more["overrides"] = {action: str(folder / action) for action in stubs}
        self.world = World(
            template,
            root=folder / "world",
            allow_hosts=(),
            vars={"RECIPE": RECIPE, "JOURNAL": str(self.journal), "KEPT": "cache", **more.pop("vars", {})},
            env={"TIDEGATE_ENVIRONMENTS": str(ROOT / ".venv"), "ORIGINAL": str(ROOT / RECIPE)},
            path=f"{ROOT / '.venv/tools/bin'}:{os.environ['PATH']}",
            verbose=True,
            **more,
        )
        self.servers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.terminate()
            server.wait(15)
        self.world.close()

    # What a clock and people do

    def night(self, today, expect="success"):
        """The nightly, as of a day; returns what it said."""
        runs = self.world.dispatch("nightly.yml", {"today": today})
        self.expect(runs, expect)
        return "\n".join(run.summary for run in runs)

    def ask(self, workflow, inputs):
        """A person presses the button of a *workflow*, whose run waits."""
        path = f"/repos/{SLUG}/actions/workflows/{workflow}/dispatches"
        assert self.world.request("POST", path, {"ref": "main", "inputs": inputs})[0] == 204

    def turn(self):
        """Whatever waits runs, one after the other; returns what it said."""
        runs = self.world.drain()
        self.expect(runs)
        return "\n".join(run.summary for run in runs)

    def expect(self, runs, conclusion="success"):
        for run in runs:
            if run["conclusion"] == "skipped" and run["name"] in ("backtest", "commands", "merged", "release"):
                continue  # no command, and no push to the default branch
            assert run["conclusion"] == conclusion, "\n".join(run.why) or run.output[-6000:]

    def merge(self, number):
        before = len(self.world.runs)
        self.world.merge(number)
        self.expect(self.world.runs[before:])

    def revert(self, text, gate="success"):
        """A person presses *Revert* on a merged pull request, and then *Merge*; the gate ends as *gate* says."""
        before = len(self.world.runs)
        self.world.commit({LIVE: text}, "Revert: it is odd", branch="revert")
        self.world.merge(self.world.open_pr("revert", "Revert: it is odd"))
        for run in self.world.runs[before:]:
            self.expect([run], gate if run["name"] == "gate" else "success")

    def edit_release(self, version, body):
        number = next(
            r["id"] for r in self.world.request("GET", f"/repos/{SLUG}/releases")[1] if r["tag_name"] == version
        )
        before = len(self.world.runs)
        status, _ = self.world.request("PATCH", f"/repos/{SLUG}/releases/{number}", body)
        assert status == 200
        self.world.drain()
        self.expect(self.world.runs[before:])
        return self.world.runs[before:]

    def close_incidents(self):
        for issue in self.state["issues"]:
            if issue["state"] == "open" and issue["title"].startswith("Rolled back"):
                assert (
                    self.world.request("PATCH", f"/repos/{SLUG}/issues/{issue['number']}", {"state": "closed"})[0]
                    == 200
                )
        self.world.drain()

    # What there is to see

    @property
    def state(self):
        return state(self.world.fake)[SLUG]

    def live(self):
        text = self.world.r.git.read(self.world.r.default_branch, LIVE).decode()
        found = re.search(r'\[champion\]\nversion = "(.+)"', text)
        return found[1] if found else ""

    def live_text(self):
        return self.world.r.git.read(self.world.r.default_branch, LIVE).decode()

    def latest(self):
        return [release["tag"] for release in self.state["releases"] if release["latest"]]

    def released(self):
        """version -> whether it is a pre-release."""
        return {release["tag"]: release["prerelease"] for release in self.state["releases"]}

    def pulls(self, kind="open"):
        return [pull for pull in self.state["pulls"] if (pull["state"] == "open") == (kind == "open")]

    def issues(self, words):
        return [issue for issue in self.state["issues"] if words in issue["title"]]

    # What stands elsewhere

    def sync(self):
        own = {
            "FORGE": f"github:{SLUG}",
            "GITHUB_API_URL": f"{self.world.fake.base}/api/v3",
            "GITHUB_TOKEN": self.world.person().value,
        }
        command = [ROOT / ".venv/serve/bin/python", "-m", "forge", "sync", "--store", self.folder / "store"]
        subprocess.run(command, cwd=ROOT, env=os.environ | own, check=True)

    def verify_attestation(self, release, name):
        """With the real tool, offline: built by this repository's workflow."""
        for asset in (name, "attestation.jsonl"):
            shutil.copyfile(release["assets"][asset]["file"], self.folder / asset)
        command = ["gh", "attestation", "verify", self.folder / name, "--repo", SLUG]
        bundle = ["--bundle", self.folder / "attestation.jsonl"]
        root = ["--custom-trusted-root", self.world.fake.sigstore.trusted_root]
        tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = os.environ | {"PATH": tools, "GH_TOKEN": "none"}
        subprocess.run([*command, *bundle, *root], env=own, check=True)

    def start_scorer(self):
        ready = self.folder / "address"
        command = [ROOT / ".venv/serve/bin/python", "-m", "serve", "--store", self.folder / "store"]
        more = ["--journal", self.journal, "--port", "0", "--ready-file", ready]
        self.servers.append(subprocess.Popen([*command, *more], cwd=ROOT))
        wait_for(ready.is_file)
        return ready.read_text().strip()

    def visit(self, address, first, last, *more):
        command = [ROOT / ".venv/work/bin/python", ROOT / ".ci/website.py", address, ROOT / RECIPE]
        done = subprocess.run([*command, first, last, *more], check=True, capture_output=True, text=True)
        return done.stdout

    def is_clean(self):
        """Every call was as GitHub describes it and within its permissions; nothing went outside."""
        ours = [c for c in self.world.bad_calls() if (c.get("ua") or "").startswith("tidegate")]
        told = ("method", "path", "status", "denied", "request_errors", "response_errors", "message")
        bad = [{name: call[name] for name in told if call.get(name)} for call in ours]
        assert bad == []
        assert sorted(set(self.world.proxy.blocked)) == []
        assert self.world.resolver.problems == []


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def make(tmp_path):
    made = []

    def make(**more):
        made.append(Repository(tmp_path / f"r{len(made)}", **more).__enter__())
        return made[-1]

    yield make
    for each in made:
        each.__exit__()


def test_two_nights_and_a_person(make):
    """One pull request, refreshed; one comment; a person merges, and it is released and served."""
    here = make(policy="never", private=False)
    here.night("2026-02-20")
    (first,) = here.pulls()
    here.night("2026-02-21")
    (second,) = here.pulls()

    assert first["number"] == second["number"]
    assert second["labels"] == ["model"]
    (comment,) = second["comments"]
    assert "Earlier verdicts" in comment["body"]
    assert here.live() == ""
    assert set(here.released().values()) == {True}

    here.merge(second["number"])
    version = here.live()
    assert version in second["title"]
    assert here.latest() == [version]
    assert here.released()[version] is False
    (release,) = [each for each in here.state["releases"] if each["tag"] == version]
    assert "## ✅ PROMOTE" in release["body"]
    here.verify_attestation(release, "model.onnx")

    here.sync()
    address = here.start_scorer()
    assert f"({version} " in here.visit(address, "2026-02-22", "2026-02-23")
    assert "nothing to gain" in here.night("2026-02-21").lower()
    assert here.pulls() == []
    here.is_clean()


def test_each_way_back_leaves_the_older_model_and_the_night_does_not_undo_it(make):
    """By policy it lands; then a revert, a latest moved by hand, the button."""
    here = make(rules={"main": {"required_checks": ["gate"], "require_pr": True, "reviews": 0, "bypass": set()}})
    here.night("2026-02-20")
    old, old_text = here.live(), here.live_text()
    assert here.latest() == [old]
    here.night("2026-03-20")
    new = here.live()
    assert new != old
    assert here.latest() == [new]

    here.revert(old_text)
    assert here.latest() == [old]
    assert here.released()[new] is True
    assert len(here.issues(f"Rolled back from {new}")) == 1
    here.night("2026-03-21")
    assert here.live() == old
    (waiting,) = here.pulls()

    here.close_incidents()
    here.merge(waiting["number"])
    second = here.live()
    assert here.latest() == [second]
    runs = here.edit_release(old, {"make_latest": "true"})
    assert [run["event"] for run in runs] == ["release", "workflow_dispatch"]
    assert here.live() == old
    assert here.latest() == [old]
    assert here.released()[second] is True
    here.night("2026-03-22")
    assert here.live() == old

    here.close_incidents()
    here.night("2026-03-23")
    third = here.live()
    assert third not in (old, new, second)
    here.expect(here.world.dispatch("rollback.yml", {"reason": "on-call does not trust it"}))
    assert here.live() == old
    assert here.latest() == [old]
    assert here.released()[third] is True
    (incident,) = here.issues(f"Rolled back from {third}")
    assert "on-call does not trust it" in incident["body"]
    here.sync()
    assert f'version = "{old}"' in (here.folder / "store/live.toml").read_text()
    here.is_clean()


def test_a_button_that_waited_is_about_what_was_live_when_it_was_pressed(make):
    """Behind a landing it stops; two who press go back by one; the revert of a rollback leaves nothing withdrawn."""
    here = make()
    here.night("2026-02-20")
    first = here.live()
    here.ask("nightly.yml", {"today": "2026-03-20"})
    here.ask("rollback.yml", {"reason": "the first one is odd", "version": ""})
    said = here.turn()
    second, second_text = here.live(), here.live_text()
    assert second != first
    assert f"{first} is not live any more; {second} is live" in said
    assert here.latest() == [second]
    assert here.released() == {first: False, second: False}

    for person in ("ann", "bob"):
        here.ask("rollback.yml", {"reason": f"{person} does not trust it"})
    said = here.turn()
    assert here.live() == first
    assert here.released() == {first: False, second: True}
    assert f"{second} was rolled back before; {first} is live" in said
    (incident,) = here.issues("Rolled back from")
    assert "ann does not trust it" in incident["body"]

    here.revert(second_text, gate="failure")  # it brings a quarantined version back: a person's word
    assert here.live() == second
    assert here.released() == {first: False, second: False}
    (incident,) = here.issues("Rolled back from")
    assert incident["state"] == "closed"
    assert "quarantine" not in incident["body"]
    assert not any("Withdrawn" in release["body"] for release in here.state["releases"])
    here.is_clean()


def test_another_default_branch_beside_a_main(make):
    """It is trained, judged and landed on; main is nothing to anybody, and to train it is refused."""
    here = make(default_branch="develop")
    git = here.world.r.git
    before = git.sha("refs/heads/develop")
    git.update_ref("refs/heads/main", before)
    here.night("2026-02-20")

    assert here.latest() == [here.live()]
    assert git.sha("refs/heads/main") == before
    (refused,) = here.world.dispatch("nightly.yml", {"today": "2026-03-20"}, ref="main")
    assert refused["conclusion"] == "failure"
    assert "choose develop under Run workflow" in refused.output
    here.is_clean()


def test_a_fork_rests_until_its_owner_wants_it_to_run(make):
    """By the clock; a copy of the template is no fork."""
    here = make()
    shown = here.world.fake.repo_json
    here.world.fake.repo_json = lambda r, full=True: shown(r, full) | {"fork": True}
    runs = here.world.tick()

    assert {run["name"] for run in runs} == {"nightly", "monitor", "features", "upgrade"}
    assert {run["conclusion"] for run in runs} == {"skipped"}
    here.world.vars["RUN_IN_FORK"] = here.world.r.variables["RUN_IN_FORK"] = "on"
    runs = {run["name"]: run["conclusion"] for run in here.world.tick("monitor.yml")}
    assert runs["monitor"] != "skipped"  # nothing is live yet, which the watch reports
    assert runs["release"] == "success"  # monitor has started it
    here.is_clean()


def test_features_of_another_file_are_left_to_a_person(make):
    """The monthly run measures, drops none of them, ends green and says what to do by hand; the debt ledger is proposed."""
    here = make()  # the recipe imports its features
    here.night("2026-02-20")
    runs = here.world.dispatch("features.yml")
    here.expect(runs)

    said = "\n".join(run.summary for run in runs)
    assert "These features show no significant permutation importance" in said
    assert "another file" in said
    assert "Traceback" not in "".join(run.output for run in runs)
    (ledger,) = here.pulls()
    assert "debt" in ledger["title"].lower()
    here.is_clean()


def test_a_bad_candidate_and_trouble_in_the_middle_of_the_night(make):
    """502s and a rate limit are survived; shuffled labels are rejected, in words, and closed."""
    here = make()
    faults = here.world.fake.faults
    faults.append({"method": "GET", "path": "/contents/", "status": 502, "times": 2, "skip": 1})
    faults.append({"method": "POST", "path": "/releases$", "status": 502, "times": 1, "skip": 0})
    faults.append({"method": "POST", "path": "/pulls$", "status": 502, "times": 1, "skip": 0})
    faults.append(
        {"method": "GET", "path": "/issues", "status": 429, "times": 1, "skip": 0, "headers": {"Retry-After": "1"}}
    )
    here.night("2026-02-20")
    good = here.live()
    assert here.latest() == [good]
    assert len(here.state["pulls"]) == 1

    here.world.vars["RECIPE"] = here.world.r.variables["RECIPE"] = "tests/recipes/shuffled.py"
    said = here.night("2026-03-20")
    assert "REJECT" in said
    assert here.live() == good
    rejected = here.pulls("closed")[-1]
    assert not rejected["merged"]
    assert "REJECT" in rejected["comments"][0]["body"]


def test_drift_opens_an_issue_updates_it_and_closes_it(make):
    """The watch, on the journal of a scorer that follows the repository."""
    here = make()
    here.night("2026-02-20")
    here.sync()
    address = here.start_scorer()
    here.visit(address, "2026-02-20", "2026-02-25", "--outcomes")

    def watch(today):
        here.expect(here.world.dispatch("monitor.yml", {"today": today}))
        return here.issues("buys: ")

    assert watch("2026-02-25") == []
    here.visit(address, "2026-03-02", "2026-03-07")
    (opened,) = watch("2026-03-07")
    assert (opened["state"], opened["labels"]) == ("open", ["alert"])
    (updated,) = watch("2026-03-07")
    assert updated["number"] == opened["number"]

    here.night("2026-03-20")
    here.sync()
    wait_for(lambda: here.live() in here.visit(address, "2026-03-20", "2026-03-21"))
    here.visit(address, "2026-03-21", "2026-03-30")
    (closed,) = watch("2026-03-30")
    assert closed["state"] == "closed"
    assert here.issues("nightly.yml") == []
    here.is_clean()


def test_people_command_below_an_incident(make):
    """Acknowledged, explained, expected, retrained, rolled back; who only reads is not heard."""
    here = make()
    here.night("2026-02-20")
    old = here.live()
    here.night("2026-02-22")
    new = here.live()
    assert new != old
    here.sync()
    address = here.start_scorer()
    here.visit(address, "2026-02-22", "2026-02-25", "--outcomes")
    here.visit(address, "2026-03-02", "2026-03-07")
    here.expect(here.world.dispatch("monitor.yml", {"today": "2026-03-07"}))
    (incident,) = here.issues("buys: ")
    number = incident["number"]

    def say(words, conclusion="success", login="dana"):
        before = len(here.world.runs)
        who = here.world.fake.add_token("pat", login).value
        path = f"/repos/{SLUG}/issues/{number}/comments"
        assert here.world.request("POST", path, {"body": words}, who)[0] == 201
        here.world.drain()
        here.expect(here.world.runs[before:], conclusion)

    def replies():
        (found,) = [each for each in here.state["issues"] if each["number"] == number]
        return [each["body"].partition("\n")[2] for each in found["comments"] if "tidegate" in each["body"]]

    say("it looks bad", "skipped")
    assert replies() == []
    say("/expected until 2026-12-24 because of the sale; $(touch /tmp/owned) `id`")
    (waiver,) = here.pulls()
    assert f"#{number}" in waiver["body"]
    assert f"#{waiver['number']}" in replies()[-1]
    say("/rollback", login="rita")
    assert "Thank you. Commands require write access" in replies()[-1]
    assert here.live() == new
    say("/rollback")
    assert f"`{old}` is started" in replies()[-1]
    assert here.live() == old
    assert here.latest() == [old]
    here.expect(here.world.dispatch("monitor.yml", {"today": "2026-03-07"}))
    assert len(here.issues("buys: ")) == 1
    here.is_clean()


EVIL = """\
name: evil
on: pull_request
permissions: write-all
jobs:
  evil:
    runs-on: ubuntu-latest
    steps:
      - run: gh api "repos/$GITHUB_REPOSITORY/issues" -f title=owned
        env: {GH_TOKEN: "${{ github.token }}"}
"""


def test_what_a_pull_request_may_do(make):
    """A recipe is trained and judged by main's code and rules; nothing of it is written anywhere."""
    here = make(policy="never")
    here.night("2026-02-20")
    here.merge(here.pulls()[0]["number"])
    before = json.dumps([here.live(), here.released()])
    rules = (ROOT / "checks/thresholds.toml").read_text()
    evil = {
        ".github/workflows/evil.yml": EVIL,
        "checks/thresholds.toml": rules.replace("min_fresh_rows = 500", "min_fresh_rows = 1"),
        "checks/__main__.py": "raise SystemExit(0)\n",
        "forge/__main__.py": "raise SystemExit(0)\n",
        "model/recipe.py": "raise RuntimeError('never asked: the recipe is another file')\n",
        RECIPE: (ROOT / RECIPE).read_text() + "\nimport os\nassert 'GITHUB_TOKEN' not in os.environ\n",
    }
    here.world.commit(evil, "an honest improvement", branch="improve")
    first = len(here.world.runs)
    give = here.world.fake.add_token

    def give_as_to_a_fork(kind, login, permissions=None, *more):
        """GitHub's own rule, which the workbench lacks: whatever a fork's workflow asks for, it may read."""
        return give(kind, login, dict.fromkeys(permissions or {}, "read"), *more)

    here.world.fake.add_token = give_as_to_a_fork
    number = here.world.open_pr("improve")
    here.world.fake.add_token = give
    runs = {each["name"]: each for each in here.world.runs[first:]}
    run = runs["gate"]
    assert runs["evil"]["conclusion"] == "failure"
    assert here.issues("owned") == []

    judged = {job["id"]: job["result"] for job in run.jobs}
    assert judged["train"] == "success", run.why
    assert "500" in run.summary, "the rules that judge are main's"
    writes = [
        c
        for c in here.world.calls(run)
        if c["method"] != "GET" and "/git-upload-pack" not in c["path"] and "artifact" not in c["path"].lower()
    ]
    assert [c for c in writes if "/repos/" in c["path"]] == []
    assert set(run.permissions.values()) == {"read"}
    assert json.dumps([here.live(), here.released()]) == before
    (proposal,) = [pull for pull in here.pulls() if pull["number"] == number]
    assert proposal["comments"] == []


def test_ci_asks_for_one_job(make):
    """Every part of it has to go well."""
    here = make(ci=True)
    here.world.commit({"README.md": "words\n"}, branch="words")
    first = len(here.world.runs)
    here.world.open_pr("words")
    runs = {run["name"]: run for run in here.world.runs[first:]}

    assert {job["check_name"]: job["result"] for job in runs["ci"].jobs}["required"] == "success", runs["ci"].output[
        -6000:
    ]
    assert {job["check_name"]: job["result"] for job in runs["gate"].jobs}["gate"] == "success"
    here.is_clean()


@pytest.mark.skipif(not HAS_APP_ACTION, reason=f"no snapshot of {APP_ACTION} is at hand")
def test_the_way_with_an_app(make):
    """Its pull request starts the checks by itself, its merge the release; the end is the same."""
    here = make()
    permissions = dict.fromkeys(("contents", "pull_requests", "statuses", "issues"), "write")
    client, key = here.world.add_app(permissions=permissions | {"metadata": "read"})
    here.world.vars["APP_CLIENT_ID"] = here.world.r.variables["APP_CLIENT_ID"] = str(client)
    here.world.secrets["APP_PRIVATE_KEY"] = key
    here.night("2026-02-20")

    assert here.live()
    assert here.latest() == [here.live()]
    assert {"nightly", "gate", "release"} <= {run["name"] for run in here.world.runs}
    here.is_clean()


def test_the_dashboard_is_a_web_page_if_it_is_wanted(make):
    """From a forge where nothing happened yet; the permissions are enough for what is read."""
    here = make()
    (unwanted,) = here.world.dispatch("pages.yml", {})
    assert unwanted["conclusion"] == "skipped"
    here = make(vars={"PAGES": "on"})
    here.expect(here.world.dispatch("pages.yml", {}))
    here.is_clean()
