"""`python -m checks gate`: exit codes, and files that are written whole or not at all."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from subprocess import PIPE

import pytest

from bundles.bundle import Bundle
from checks.__main__ import CANNOT_JUDGE, FORGE, HOLD, OK, REJECT, USAGE, main, read_inputs
from checks.options import parser
from checks.rules.serving.serving_limits import SERVING
from contracts.bundle_content import content_digest
from contracts.live_config import Live, Slot, parse_live, with_champion
from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge

pytestmark = pytest.mark.slow

LIVE = "serve/live.toml"
OTHER = "20260101T0000-0000000"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "the gate"


@pytest.fixture
def gate(out, root, tmp_path):
    """What a person types, with the exit code; where no drill was run."""
    words = ["gate", "--out", str(out), "--drill", str(tmp_path / "drill.json")]
    return lambda *more: main([*words, *map(str, more)])


@pytest.fixture
def forge(tmp_path, bundles):
    """A forge that knows both bundles; the older is live."""
    forge = LocalForge(tmp_path / "forge")
    for bundle in bundles:
        forge.upload(bundle.name, bundle)
    move(forge, bundles[0])
    forge.publish(bundles[0].name)
    return forge


def propose(forge, bundle, branch="retrain"):
    loaded = Bundle.load(bundle)
    live = with_champion(parse_live(forge.read(LIVE)), loaded.version, loaded.digest)
    forge.propose(branch, f"model {loaded.version}", "", {LIVE: live.to_toml()})


def move(forge, bundle):
    propose(forge, bundle, "move")
    forge.status("move", True, "good")
    forge.merge("move", "move")


def verdict(out):
    return json.loads((out / "verdict.json").read_text())


def test_the_first_of_all_is_promoted_without_a_champion(gate, out, bundles, capsys):
    """And says that there is nothing to compare with."""
    assert gate("--candidate", bundles[0]) == OK

    assert sorted(path.name for path in out.iterdir()) == [
        "deepchecks.html",
        "report.html",
        "report.md",
        "verdict.json",
    ]
    assert "There is no champion yet to compare with." in verdict(out)["summary"]
    assert verdict(out)["champion"] is None
    assert verdict(out)["churn"] is None
    assert verdict(out)["candidate"]["version"] == bundles[0].name
    assert "PROMOTE" in capsys.readouterr().out


def test_every_required_rule_is_in_the_verdict(gate, out, bundles, rules):
    """By name, with its outcome."""
    from checks.rules.deepchecks_suite import chosen

    gate("--candidate", bundles[1], "--champion", bundles[0])
    found = {f["rule"] for f in verdict(out)["findings"]}

    assert found >= {rule.name for rule in chosen(rules.gate, "binary")}
    assert found >= {"compare.log_loss", "compare.roc_auc", "compare.baseline", "slice.discovered"}
    assert found >= {"calibration.ece", "calibration.brier", "calibration.mean"}
    assert found >= {"bundle.scores", "bundle.quarantine", "data.fresh_rows", "model.calibration"}
    assert found >= {"contract.compatible", *SERVING}
    assert {each["name"] for each in verdict(out)["features"]} == {*Bundle.load(bundles[1]).contract.feature_names}
    assert [each["version"] for each in verdict(out)["serving"]] == [bundles[1].name, bundles[0].name]


def test_the_proposal_is_judged_against_what_is_live(gate, out, forge, bundles):
    """On rows that neither has seen."""
    propose(forge, bundles[1])

    assert gate("--forge", forge.root) == OK
    assert verdict(out)["champion"]["version"] == bundles[0].name
    assert verdict(out)["fresh_rows"] == 600
    assert verdict(out)["rules_changed"] == []
    assert verdict(out)["metrics"][0]["metric"] == "log_loss"


def test_bytes_that_were_rolled_back_are_rejected(gate, out, forge, bundles):
    """Whatever their metrics."""
    forge.withdraw(bundles[1].name, "odd")
    propose(forge, bundles[1])

    assert gate("--forge", forge.root) == REJECT
    (finding,) = [f for f in verdict(out)["findings"] if f["rule"] == "bundle.quarantine"]
    assert finding["outcome"] == "FAIL"
    assert "rolled back before" in verdict(out)["summary"]


def test_the_same_model_file_under_another_name_is_known_again(gate, out, forge, bundles, tmp_path):
    """A retrain at another commit, with other evidence, gives the same graph."""
    forge.withdraw(bundles[1].name, "odd")
    copy = shutil.copytree(bundles[1], tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["metrics"]["holdout"]["brier"] = 0.1
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = "20260401T0000-" + manifest["digest"][7:19]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    forge.upload(manifest["version"], copy)
    propose(forge, copy)

    assert gate("--forge", forge.root) == REJECT
    assert "bundle.quarantine" in verdict(out)["summary"]


def inputs(work, *words):
    """What these arguments name."""
    return read_inputs(parser("").parse_args(["gate", "--out", "-", *map(str, words)]), work)


def test_what_was_rolled_back_is_known_though_its_release_is_gone_or_not_settled(forge, bundles, tmp_path):
    """live.toml's history says it before the releases do, and after."""
    old, new = (Bundle.load(bundle) for bundle in bundles)
    gone = "sha256:" + "9" * 64
    move(forge, bundles[1])
    live = with_champion(Live(), "20990101T0000-9999999", gone)
    forge.propose("move", "one whose release is gone", "", {LIVE: live.to_toml()})
    forge.status("move", True, "good")
    forge.merge("move", "move")
    move(forge, bundles[0])
    found = inputs(tmp_path / "w", "--forge", forge.root, "--candidate", bundles[1], "--against-live")

    assert {release.state for release in forge.releases()} == {"candidate", "published"}
    assert found.quarantine == {gone, new.digest, new.manifest["files"]["model.onnx"]}
    move(forge, bundles[1])
    found = inputs(tmp_path / "v", "--forge", forge.root, "--candidate", bundles[1], "--against-live")
    assert found.quarantine == {gone}
    move(forge, bundles[0])
    found = inputs(tmp_path / "x", "--forge", forge.root, "--candidate", bundles[1], "--against-live")
    assert found.quarantine == {gone, new.digest, new.manifest["files"]["model.onnx"]}
    assert found.champion.digest == old.digest


def test_no_bundle_is_downloaded_to_know_what_is_in_quarantine(forge, bundles, tmp_path):
    """Their manifests are enough."""
    forge.withdraw(bundles[1].name, "odd")
    inputs(tmp_path, "--forge", forge.root, "--candidate", bundles[1], "--against-live")

    assert [folder.name for folder in tmp_path.glob("2*")] == [bundles[0].name]


def test_a_bundle_in_a_folder_is_judged_against_what_is_live(gate, out, forge, bundles, tmp_path, monkeypatch):
    """A pull request changes the recipe and the rules: its bundle is in no forge, and was here before."""
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    forge.withdraw(bundles[1].name, "odd")
    rules = ["--rules-changed", "checks/thresholds.toml"]
    words = ["--candidate", bundles[1], "--against-live", *rules, "--exit-zero"]

    assert gate("--forge", forge.root, *words) == OK
    found = verdict(out)
    assert found["decision"] == "REJECT"
    assert "bundle.quarantine fails" in found["summary"]
    assert found["champion"]["version"] == bundles[0].name
    assert found["rules_changed"] == ["checks/thresholds.toml"]
    assert 0 < found["churn"] < 1
    report = (out / "report.md").read_text()
    assert "This proposal changes the gate" in report
    assert f"Prediction churn: {found['churn']:.1%} of decisions change on 600 fresh rows, over the budget" in report
    assert summary.read_text().rstrip() == report.rstrip()
    assert outputs.read_text() == "decision=REJECT\n"


def test_what_could_not_be_judged_is_said_in_the_summary_too(gate, tmp_path, monkeypatch):
    """With an exit code that no option turns into a pass, and no decision."""
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))

    assert gate("--candidate", tmp_path / "gone", "--exit-zero") == CANNOT_JUDGE
    assert summary.read_text().startswith("## ❔ Could not judge the candidate\n\nThis is not a pass: ")
    assert not outputs.exists()


def test_what_training_left_in_a_folder_is_found_there(gate, out, forge, bundles, tmp_path):
    """A workflow hands on the folder, whatever the version in it is called."""
    shutil.copytree(bundles[1], tmp_path / "candidate" / bundles[1].name)

    gate("--forge", forge.root, "--candidate", tmp_path / "candidate", "--against-live")
    assert verdict(out)["candidate"]["version"] == bundles[1].name


def test_the_candidate_may_be_the_one_that_a_live_file_names(gate, out, forge, bundles, tmp_path):
    """A pull request from elsewhere has its branch in another repository."""
    forge.upload(bundles[1].name, bundles[1])
    loaded = Bundle.load(bundles[1])
    text = with_champion(Live(), loaded.version, loaded.digest).to_toml()
    (tmp_path / "live.toml").write_text(text)

    gate("--forge", forge.root, "--live", tmp_path / "live.toml")
    assert verdict(out)["candidate"]["version"] == bundles[1].name
    assert verdict(out)["champion"]["version"] == bundles[0].name


def test_a_live_file_that_names_nobody_cannot_be_judged(gate, forge, tmp_path, capsys):
    """And that is no pass."""
    (tmp_path / "live.toml").write_text(Live().to_toml())

    assert gate("--forge", forge.root, "--live", tmp_path / "live.toml") == CANNOT_JUDGE
    assert "names no champion" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--against-live"], ["--against-live", "--candidate", "a", "--champion", "b"]])
def test_against_live_needs_a_candidate_and_no_other_champion(gate, words, capsys):
    """A mistake of the command line is said as one."""
    with pytest.raises(SystemExit) as stopped:
        gate(*words)

    assert stopped.value.code == USAGE
    assert "--against-live goes with --candidate" in capsys.readouterr().err


def test_the_champion_itself_has_nothing_to_gain(gate, out, bundles):
    """HOLD: no harm, no use."""
    assert gate("--candidate", bundles[1], "--champion", bundles[1]) == HOLD
    assert "byte for byte" in verdict(out)["summary"]


def test_too_few_fresh_rows_reject(gate, out, bundles, root, tmp_path):
    """On few rows chance decides; what was not compared did not run."""
    text = (root / "checks/thresholds.toml").read_text()
    (tmp_path / "rules.toml").write_text(text.replace("min_fresh_rows = 500", "min_fresh_rows = 5_000"))

    assert gate("--candidate", bundles[0], "--rules", tmp_path / "rules.toml") == REJECT
    found = {f["rule"]: f["outcome"] for f in verdict(out)["findings"]}
    assert found["data.fresh_rows"] == "FAIL"
    assert found["compare.log_loss"] == "NOT_RUN"


def test_a_mistake_in_the_rules_is_no_verdict(gate, out, bundles, root, tmp_path, capsys):
    """Exit code 2, every mistake, and no file."""
    text = (root / "checks/thresholds.toml").read_text().replace("min_gain", "min_gian")
    (tmp_path / "rules.toml").write_text(text)

    assert gate("--candidate", bundles[0], "--rules", tmp_path / "rules.toml") == USAGE
    assert "gate.model: min_gian is not known; did you mean min_gain?" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "model.onnx").write_bytes(b"cut"), "model.onnx has not the digest"),
        (lambda f: (f / "evidence/train.parquet").write_bytes(b""), "train.parquet has not"),
        (lambda f: (f / "manifest.json").write_text("{"), "cannot be read"),
        (shutil.rmtree, "is not a bundle"),
    ],
)
def test_what_cannot_be_judged_is_no_pass(gate, out, bundles, tmp_path, capsys, spoil, words):
    """Exit code 5, and no verdict."""
    copy = shutil.copytree(bundles[0], tmp_path / "copy")
    spoil(copy)

    assert gate("--candidate", copy) == CANNOT_JUDGE
    error = capsys.readouterr().err
    assert "could not judge the candidate, which is not a pass" in error
    assert words in error
    assert not (out / "verdict.json").exists()


def test_no_proposal_is_nothing_to_judge(gate, tmp_path, capsys):
    """With what to type."""
    assert gate("--forge", tmp_path / "empty") == CANNOT_JUDGE
    assert "no open proposal on branch retrain; open one: make retrain" in capsys.readouterr().err


def test_a_proposal_that_names_other_bytes_than_are_stored_is_not_judged(gate, forge, bundles, capsys):
    """Digest and version must agree."""
    live = with_champion(Live(), bundles[1].name, "sha256:" + "0" * 64)
    forge.propose("retrain", "odd", "", {LIVE: live.to_toml()})

    assert gate("--forge", forge.root) == CANNOT_JUDGE
    assert "but serve/live.toml names sha256:0000" in capsys.readouterr().err


def test_it_can_be_stopped_and_leaves_no_verdict(out, bundles, root):
    """Ctrl-C while Deepchecks is at work."""
    command = [sys.executable, "-u", "-m", "checks", "gate", "--candidate", str(bundles[0])]
    with subprocess.Popen([*command, "--out", str(out)], cwd=root, text=True, stdout=PIPE, stderr=PIPE) as process:
        while "loading Deepchecks" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1]

    assert process.returncode == 130
    assert errors == "error: stopped; no verdict was written\n"
    assert list(out.iterdir()) == []


def test_an_old_verdict_is_not_left_beside_a_new_failure(gate, out, bundles, tmp_path):
    """Who reads the folder must not take yesterday's verdict for today's."""
    out.mkdir()
    (out / "verdict.json").write_text("yesterday's")

    assert gate("--candidate", tmp_path / "gone") == CANNOT_JUDGE
    assert not (out / "verdict.json").exists()


def finding(out, rule):
    (found,) = [f for f in verdict(out)["findings"] if f["rule"] == rule]
    return found


def test_the_first_model_is_the_anchor_and_the_next_is_held_against_it(gate, out, forge, bundles):
    """With separate margins, on the same rows."""
    assert parse_live(forge.read(LIVE)).anchor == parse_live(forge.read(LIVE)).champion
    propose(forge, bundles[1])

    assert gate("--forge", forge.root) == OK
    assert verdict(out)["anchor"]["version"] == bundles[0].name
    assert finding(out, "compare.anchor.log_loss")["outcome"] == "PASS"
    assert finding(out, "live.anchor")["outcome"] == "PASS"
    assert verdict(out)["metrics"][0]["anchor"] == verdict(out)["metrics"][0]["champion"]


def test_a_proposal_of_a_model_that_moves_the_anchor_is_rejected(gate, out, forge, bundles):
    """What brings its own yardstick is not measured."""
    loaded = Bundle.load(bundles[1])
    live = with_champion(parse_live(forge.read(LIVE)), loaded.version, loaded.digest)
    text = replace(live, anchor=live.champion).to_toml()
    forge.propose("retrain", "both", "", {LIVE: text})

    assert gate("--forge", forge.root) == REJECT
    assert finding(out, "live.anchor")["observed"] == (
        f"the proposal moves the anchor from {bundles[0].name} to {bundles[1].name}"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda live, digest: replace(live, challenger=Slot(OTHER, digest, 0.1)), "there is no such release"),
        (lambda live, digest: replace(live, challenger=replace(live.anchor, digest=digest)), "main has named it with"),
        (lambda live, _: replace(live, challenger=replace(live.champion, share=1)), "the gate did not judge it"),
        (lambda live, _: replace(live, challenger=replace(live.anchor, share=0.1)), ""),
        (lambda live, _: replace(live, salt="spring"), ""),
    ],
)
@pytest.mark.parametrize("by", ["branch", "file"])
def test_every_slot_of_a_proposal_is_looked_at(forge, bundles, tmp_path, change, words, by):
    """Not the candidate's alone: a challenger answers people, too."""
    loaded = Bundle.load(bundles[1])
    live = with_champion(parse_live(forge.read(LIVE)), loaded.version, loaded.digest)
    text = change(live, "sha256:" + "0" * 64).to_toml()
    (tmp_path / "live.toml").write_text(text)
    forge.propose("retrain", "both", "", {LIVE: text})
    more = ["--live", tmp_path / "live.toml"] if by == "file" else []
    found = inputs(tmp_path / "work", "--forge", forge.root, *more).slots[-1]

    assert (found.rule, found.outcome, found.severity) == ("live.slots", "FAIL" if words else "PASS", "block")
    assert words in found.observed


def test_a_slot_that_was_not_judged_rejects_and_the_report_says_why(gate, out, forge, bundles):
    """However good the candidate is."""
    loaded = Bundle.load(bundles[1])
    live = with_champion(parse_live(forge.read(LIVE)), loaded.version, loaded.digest)
    text = replace(live, challenger=Slot(OTHER, "sha256:" + "0" * 64, 1.0)).to_toml()
    forge.propose("retrain", "both", "", {LIVE: text})

    assert gate("--forge", forge.root) == REJECT
    assert f"the challenger {OTHER}: there is no such release" in (out / "report.md").read_text()


@pytest.mark.parametrize("text", ["", "# What is live.\n"])
def test_where_main_does_not_say_what_is_live_nothing_can_be_judged(forge, bundles, tmp_path, text):
    """Scorers go on with a model, and a candidate must be held against it."""
    propose(forge, bundles[1])
    forge.propose("move", "emptied", "", {LIVE: text})
    forge.status("move", True, "good")
    forge.merge("move", "move")

    with pytest.raises(ForgeError, match=f"scorers keep {bundles[0].name}"):
        inputs(tmp_path, "--forge", forge.root)


def test_an_anchor_that_cannot_be_fetched_is_said_with_what_to_type(gate, out, forge, bundles):
    """No silent pass, and no standstill either."""
    live = parse_live(forge.read(LIVE))
    gone = replace(live.anchor, version="20200101T0000-0000000")
    forge.propose("move", "an anchor", "", {LIVE: replace(live, anchor=gone).to_toml()})
    forge.status("move", True, "good")
    forge.merge("move", "move")
    propose(forge, bundles[1])

    assert gate("--forge", forge.root) == OK
    found = finding(out, "compare.anchor")
    assert (found["outcome"], found["severity"]) == ("FAIL", "warn")
    assert "the anchor cannot be read" in found["observed"]
    assert "To propose another, type: python -m checks anchor." in found["why"]
    assert "To propose another, type: python -m checks anchor." in (out / "report.md").read_text()


def anchor(forge, *words):
    return main(["anchor", "--forge", str(forge.root), *map(str, words)])


def test_an_anchor_is_moved_by_a_proposal_of_its_own_that_a_person_merges(forge, bundles, capsys):
    """By hand with a reason, while it can still be read."""
    move(forge, bundles[1])
    assert anchor(forge) == FORGE
    assert "can still be read; to move it all the same, give a reason" in capsys.readouterr().err
    assert anchor(forge, "--reason", "a new season") == OK
    assert "type: python -m forge merge anchor" in capsys.readouterr().out
    assert forge.proposal("anchor").files == (LIVE,)
    before = parse_live(forge.read(LIVE))
    forge.merge("anchor", "anchor")
    after = parse_live(forge.read(LIVE))

    assert (after.anchor.version, after.champion) == (bundles[1].name, before.champion)


def test_an_anchor_whose_contract_is_gone_needs_no_other_reason(forge, bundles, by_task, capsys):
    """It predicts something else."""
    other = Bundle.load(by_task["regression"])
    forge.upload(other.version, by_task["regression"])
    live = parse_live(forge.read(LIVE))
    moved = replace(live, anchor=replace(live.anchor, version=other.version, digest=other.digest))
    forge.propose("move", "an anchor", "", {LIVE: moved.to_toml()})
    forge.status("move", True, "good")
    forge.merge("move", "move")

    assert anchor(forge) == OK
    assert "anchor and candidate predict different things" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "20200101T0000-0000000"], "is not stored"),
        # Its digest would come from text that somebody can edit.
        (["--to", "20260315T0317-36558c2", "--reason", "x"], "has never named 20260315T0317-36558c2"),
        (["--reason", "why not"], "is the anchor already"),
    ],
)
def test_what_cannot_be_the_anchor_is_refused(forge, capsys, words, message):
    """With what to type."""
    assert anchor(forge, *words) == FORGE
    assert message in capsys.readouterr().err


def test_before_the_first_model_there_is_nothing_to_anchor(tmp_path, capsys):
    """The first becomes the anchor by itself."""
    assert main(["anchor", "--forge", str(tmp_path / "empty")]) == FORGE
    assert "the first model becomes the anchor automatically" in capsys.readouterr().err


def test_a_waiver_that_nothing_needs_rejects_and_a_look_is_counted(gate, out, forge, bundles, tmp_path):
    """The report that a landing keeps records the use of these rows for the next gate."""
    waivers = tmp_path / "waivers.toml"
    waivers.write_text('[[waiver]]\nrule = "compare.baseline"\nreason = "r"\nauthor = "ann"\nuntil = 2999-01-01\n')
    propose(forge, bundles[1])
    assert gate("--forge", forge.root, "--waivers", waivers) == REJECT
    assert "waivers.compare.baseline fails: the rule does not fail" in verdict(out)["summary"]
    report = (out / "report.md").read_text()
    assert report.rstrip().endswith("-->")
    other = report.replace(Bundle.load(bundles[1]).digest, "sha256:another")
    forge.describe(bundles[0].name, other)
    forge.describe(bundles[1].name, report)

    assert gate("--forge", forge.root) == OK
    assert set(verdict(out)["looks"].values()) == {1}
    assert "by at most 1 candidates" in finding(out, "data.looks")["observed"]
