"""The drill of a rollback: nothing real changes, and what did not work is no success."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.live_config import LIVE, Live, Slot, parse_live
from forge.__main__ import main
from forge.drills.drill_records import DrillRun, keep_drills, read_drills
from forge.drills.rollback_drill import drill_rollback
from forge.drills.scorer_process import Scorer
from forge.drills.shadow_forge import land
from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 29, 5, tzinfo=UTC)
STORED = Path(__file__).parents[1] / "bundles"
#: A bundle of the first format, and a later one of the second, of each task.
PAIRS = {
    "binary": ("format-1/binary/20260220T0317-57674eb", "format-2/binary/20260315T0317-628145285cd2"),
    "multiclass": ("format-1/multiclass/20260220T0317-3da1647", "format-2/multiclass/20260220T0317-5bd0c8417989"),
}
OLD, NEW = (Path(each).name for each in PAIRS["binary"])


def two_released(folder, task="binary"):
    """A forge with two published versions; the newer one is live."""
    forge = LocalForge(folder)
    for bundle in (STORED / each for each in PAIRS[task]):
        forge.upload(bundle.name, bundle)
        digest = json.loads((bundle / "manifest.json").read_text())["digest"]
        land(forge, Live(Slot(bundle.name, digest)), f"Release {bundle.name}")
        forge.publish(bundle.name)
    return forge


class Follows(Scorer):
    """Answers at once with what the store names; *lost* versions are never served, *wrong* ones with another score."""

    def __init__(self, store, lost=(), wrong=(), refusals=0):
        self.store, self.lost, self.wrong, self.refusals = store, lost, wrong, refusals
        self.requests = self.failed = 0

    def until(self, version, row):
        if version in self.lost:
            raise ForgeError(f"{version} did not answer within 60 s")
        return self.ask(row)

    def ask(self, row):
        self.requests += 1 + self.refusals
        self.failed += self.refusals
        version = parse_live((self.store / "live.toml").read_text()).champion.version
        golden = json.loads((self.store / "bundles" / version / "manifest.json").read_text())["golden"]
        assert row == golden["rows"][0]
        score, found = golden["scores"][0], {"version": version, "id": f"of {version}"}
        if isinstance(score, list):
            return found | {"score": "a class", "probabilities": dict(enumerate(score))}
        return found | {"score": score + (version in self.wrong)}


def starting(**faults):
    @contextmanager
    def start(store, folder):
        yield Follows(store, **faults)

    return start


def drilled(forge, explains=True, **faults):
    ticks = iter(range(100))
    return drill_rollback(forge, NOW, starting(**faults), lambda *_: explains, lambda: float(next(ticks)))


@pytest.mark.parametrize("task", PAIRS)
def test_it_goes_back_and_forward_and_changes_nothing_real(tmp_path, task):
    forge = two_released(tmp_path, task)
    before = (forge.history(LIVE), forge.releases(), forge.proposals(), forge.alerts())

    back, explain = drilled(forge)

    assert (back.drill, back.ok, back.seconds) == ("rollback", True, {"back": 1.0, "forward": 1.0})
    old, new = (Path(each).name for each in PAIRS[task])
    assert f"1.0 s until {old} answered instead of {new}" in back.says
    assert (explain.drill, explain.ok) == ("explain", True)
    assert (forge.history(LIVE), forge.releases(), forge.proposals(), forge.alerts()) == before


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"lost": [OLD]}, f"{OLD} did not answer"),
        ({"wrong": [OLD]}, f"{OLD} answered"),
        ({"wrong": [NEW]}, f"{NEW} answered"),
        ({"refusals": 1}, "3 of 6 requests failed"),
    ],
)
def test_what_did_not_work_is_no_success(tmp_path, faults, says):
    back = drilled(two_released(tmp_path), **faults)[0]

    assert not back.ok
    assert says in back.says


def test_an_answer_that_cannot_be_computed_again_is_no_success(tmp_path):
    back, explain = drilled(two_released(tmp_path), explains=False)

    assert back.ok
    assert not explain.ok


def test_without_a_version_before_there_is_nothing_to_drill(tmp_path, capsys):
    """A new repository's week does not fail, and nothing is recorded as a success."""
    where = str(tmp_path / "forge")

    assert main(["drill-rollback", "--forge", where]) == 0
    assert "there is no version to roll back to yet" in capsys.readouterr().out
    assert not (tmp_path / "forge/drills.json").exists()


def test_a_file_that_is_lost_is_no_success(tmp_path):
    forge = two_released(tmp_path)
    (tmp_path / "releases" / OLD / "bundle/model.onnx").unlink()

    (back,) = drilled(forge)

    assert not back.ok
    assert "the sync failed" in back.says


def test_the_record_goes_on_and_a_torn_one_is_not_lost(tmp_path):
    forge, run = LocalForge(tmp_path), DrillRun("rollback", "2026-11-29T05:00:00Z", True, "1.3 s", {"back": 1.3})
    keep_drills(tmp_path, read_drills(forge, str(tmp_path)), [run])
    keep_drills(tmp_path, read_drills(forge, str(tmp_path)), [run] * 300)
    assert len(read_drills(forge, str(tmp_path))) == 200

    (tmp_path / "drills.json").write_text('{"runs": [')
    with pytest.raises(ForgeError, match=r"delete it"):
        read_drills(forge, str(tmp_path))
    assert (tmp_path / "drills.json").read_text() == '{"runs": ['


def test_the_real_scorer_goes_back_and_forward(tmp_path, capsys):
    """With the real server and sync; the record is kept beside the forge."""
    two_released(tmp_path)

    assert main(["drill-rollback", "--forge", str(tmp_path)]) == 0, capsys.readouterr().out
    back, explain = read_drills(LocalForge(tmp_path), str(tmp_path))
    assert back["ok"]
    assert explain["ok"]
    assert 0 < back["seconds"]["back"] < 60
