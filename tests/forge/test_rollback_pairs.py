"""Two things at once: what changes what is live, each waiting behind the other, as a table.

v1, v2 and v3 were live, v3 is, and v4 is a candidate. Each robot knows from when it was asked for which
version it is about; a person's gesture is done when its turn comes, about v3 or what became of it.
"""

import copy
import itertools
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from contracts.bundle_content import content_digest
from contracts.live_config import LIVE, Live, Slot, parse_live, with_champion
from contracts.release_policy import Rollback
from forge.__main__ import main
from forge.local.folder_forge import LocalForge
from forge.releases.landing import INCIDENT
from monitoring.experiment.experiment_run import _propose
from monitoring.experiment.slot_changes import SlotChange
from monitoring.experiment.variant_comparison import split_of
from monitoring.incidents.auto_rollback import Alarm
from monitoring.incidents.forge_actions import answer_comments, roll_back_if_due
from tests.forge.conftest import on_github, person
from tests.forge.fake_github import FakeGitHub

pytestmark = pytest.mark.slow

ACTIONS = ("land", "button", "comment", "automatic", "revert", "unrevert", "latest", "delete", "edit", "experiment")
#: What must be true at the end. A row is the first of the two, a column the second, in the order of ACTIONS.
#: The number is what is live. "s": the second said that it is about another version, and stopped.
#:   4    v4 landed, and nothing was withdrawn
#:   2    v3 was rolled back: withdrawn, with an open incident
#:   3    nothing changed
#:   2d   as 2, and the release v3 is gone;  4d as 4, and the release v3 is gone
#:   3u   v3 was rolled back and is live again: nothing is withdrawn, the incident is closed
#:   4u   as 3u, and then v4 landed
#:   2b   v4 was rolled back to v2, behind its landing: v3 and v4 are withdrawn
PAIRS = """\
            land button comment automatic revert unrevert latest delete edit experiment
land        4    4s     4s      4s        4      4        2b     4d     4    4
button      2    2s     2s      2s        2      3u       2      2d     2    2
comment     2    2s     2s      2s        2      3u       2      2d     2    2
automatic   2    2s     2s      2s        2      3u       2      2d     2    2
revert      2    2s     2s      2s        2      3u       2      2d     2    2
unrevert    4u   2      2       2         2      3u       2      2d     3u   3u
latest      2    2s     2s      2s        2      3u       2      2d     2    2
delete      2d   2ds    2ds     2ds       2d     2d       2d     2d     2d   2d
edit        4    2      2       2         2      3u       2      2d     3    3
experiment  3    2      2       2         2      3u       2      2d     3    3
"""
ENDS = {  # live, published, withdrawn, incidents
    "4": (4, "1234", "", {}),
    "2": (2, "12", "3", {3: "open"}),
    "3": (3, "123", "", {}),
    "2d": (2, "12", "", {3: "open"}),
    "4d": (4, "124", "", {}),
    "3u": (3, "123", "", {3: "closed"}),
    "4u": (4, "1234", "", {3: "closed"}),
    "2b": (2, "12", "34", {4: "open"}),
}
#: What a landing that comes second says, where it does not land.
UNLANDED = {"land": "landed already", "experiment": "propose again"}
CASES = [
    (row.split()[0], second, end)
    for row in PAIRS.splitlines()[1:]
    for second, end in zip(ACTIONS, row.split()[1:], strict=True)
]
#: Where a folder does otherwise than GitHub. A comment and the watch call what the button calls.
IN_FOLDER = ("land", "button", "revert", "unrevert", "latest", "delete")
RULES = Rollback("on", 1e6, 0.01, 250)


class World:
    """A forge, its people and its robots. *versions* are numbered from 1; 5 is a challenger."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "rules.toml").write_text('[land]\npolicy = "always"\nmax_churn = 1\nduring_experiment = "land"\n')
        self.slots = {n: self.bundle(n) for n in range(1, 6)}

    def bundle(self, n):
        """A small one; the digest is over its content."""
        manifest = {"format": 1, "files": {}, "number": n}
        digest = content_digest(manifest)
        version = f"2026010{n}T0000-{digest[7:19]}"
        place = self.folder / "bundles" / version
        place.mkdir(parents=True, exist_ok=True)
        named = manifest | {"version": version, "digest": digest}
        (place / "manifest.json").write_text(json.dumps(named))
        return Slot(version, digest)

    def begin(self):
        """v1, v2 and v3 were live; v3 is, beside a challenger."""
        forge = self.forge()
        for slot in self.slots.values():
            forge.upload(slot.version, self.folder / "bundles" / slot.version)
        for n in (1, 2, 3):
            self.push(with_champion(self.live(), *self.of(n)), f"model {n}")
            forge.describe(self.of(n)[0], f"## PROMOTE\n\nModel {n}.\n")
            assert self.type("release") == 0
        version, digest = self.of(5)
        forge.describe(version, "## ⏸️ HOLD\n\nAn experiment settles it.\n")
        self.push(Live(self.live().champion, Slot(version, digest, 0.1)), "try 5")
        forge.alert("watch:errors", "errors", "words")
        return self

    def of(self, n):
        return self.slots[n].version, self.slots[n].digest

    def n(self, version):
        return next((n for n, slot in self.slots.items() if slot.version == version), 0)

    def live(self):
        return parse_live(self.forge().read(LIVE))

    def type(self, *words, forge=None):
        return main([*words, "--forge", "here"], lambda _: forge or self.forge())

    def ended(self):
        """What a person sees at the end: live, published, withdrawn, incidents."""
        forge = self.forge()
        releases = forge.releases()
        states = {
            state: "".join(sorted(str(self.n(r.version)) for r in releases if r.state == state))
            for state in ("published", "withdrawn")
        }
        live = self.n(self.live().champion.version)
        assert [self.n(r.version) for r in releases if r.latest] in ([live], [])
        return (
            live,
            states["published"],
            states["withdrawn"],
            {self.n(a.marker.removeprefix(INCIDENT)): a.state for a in forge.alerts() if a.marker.startswith(INCIDENT)},
        )

    def seen(self):
        """All that there is, but for when."""
        forge = self.forge()
        return (
            self.ended(),
            self.live(),
            [(r.version, r.state, r.notes) for r in forge.releases()],
            [(a.marker, a.title, a.state, sorted(a.memory)) for a in forge.alerts()],
            [(c.message, c.text) for c in forge.history(LIVE)],
            [(p.branch, p.state) for p in forge.proposals()],
        )


class OnGitHub(World):
    """On the fake one."""

    def __init__(self, folder, like=None):
        super().__init__(folder)
        self.fake = FakeGitHub({LIVE: Live().to_toml()})
        self.fake.now = datetime.now(UTC)
        if like:
            kept = {k: v for k, v in vars(like.fake).items() if k != "lock"}
            vars(self.fake).update(copy.deepcopy(kept))

    def forge(self):
        return on_github(self.fake)

    def main(self):
        return self.fake.refs["heads/main"]

    def now(self):
        return self.fake.now + timedelta(minutes=1)

    def say(self, words):
        person(self.fake).say(self.forge().alerts()[-1].number, words)

    def push(self, live, message):
        self.fake.push({LIVE: live.to_toml()}, message)

    def release(self, n):
        return next((r for r in self.fake.releases.values() if r["tag_name"] == self.of(n)[0]), {})

    def latest(self, n):
        self.release(n)["prerelease"] = False
        self.fake.pinned = self.release(n)["id"]

    def delete(self, n):
        self.fake.releases.pop(self.release(n).get("id"), None)

    def edit(self, n):
        """The whole text is replaced, and what it hid is lost."""
        if self.release(n):
            self.release(n)["body"] = "Root cause: a join upstream.\r\n"


class InFolder(World):
    """On a laptop."""

    def __init__(self, folder, like=None):
        super().__init__(folder)
        if like:
            shutil.copytree(like.folder / "forge", folder / "forge")

    def forge(self):
        # A second later than git's clock: a comment is written after what it is about.
        return LocalForge(self.folder / "forge", lambda: datetime.now(UTC) + timedelta(seconds=2))

    def git(self, *words):
        place = self.folder / "forge/repo"
        return subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True).stdout

    def main(self):
        return self.git("rev-parse", "main").strip()

    def now(self):
        return datetime.now(UTC) + timedelta(seconds=3)

    def say(self, words):
        self.forge().say(self.forge().alerts()[-1].number, words)

    def push(self, live, message):
        (self.folder / "forge/repo" / LIVE).write_text(live.to_toml())
        self.git("commit", "-qam", message)

    def latest(self, n):
        (self.folder / "forge/releases/latest").write_text(self.of(n)[0] + "\n")

    def delete(self, n):
        shutil.rmtree(self.folder / "forge/releases" / self.of(n)[0], ignore_errors=True)

    def edit(self, n):
        """What is hidden stays: a folder's record without it cannot be read, and is put right by hand."""
        path = self.folder / "forge/releases" / self.of(n)[0] / "release.md"
        if path.exists():
            path.write_text(path.read_text().partition("\n")[0] + "\nRoot cause: a join upstream.\n")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """One of each kind that has begun, by kind."""
    return {kind: kind(tmp_path_factory.mktemp("begun")).begin() for kind in (InFolder, OnGitHub)}


@pytest.fixture
def world_of(begun, tmp_path):
    """Makes worlds of a kind that have begun."""
    numbers = itertools.count()
    return lambda kind: kind(tmp_path / f"world-{next(numbers)}", begun[kind])


@pytest.fixture(params=[InFolder, OnGitHub], ids=["folder", "github"])
def worlds(request, world_of):
    return lambda: world_of(request.param)


@pytest.fixture
def github(world_of):
    return world_of(OnGitHub)


def ask(world, action, monkeypatch):
    """Ask for an *action* now; returns what happens when its turn comes."""
    version = world.of(3)[0]
    if action == "land":
        candidate = {"version": world.of(4)[0], "digest": world.of(4)[1]}
        live = world.live()
        text = with_champion(live, *world.of(4)).to_toml()
        world.forge().propose("retrain", "model 4", "card", {LIVE: text})
        content = {"format": 1, "decision": "PROMOTE", "summary": "good", "candidate": candidate}
        content["champion"] = {"version": live.champion.version, "digest": live.champion.digest}
        (world.folder / "verdict.json").write_text(json.dumps(content))
        words = ["--verdict", str(world.folder / "verdict.json")]
        return lambda: world.type("land", *words, "--rules", str(world.folder / "rules.toml"))
    if action in ("button", "comment", "automatic"):
        asked = {"bad": "", "version": "", "reason": "the button"}
        requested = world.main()
        if action != "button":
            output = world.folder / "output"
            output.unlink(missing_ok=True)
            monkeypatch.setenv("GITHUB_OUTPUT", str(output))
            monkeypatch.setenv("GITHUB_ACTIONS", "true")
            if action == "comment":
                world.say("/rollback")
                answer_comments(world.forge(), world.now(), 3)
            else:
                roll_back_if_due(world.forge(), RULES, [Alarm("errors", version, "9 of 10 failed")])
            asked = dict(line.split("=", 1) for line in output.read_text().splitlines())
            assert asked["bad"] == version
        return lambda: world.type(
            "rollback",
            "--bad",
            asked["bad"],
            "--requested",
            requested,
            "--to",
            asked["version"],
            "--reason",
            asked["reason"],
        )
    return lambda: GESTURES[action](world)


def revert(world):
    """Of the landing of v3: after another landing it has a conflict, and cannot be merged."""
    if world.n(world.live().champion.version) == 3:
        world.push(with_champion(world.live(), *world.of(2)), 'Revert "model 3"')
    world.type("release")


def unrevert(world):
    """Of what rolled v3 back; where nothing has yet, both."""
    revert(world)
    if world.n(world.live().champion.version) == 2:
        world.push(with_champion(world.live(), *world.of(3)), 'Revert "Roll back"')
    world.type("release")


def by_hand(gesture, n):
    def act(world):
        getattr(world, gesture)(n)
        world.type("release")

    return act


def experiment(world):
    change = SlotChange("end-experiment", "End the experiment: it lost", "it lost", True)
    split = split_of(world.forge().history(LIVE))
    if split:
        _propose(world.forge(), change, split)


GESTURES = {
    "revert": revert,
    "unrevert": unrevert,
    "latest": by_hand("latest", 2),
    "delete": by_hand("delete", 3),
    "edit": by_hand("edit", 3),
    "experiment": experiment,
}


@pytest.mark.parametrize(
    ("kind", "first", "second", "end"),
    [(OnGitHub, *case) for case in CASES] + [(InFolder, *case) for case in CASES if {*case[:2]} <= {*IN_FOLDER}],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_of_two_at_once_each_does_what_it_was_asked_for(world_of, monkeypatch, capsys, kind, first, second, end):
    """And no robot undoes what another, or a person, did."""
    world = world_of(kind)
    turns = [ask(world, action, monkeypatch) for action in (first, second)]
    turns[0]()
    capsys.readouterr()
    turns[1]()
    said = "".join(capsys.readouterr())
    live, published, withdrawn, incidents = ENDS[end.rstrip("s")]

    assert world.ended() == (live, published, withdrawn, incidents)
    assert world.forge().proposal("rollback") is None
    stops = rf"nothing was rolled back: {world.of(3)[0]} (was rolled back before|is not live any more)"
    assert bool(re.search(stops, said)) == end.endswith("s")
    assert "It is withdrawn again" not in said
    if second == "land" and live != 4:
        assert UNLANDED.get(first, "run: make gate") in said
    assert (world.live().challenger is None) == ("experiment" in (first, second))
    for alert in world.forge().alerts():
        if alert.marker.startswith(INCIDENT):
            assert ("is in quarantine" in alert.body) == (alert.state == "open")
            assert "**Why" in alert.body
    notes = {world.n(r.version): r.notes for r in world.forge().releases()}
    said_so = {n for n, text in notes.items() if text.startswith("Withdrawn: ")}
    if second != "edit" or isinstance(world, OnGitHub):  # where only the text was replaced, it stays
        assert said_so == {int(n) for n in withdrawn}
    before = world.seen()
    assert world.type("release") == 0
    assert world.seen() == before


def test_the_table_has_every_pair():
    """In both orders, and each behind itself."""
    assert {(first, second) for first, second, _ in CASES} == {
        (first, second) for first in ACTIONS for second in ACTIONS
    }


class Killed(BaseException):
    """The process ends here, without a word."""


class Dying:
    """A forge whose process is killed just after a write, and so just before the next."""

    WRITES = (
        "describe",
        "comment",
        "status",
        "merge",
        "propose",
        "publish",
        "withdraw",
        "alert",
        "close",
        "resolve",
        "note",
    )

    def __init__(self, forge, number):
        self.forge, self.left = forge, number

    def __getattr__(self, name):
        found = getattr(self.forge, name)
        if name not in self.WRITES:
            return found

        def write(*words, **named):
            result = found(*words, **named)
            self.left -= 1
            if self.left == 0:
                raise Killed
            return result

        return write


def nothing(world):
    pass


def unreverted(world):
    revert(world)
    world.push(with_champion(world.live(), *world.of(3)), 'Revert "Revert"')


def landed(world):
    world.push(with_champion(world.live(), *world.of(4)), "model 4")
    world.type("release")


def rolled_back(world):
    world.type("rollback", "--reason", "odd")


#: What was before, the command that is killed, and how it goes on: with the same words, or with another command.
KILLED = {
    "button": (nothing, lambda w: ["rollback", "--bad", w.of(3)[0], "--reason", "odd"], None),
    "button, then only the clock": (nothing, lambda w: ["rollback", "--bad", w.of(3)[0], "--reason", "odd"], "release"),
    "typed": (nothing, lambda w: ["rollback", "--reason", "odd"], None),
    "by two": (landed, lambda w: ["rollback", "--to", w.of(2)[0], "--reason", "odd"], None),
    "deleted": (lambda w: w.delete(3), lambda w: ["release"], None),
    "latest": (lambda w: w.latest(2), lambda w: ["release"], None),
    "unrevert": (unreverted, lambda w: ["release"], None),
    "only one deleted": (lambda w: [w.delete(n) for n in (1, 2, 3)], lambda w: ["release"], None),
    "stored again": (lambda w: w.delete(2), lambda w: ["restore", str(w.folder / "bundles" / w.of(2)[0])], None),
    "undone by two": (
        lambda w: [
            landed(w),
            w.type("rollback", "--to", w.of(2)[0], "--reason", "odd"),
            w.push(with_champion(w.live(), *w.of(4)), 'Revert "Roll back"'),
        ],
        lambda w: ["release"],
        None,
    ),
    "withdrawn marked latest": (lambda w: [rolled_back(w), w.latest(3)], lambda w: ["release"], None),
}


@pytest.mark.parametrize(
    ("kind", "name"), [*((OnGitHub, name) for name in KILLED), (InFolder, "button"), (InFolder, "undone by two")]
)
def test_what_is_killed_after_any_write_is_finished_by_the_next_run(world_of, kind, name):
    """Each write in turn; then the same command again, or the hourly one."""
    prepare, words, other = KILLED[name]

    def prepared():
        world = world_of(kind)
        prepare(world)
        return world

    calm = prepared()
    calm.type(*words(calm))
    number = 0
    while True:
        number += 1
        world = prepared()
        try:
            world.type(*words(world), forge=Dying(world.forge(), number))
        except Killed:
            world.type(*([other] if other else words(world)))
            if other and world.live() != calm.live():  # before it was merged, nothing has happened
                assert world.ended() == (3, "123", "", {})
                world.type(*words(world))
            assert world.seen() == calm.seen(), f"killed after write {number}"
        else:
            break
    assert number > 1


def alerts(world):
    return {a.marker: a for a in world.forge().alerts()}


def test_two_who_press_within_a_minute_go_back_by_one(worlds, capsys):
    """Also where the first is done before the second presses; who means the older one names it."""
    world = worlds()
    for _ in range(2):
        assert world.type("rollback", "--reason", "odd") == 0
        assert world.n(world.live().champion.version) == 2
    assert "nothing was rolled back" in capsys.readouterr().out

    assert world.type("rollback", "--bad", world.of(2)[0], "--reason", "odd, too") == 0
    assert world.ended() == (1, "1", "23", {3: "open", 2: "open"})


def test_a_version_that_was_never_live_cannot_be_meant(worlds, capsys):
    """A typing mistake is not taken for a rollback that is done."""
    world = worlds()

    assert world.type("rollback", "--bad", world.of(4)[0], "--reason", "odd") == 6
    assert f"{world.of(4)[0]} was never live; {world.of(3)[0]} is" in capsys.readouterr().err


def test_a_rollback_that_was_killed_before_it_merged_leaves_no_proposal_behind_a_landing(worlds):
    """Somebody could merge it."""
    world = worlds()
    words = ["rollback", "--bad", world.of(3)[0], "--reason", "odd"]
    with pytest.raises(Killed):
        world.type(*words, forge=Dying(world.forge(), 2))
    assert world.forge().proposal("rollback")
    landed(world)

    assert world.type(*words) == 0
    assert world.ended() == (4, "1234", "", {})
    assert world.forge().proposal("rollback") is None


def digest_on(world, n, digest):
    """Somebody edits what a release's notes hide."""
    if isinstance(world, OnGitHub):
        release = world.release(n)
        release["body"] = release["body"].replace(world.of(n)[1], digest)
    else:
        path = world.folder / "forge/releases" / world.of(n)[0] / "release.md"
        path.write_text(path.read_text().replace(world.of(n)[1], digest))


def bundle_on(world, n):
    """Somebody puts another bundle where one was, under its name."""
    content = json.dumps({"format": 1, "files": {}, "number": 9, "version": world.of(n)[0], "digest": world.of(n)[1]})
    if isinstance(world, OnGitHub):
        number = world.release(n)["id"]
        (asset,) = (a for a in world.fake.assets.values() if a["release"] == number)
        asset["content"] = content.encode()
    else:
        place = world.folder / "forge/releases" / world.of(n)[0] / "bundle"
        (place / "manifest.json").write_text(content)


FORGED = {
    "notes": lambda w: digest_on(w, 2, w.of(4)[1]),
    "files": lambda w: bundle_on(w, 2),
    "both": lambda w: [bundle_on(w, 2), digest_on(w, 2, content_digest({"format": 1, "files": {}, "number": 9}))],
}


@pytest.mark.parametrize("how", FORGED)
def test_no_rollback_goes_to_a_release_that_is_not_what_main_has_named(worlds, capsys, how):
    """What is on a release can be edited: main's history says what may be served."""
    world = worlds()
    FORGED[how](world)
    before = world.live()

    assert world.type("rollback", "--reason", "odd") == 6
    assert world.live() == before
    assert "Roll back to another: --to VERSION" in capsys.readouterr().err
    incident = alerts(world)[f"{INCIDENT}changed:{world.of(2)[0]}"]
    assert world.of(2)[1] in incident.body
    assert "python -m forge restore" in incident.body
    assert world.type("rollback", "--to", world.of(1)[0], "--reason", "odd") == 0
    assert world.live().champion == world.slots[1]


def test_the_name_that_notes_hide_is_not_believed(github):
    """A release is what its tag says."""
    release = github.release(1)
    release["body"] = release["body"].replace(github.of(1)[0], github.of(2)[0])

    assert {github.n(r.version) for r in github.forge().releases()} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "hidden", ['{"state": "published"}', '{"state": 7}', "{", '{"state": "published", "digest": "x", "at": "now"}']
)
def test_a_hidden_line_that_somebody_spoilt_is_passed_over(github, hidden):
    """What a release is then comes from GitHub and from the bundle."""
    github.release(2)["body"] = f"<!-- tidegate: {hidden} -->\nWords.\n"

    assert github.type("release") == 0
    (found,) = (r for r in github.forge().releases() if github.n(r.version) == 2)
    assert (found.digest, found.state) == (github.of(2)[1], "published")
    assert github.type("rollback", "--reason", "odd") == 0


def test_the_live_release_is_deleted_and_there_is_none_before_it(worlds, monkeypatch, capsys):
    """An incident has the steps; nothing is refused that would help."""
    world = worlds()
    turn = ask(world, "land", monkeypatch)
    for n in (1, 2, 3):
        world.delete(n)

    assert world.type("release") == 6
    assert "python -m forge restore STORE/bundles/" in capsys.readouterr().err
    incident = alerts(world)[f"{INCIDENT}stuck:{world.of(3)[0]}"]
    assert "merge the pull request of a model that the gate has judged" in incident.body
    assert turn() == 0
    assert "left to a person" in capsys.readouterr().out
    assert world.type("rollback", "--reason", "x") == 6
    assert "make retrain gate land" in capsys.readouterr().err

    assert world.type("merge") == 0
    assert world.type("release") == 0
    assert world.n(world.live().champion.version) == 4
    assert alerts(world)[incident.marker].state == "closed"


def test_a_release_that_was_deleted_is_stored_again_from_a_copy(worlds, capsys):
    """From a scorer's store, say; only with the content that main has named."""
    world = worlds()
    for n in (1, 2, 3):
        world.delete(n)
    world.type("release")
    place = world.folder / "bundles"

    assert world.type("restore", str(place / world.of(4)[0])) == 6
    assert "has named it with nothing" in capsys.readouterr().err
    assert world.type("restore", str(place / world.of(3)[0])) == 0
    assert world.type("release") == 0
    assert world.ended()[:2] == (3, "3")
    assert alerts(world)[f"{INCIDENT}stuck:{world.of(3)[0]}"].state == "closed"
    assert world.type("restore", str(place / world.of(2)[0])) == 0
    assert world.type("rollback", "--reason", "odd") == 0
    assert world.ended()[:3] == (2, "2", "3")


def test_an_older_release_that_is_stored_again_is_not_the_latest(worlds):
    """It would be taken for a person's wish to go back to it."""
    world = worlds()
    world.delete(2)

    assert world.type("restore", str(world.folder / "bundles" / world.of(2)[0])) == 0
    assert world.type("release") == 0
    assert world.ended() == (3, "123", "", {})


def test_the_only_release_made_a_pre_release_can_be_made_one_again(worlds):
    """The step that the incident names."""
    world = worlds()
    for n in (1, 2):
        world.delete(n)
    mark(world, 3, "withdrawn")
    assert world.type("release") == 6
    (incident,) = (a for a in alerts(world).values() if ":stuck:" in a.marker)
    assert "turn it from a pre-release into a release again" in incident.body
    mark(world, 3, "published")

    assert world.type("release") == 0
    assert alerts(world)[incident.marker].state == "closed"


def mark(world, n, state):
    """A person ticks or clears *pre-release*."""
    if isinstance(world, OnGitHub):
        world.release(n)["prerelease"] = state == "withdrawn"
        return
    path = world.folder / "forge/releases" / world.of(n)[0] / "release.md"
    other = {"withdrawn": "published", "published": "withdrawn"}[state]
    path.write_text(path.read_text().replace(f'"state": "{other}"', f'"state": "{state}"'))


def test_notes_of_a_withdrawn_release_that_are_rewritten_change_no_incident(worlds):
    """A person closed it, and its reason stays."""
    world = worlds()
    world.type("rollback", "--reason", "it lost money: see dashboard 7")
    marker = f"{INCIDENT}{world.of(3)[0]}"
    world.forge().set_state(alerts(world)[marker].number, "closed")
    before = alerts(world)[marker]
    world.edit(3)

    for _ in range(2):
        assert world.type("release") == 0
        assert alerts(world)[marker] == before
    assert "**Why:** it lost money: see dashboard 7" in before.body
    assert world.ended() == (2, "12", "3", {3: "closed"})


@pytest.mark.parametrize("closed", [False, True])
def test_a_withdrawn_version_that_is_marked_latest_is_withdrawn_again_with_a_word(worlds, capsys, closed):
    """Below its incident, and in the run's summary; the incident stays as it was."""
    world = worlds()
    world.type("rollback", "--reason", "odd")
    marker = f"{INCIDENT}{world.of(3)[0]}"
    if closed:
        world.forge().set_state(alerts(world)[marker].number, "closed")
    before = alerts(world)[marker]
    if not isinstance(world, OnGitHub):
        mark(world, 3, "published")
    world.latest(3)
    capsys.readouterr()

    assert world.type("release") == 0
    assert "To make it live again, revert the commit" in capsys.readouterr().out
    assert world.ended() == (2, "12", "3", {3: before.state})
    assert alerts(world)[marker] == before
    words = [note for note in notes_below(world, before.number) if "marked as the latest" in note]
    assert len(words) == 1


def notes_below(world, number):
    if isinstance(world, OnGitHub):
        return [c["body"] for c in world.fake.comments.values() if c["issue"] == number]
    return [body for meta, body in world.forge()._comments.all() if meta["alert"] == number]


def test_a_candidate_that_is_marked_latest_is_not_the_latest_and_that_is_said(worlds, capsys):
    """It goes live by its pull request."""
    world = worlds()
    world.latest(4)

    assert world.type("release") == 0
    assert f"{world.of(4)[0]} was marked as the latest by hand, and was never live" in (capsys.readouterr().out)
    assert world.live().champion == world.slots[3]
    assert [world.n(r.version) for r in world.forge().releases() if r.latest] == [3]


@pytest.mark.parametrize("closed", [False, True])
def test_what_is_live_again_is_withdrawn_nowhere(worlds, closed):
    """Not in its notes, and not in its incident, whoever closed that."""
    world = worlds()
    revert(world)
    marker = f"{INCIDENT}{world.of(3)[0]}"
    if closed:
        world.forge().set_state(alerts(world)[marker].number, "closed")
    unrevert(world)

    (live,) = (r for r in world.forge().releases() if world.n(r.version) == 3)
    assert live.notes == "## PROMOTE\n\nModel 3.\n"
    incident = alerts(world)[marker]
    assert (incident.state, incident.by_hand) == ("closed", False)
    assert "quarantine" not in incident.body
    assert "is live again, since" in incident.body
    assert 'Revert "model 3"' in incident.body


def test_a_rollback_by_two_is_undone_as_a_whole(worlds):
    """The version in the middle is withdrawn with the bad one, and published again with it."""
    world = worlds()
    landed(world)
    world.type("rollback", "--to", world.of(2)[0], "--reason", "odd")
    assert world.ended() == (2, "12", "34", {4: "open"})
    world.push(with_champion(world.live(), *world.of(4)), 'Revert "Roll back"')

    assert world.type("release") == 0
    assert world.ended() == (4, "1234", "", {4: "closed"})


def test_an_older_version_that_a_person_withdrew_stays_so(worlds):
    """It is not what a rollback goes to, and no incident: nothing that is live changed."""
    world = worlds()
    mark(world, 2, "withdrawn")

    assert world.type("release") == 0
    assert world.ended() == (3, "13", "2", {})
    assert world.type("rollback", "--reason", "odd") == 0
    assert world.ended() == (1, "1", "23", {3: "open"})


def test_a_challenger_that_a_rollback_withdraws_leaves(worlds):
    """It would answer its share of the rows."""
    world = worlds()
    landed(world)
    live = world.live()
    world.push(Live(live.champion, Slot(*world.of(3), 0.5), live.anchor), "try 3 again")

    assert world.type("rollback", "--to", world.of(2)[0], "--reason", "odd") == 0
    assert world.live().challenger is None


@pytest.mark.parametrize("name", ["button", "deleted", "unrevert"])
def test_an_outage_of_github_at_any_request_is_made_up_for_by_the_next_run(world_of, name):
    """One call of the forge is several requests; from one of them on, none that writes arrives."""
    prepare, words, _ = KILLED[name]

    def prepared():
        world = world_of(OnGitHub)
        prepare(world)
        return world

    calm = prepared()
    calm.type(*words(calm))
    for done in range(100):
        world = prepared()
        world.fake.trouble("before", method="POST|PATCH|PUT|DELETE", skip=done, times=1000)
        if world.type(*words(world)) == 0:
            break
        world.fake.faults.clear()
        assert world.type(*words(world)) == 0
        assert world.seen() == calm.seen(), f"an outage after {done} requests"
    assert done > 2
