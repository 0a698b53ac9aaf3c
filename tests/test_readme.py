"""The commands of the README, the tutorials and the guides are typed here, in a copy of the checkout with a space in its path."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from bundles.bundle import Bundle
from contracts.live_config import Live, parse_live, with_champion
from forge.github.github_forge import GitHubForge
from forge.local.folder_forge import LocalForge
from tests.docs.shell_commands import commands_of
from tests.forge.fake_github import NAME, FakeGitHub
from tests.forge.fake_server import serve
from tests.loop.laptop import wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: A page of the reference names commands, and is no instruction.
INSTRUCTIONS = [page for page in PAGES if page.parent.name != "reference"]
NOT_COPIED = (".git", ".venv", ".demo", ".forge", "build", ".*_cache", "__pycache__")
LIVE = "serve/live.toml"
#: What measures takes minutes; its parts are tested in tests/bench and tests/drill.
LONG = {
    *(
        "make bench",
        "make bench-experiment",
        "make bench-online",
        "make bench-delay",
        "make bench-gate",
        "make bench-scale",
        "make bench-watch",
    ),
    "make bench-policy",
    "make bench-watch POOLS=generated",
    *("make soak", "make drill", "make drill-nights"),
    "make drill-nights TODAY=2013-12-20 NIGHTS=26",
    "make drill STREAM=path/to/recipe.py SEED=7 FAULTS=15 CLEAN=6",
    *(f"make drill STREAM=drill/streams/{stream}.py CLEAN=6" for stream in ("shop", "demand")),
    *("make backtest", "make backtest STREAM=path/to/recipe.py LENGTHS=0"),
    "make backtest FROM=2013-04-22 TO=2013-11-18 EVERY=7d POLICIES=never,always,proven",
    ".venv/work/bin/python -m backtest fit --days 91",
    ".venv/work/bin/python -m backtest judge --proposed path/to/thresholds.toml",
    ".venv/work/bin/python -m drill peers --out build/drills/shop build/drills/demand",
}
#: These run tests or linters, install or resolve, and would do so within a test.
HOUSE = {
    *(
        "make test",
        "make test-loop",
        "make test-newcomer",
        "make test-fast",
        "make test-clients",
        "make test-spark",
        "make test-estimators",
        "make recipe",
        "make lint",
        "make setup",
        "make lock",
    ),
    *("make docs", "make coverage", "requirements/install.sh spark"),
}
ON_GITHUB = "FORGE=github:OWNER/NAME make serve"
#: These need a repository, a bucket, a cluster or a deleted release. Other tests run them with one that is made up.
ELSEWHERE = {
    "FORGE=github:OWNER/NAME GITHUB_TOKEN=TOKEN .venv/work/bin/python -m forge doctor --settings",
    *(f".venv/work/bin/python -m forge doctor{more}" for more in ("", " --forge github:OWNER/NAME")),
    ".venv/work/bin/python -m forge drill-rollback --forge github:OWNER/NAME --out build/drills",
    ".venv/work/bin/python -m checks score --forge github:OWNER/NAME",
    ".venv/work/bin/python -m checks debt --propose",
    ".venv/work/bin/python -m forge restore STORE/bundles/VERSION",
    "JOURNAL=s3://BUCKET/journal make watch",
    "JOURNAL=s3://BUCKET/journal PYTHONPATH=.venv/spark make watch",
    "make retrain JOURNAL=DIR",
    "NOTIFY_URL=https://example.org/events make land",
}
#: tests/forge/test_upgrade.py makes a template with two versions.
UPGRADE = {
    "git remote add template https://github.com/OWNER/NAME",
    *("make upgrade", "make upgrade TO=v0.3.0", "make upgrade BASE=v0.2.0"),
    *("git switch upgrade/v0.3.0", "git commit --all --amend --no-edit"),
}

#: How a HOLD is overridden, and how an experiment begins and ends.
OVERRIDE = {'.venv/work/bin/python -m forge merge --override "the new model knows the bookings from October on"'}
EXPERIMENT = (
    ".venv/work/bin/python -m forge challenge VERSION --share 0.1",
    ".venv/work/bin/python -m forge challenge --end",
)


def commands():
    """Every command of the instructions, once."""
    return dict.fromkeys(command for page in INSTRUCTIONS for command in commands_of(page.read_text()))


class Checkout:
    """A copy that a person has just made, and what is typed in it."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.forge = LocalForge(folder / ".forge")
        self.typed = []

    def type(self, command, code=0, **words):
        """What *command*, which is on a page, prints; *words* replace those that a reader has to."""
        self.typed.append(command)
        assert command in commands(), f"{command} is on no page"
        for name, value in words.items():
            command = command.replace(name, value)
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=own, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout


@pytest.fixture
def bundles():
    return sorted((ROOT / "tests/bundles/format-1/binary").iterdir())


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "my checkout")


@pytest.mark.loop
@pytest.mark.timeout(900)
def test_the_demo_goes_as_the_tutorial_says(checkout):
    """Eight steps, each with what came of it; it stays out of the checkout's own files."""
    before = {path.name for path in checkout.folder.iterdir()}
    printed = checkout.type("make demo")

    for number in range(1, 9):
        assert f"  ({number}) " in printed
    assert printed.count("PROMOTE") == 2
    assert printed.count("REJECT") == 1
    assert "0 failed" in printed
    assert {path.name for path in checkout.folder.iterdir()} - before == {".demo"}
    page = checkout.folder / ".demo/site/index.html"
    assert f"{page}  the dashboard" in printed
    assert "Beyond a limit, by day" in page.read_text()


@pytest.mark.loop
@pytest.mark.timeout(600)
def test_the_loop_step_by_step_goes_as_the_pages_say(checkout):
    """From the first retrain to the rollback."""
    assert "proposal 1 on branch retrain" in checkout.type("make retrain TODAY=2013-04-01")
    assert "PROMOTE" in checkout.type("make gate")
    assert "is live" in checkout.type("make land")
    assert "published" in checkout.type("make status")
    first = checkout.forge.releases()[0]

    (curl,) = (command for command in commands() if command.startswith("curl"))
    with serving(checkout) as address:
        answer = score(curl, address)
        assert answer["version"] == first.version
        assert 0 < answer["score"] < 1
        assert "no change: no day could be evaluated yet" in checkout.type("make watch")
        assert "no day could be evaluated yet" in checkout.type("TODAY=2026-03-01 make watch")
        assert "no experiment runs" in checkout.type("make experiment")
        (prune,) = (command for command in commands() if " feature prune " in command)
        checkout.type(prune)

        second = a_later_release(checkout.forge, first)
        wait_for(lambda: ready(address)["version"] == second, 60, "no swap")
        (anchor,) = (command for command in commands() if " -m checks anchor " in command)
        assert f"moves the anchor from {first.version} to {second}" in checkout.type(anchor)
        assert f"answered instead of {second}" in checkout.type("make drill-rollback")
        assert "of 28" in checkout.type("make score")
        assert '"tests"' in checkout.type(".venv/work/bin/python -m checks score --json")
        assert "ledger" in checkout.type(".venv/work/bin/python -m checks debt --journal .forge/journal")
        assert "[earlier]" in checkout.type(".venv/work/bin/python -m forge unsigned")
        said = f"scorers serve {first.version} after their next sync"
        assert said in checkout.type("make rollback")
        wait_for(lambda: ready(address)["version"] == first.version, 60, "no rollback")

    (comment,) = (command for command in commands() if " -m forge comment " in command)
    checkout.type(comment)
    assert "index.html" in checkout.type("make site")

    ship, prune = (command for command in commands() if " -m archive " in command)
    assert re.search(r"\d+ files made, \d+ sent", checkout.type(ship))
    assert "deleted" in checkout.type(prune)
    (compared,) = (command for command in commands() if " -m model train " in command)
    assert "exported" in checkout.type(compared)
    (trying,) = (command for command in commands() if command.endswith(" -m model check"))
    assert "rows fit the contract" in checkout.type(trying)
    comes, goes = (command for command in commands() if re.search(" -m model feature (add|drop) ", command))
    recipe = checkout.folder / "model/recipe.py"
    checkout.type(comes)
    assert 'Feature("hour"' in recipe.read_text()
    checkout.type(goes)
    assert "retired" in recipe.read_text()
    printed = checkout.type("RECIPE=tests/recipes/buys.py make retrain TODAY=2026-02-20")
    assert "buys: model" in printed
    in_other_tests = {"make demo", "make serve", "make retrain gate", ON_GITHUB, curl, *LONG, *HOUSE, *ELSEWHERE}
    in_other_tests |= {*OVERRIDE, *EXPERIMENT, *UPGRADE}
    assert commands().keys() - checkout.typed == in_other_tests


def test_a_hold_is_overridden_and_an_experiment_begins_and_ends_as_the_guides_say(checkout, bundles):
    """In a folder; the candidate of the experiment was held, too."""
    old, new = (Bundle.load(path) for path in bundles)
    for bundle, path in zip((old, new), bundles, strict=True):
        checkout.forge.upload(bundle.version, path)
        checkout.forge.describe(bundle.version, "## ⏸️ HOLD\n\n**It is close.**\n")
    text = with_champion(Live(), old.version, old.digest).to_toml()
    checkout.forge.propose("retrain", "model", "", {LIVE: text})
    checkout.forge.status("retrain", False, "HOLD: it is close")

    (override,) = OVERRIDE
    assert f"{old.version} is live" in checkout.type(override)
    notes = {each.version: each.notes for each in checkout.forge.releases()}
    assert "the verdict was HOLD: the new model knows the bookings from October on" in notes[old.version]

    begin, end = EXPERIMENT
    assert f"{new.version} is the challenger" in checkout.type(begin, VERSION=new.version)
    assert parse_live(checkout.forge.read(LIVE)).challenger.share == 0.1
    assert "has ended" in checkout.type(end)
    assert parse_live(checkout.forge.read(LIVE)).challenger is None


def test_a_scorer_follows_a_repository_as_the_readme_says(checkout, bundles):
    """No secret: the repository is a public one."""
    fake = FakeGitHub({LIVE: Live().to_toml()})
    server = serve(fake)
    forge = GitHubForge(NAME, "secret", fake.url, sleep=lambda _: None)
    loaded = Bundle.load(bundles[0])
    forge.upload(loaded.version, bundles[0])
    forge.propose("retrain", "model", "", {LIVE: with_champion(Live(), loaded.version, loaded.digest).to_toml()})
    forge.status("retrain", True, "good")
    forge.merge("retrain", "model")

    where = ON_GITHUB.split(maxsplit=1)[0].replace("OWNER/NAME", NAME)
    own = dict([where.split("=")]) | {"GITHUB_API_URL": fake.url, "GITHUB_TOKEN": ""}
    with serving(checkout, own) as address:
        assert ready(address)["version"] == loaded.version
    server.shutdown()
    server.server_close()


def test_make_alone_lists_every_command(checkout):
    """With a line on each."""
    listed = subprocess.run(["make"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert re.findall(r"^  make ([a-z-]+) +\S", listed, re.MULTILINE) == targets


def test_the_readme_is_one_screen_and_its_links_are_there():
    """The rest is in docs/."""
    linked = re.findall(r"\]\(([^)#]+)\)", README)

    assert len(README.splitlines()) <= 150
    assert [link for link in linked if "://" not in link and not (ROOT / link).exists()] == []


def test_every_page_is_linked_from_the_readme_or_from_a_page_of_its_section():
    """A page that nothing links to is not found on GitHub, where there is no navigation."""
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)#]+\.md)[^)]*\)", page.read_text())
    }

    assert [page for page in PAGES if page not in linked and page.parent not in (ROOT, ROOT / "docs")] == []


def test_what_the_tutorial_says_the_demo_prints_is_what_it_prints():
    """The shape of it: numbers, names and times differ from run to run."""
    shown = re.search(r"```text\n(.*?)```", (ROOT / "docs/tutorials/demo.md").read_text(), re.DOTALL).group(1)
    story = (ROOT / "tests/loop/__main__.py").read_text()

    chapters = re.findall(r"\((\d)\) (.+)", shown)
    assert [number for number, _ in chapters] == list("12345678")
    assert all(words in story for _, words in chapters)


class serving:  # noqa: N801 -- reads as a word in a with
    """`make serve` at a free port, until the block ends."""

    def __init__(self, checkout, more=()):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        assert "make serve" in commands()
        self.process = subprocess.Popen(
            ["make", "serve", f"PORT={self.port}"], cwd=checkout.folder, start_new_session=True,
            env=os.environ | dict(more),
        )  # fmt: skip

    def __enter__(self):
        address = f"127.0.0.1:{self.port}"
        wait_for(lambda: ready(address).get("version"), 60, "nothing serves")
        return address

    def __exit__(self, *_):
        os.killpg(self.process.pid, 2)  # Ctrl-C
        self.process.wait(30)


def ready(address):
    try:
        with urllib.request.urlopen(f"http://{address}/ready", timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return {}


def score(curl, address):
    """What the curl on the pages would get: curl itself may not be installed."""
    words = shlex.split(curl)
    headers = dict([words[words.index("-H") + 1].split(": ")])
    request = urllib.request.Request(f"http://{address}/score", words[words.index("-d") + 1].encode(), headers)
    assert words[2] == "localhost:8000/score"
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def a_later_release(forge, release):
    """The same bundle under a later version, live: something to roll back from."""
    later = "20991231T0000-" + release.version[14:]
    folder = forge.root.parent / "later"
    forge.download(release.version, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": later}))
    forge.upload(later, folder)
    forge.propose(
        "retrain", later, "", {LIVE: with_champion(parse_live(forge.read(LIVE)), later, release.digest).to_toml()}
    )
    forge.status("retrain", True, "good")
    forge.merge("retrain", later)
    return later
