"""A candidate's ONNX files are checked before ONNX Runtime sees them, and a session reads nothing else."""

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from bundles.bundle import Bundle
from bundles.onnx_session import session
from checks.__main__ import REJECT, main
from checks.candidate import CONTENT, content, load_candidate
from checks.gate import run_gate
from checks.gate_inputs import GateInputs, from_forge
from checks.reports.undrawn import or_undrawn, undrawn_markdown, undrawn_page, unrecorded
from checks.verdict import LIVE, Finding, judge
from contracts.bundle_content import content_digest
from contracts.live_config import Live, with_champion
from forge.bundles.verifying_forge import VerifyingForge
from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge

pytestmark = pytest.mark.slow

SECRET = np.array([42.0, 43.0, 44.0, 45.0], dtype=np.float32)


def hostile(place):
    """A model whose output is what the file at *place* holds."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=1)
    for key, value in (("location", place), ("offset", "0"), ("length", str(SECRET.nbytes))):
        tensor.external_data.add(key=key, value=value)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [given], [out], [tensor])
    opsets = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(deterministic=True)


def with_file(bundle, into, name, spoilt):
    """A copy of *bundle* in which the file *name* is *spoilt*, signed as somebody could sign it."""
    copy = shutil.copytree(bundle, into / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / name).write_bytes(spoilt)
    manifest["files"][name] = "sha256:" + hashlib.sha256(spoilt).hexdigest()
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize("name", ["model.onnx", "core.onnx"])
def test_a_candidate_that_reads_other_files_is_rejected_by_name(bundles, tmp_path, name, capsys):
    """By a verdict with the rule and the reason, and a report; it was never loaded."""
    copy, out = with_file(bundles[1], tmp_path, name, hostile("secret.bin")), tmp_path / "out"
    code = main(["gate", "--candidate", str(copy), "--out", str(out), "--drill", str(out / "none")])
    verdict = json.loads((out / "verdict.json").read_text())

    assert code == REJECT
    assert [(each["rule"], each["outcome"]) for each in verdict["findings"]] == [(CONTENT, "FAIL")]
    assert f"{name}: the tensor 'w' has its data in another file" in verdict["summary"]
    assert verdict["summary"] in capsys.readouterr().out
    assert "Nothing was measured" in (out / "report.md").read_text()
    for report in ("report.md", "report.html"):
        assert CONTENT in (out / report).read_text()


def test_a_proposal_that_reads_other_files_is_rejected(bundles, tmp_path):
    """Which anybody may have pushed: its bytes are stored, and live.toml names their digest."""
    forge = LocalForge(tmp_path / "forge")
    copy = with_file(bundles[1], tmp_path, "model.onnx", hostile("secret.bin"))
    manifest = json.loads((copy / "manifest.json").read_text())
    forge.upload(manifest["version"], copy)
    live = with_champion(Live(), manifest["version"], manifest["digest"]).to_toml()
    forge.propose("retrain", "a model", "", {LIVE: live})
    words = ["gate", "--forge", str(forge.root), "--out", str(tmp_path / "out")]

    assert main([*words, "--drill", str(tmp_path / "none")]) == REJECT
    assert CONTENT in (tmp_path / "out/report.md").read_text()


def test_bytes_that_are_not_canonical_are_rejected(bundles, tmp_path):
    """Though ONNX Runtime would score with them."""
    model = (bundles[1] / "model.onnx").read_bytes()
    bundle, found = load_candidate(with_file(bundles[1], tmp_path, "model.onnx", model + b"\xc2\x3e\x00"))

    assert found.outcome == "FAIL"
    assert "not the canonical ones" in found.observed
    with pytest.raises(RuntimeError, match="only described here"):
        bundle.score([])


def test_what_the_export_writes_is_loaded(by_task):
    """Of each task, and the finding says what was looked at."""
    for folder in by_task.values():
        bundle, found = load_candidate(folder)
        assert (found.rule, found.outcome) == (CONTENT, "PASS")
        assert "model.onnx hold" in found.observed
        assert len(bundle.score(bundle.manifest["golden"]["rows"]))


def test_a_candidate_whose_files_were_not_checked_is_no_pass(bundles, rules, tmp_path):
    """A required rule that did not run rejects."""
    inputs = GateInputs(Bundle.load(bundles[0]))
    found = run_gate(inputs, rules, (), date(2026, 11, 28), tmp_path / "page", lambda _: None).verdict

    assert found.decision == "REJECT"
    assert {f.rule: f.outcome for f in found.findings}[CONTENT] == "NOT_RUN"
    assert content(inputs.candidate).outcome == "PASS"


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_report_that_cannot_be_drawn_leaves_the_verdict(bundles, rules, tmp_path, is_loaded):
    """The build's libraries are no table; the reports say so, and have what did not pass."""
    bundle = Bundle.load(bundles[0], evidence=True)
    odd = replace(bundle, manifest={**bundle.manifest, "build": {"libraries": [1]}})
    refused = None if is_loaded else Finding(CONTENT, "FAIL", "<other> file", "its own", "")
    without = {"deepchecks", "server"}
    inputs = GateInputs(odd, content=refused)
    result = run_gate(inputs, rules, (), date(2026, 11, 28), tmp_path / "page", lambda _: None, without)

    assert result.json["decision"] == result.verdict.decision == "REJECT"
    assert "The report could not be drawn: TypeError: " in result.report
    assert CONTENT in result.report
    assert "<other>" not in result.report
    assert ("<!-- looked {" in result.report) == is_loaded


def test_each_report_that_cannot_be_drawn_says_why():
    """In Markdown and HTML, without marks that the reason may hold."""
    verdict = judge([Finding("data.clock", "FAIL", "<b>", "0", "")], (), True, "")

    def fails():
        raise KeyError("<i>")

    for undrawn in (undrawn_markdown, undrawn_page, unrecorded):
        found = or_undrawn(fails, undrawn, verdict)
        assert "KeyError" in found
        assert "<i>" not in found
        assert undrawn is unrecorded or "REJECT" in found
        assert or_undrawn(lambda: "drawn", undrawn, verdict) == "drawn"


@pytest.mark.parametrize("place", ["secret.bin", "../work/secret.bin", "{0}/secret.bin"])
def test_a_session_reads_no_other_file(tmp_path, monkeypatch, place):
    """Not one in the working directory either, which is where ONNX Runtime would look."""
    work = tmp_path / "work"
    work.mkdir()
    SECRET.tofile(work / "secret.bin")
    monkeypatch.chdir(work)

    with pytest.raises(Exception, match="External data path"):
        session(hostile(place.format(work)))


def test_a_session_of_such_a_model_would_read_the_file(tmp_path, monkeypatch):
    """ONNX Runtime without our settings does: that is what the test before this one prevents."""
    SECRET.tofile(tmp_path / "secret.bin")
    monkeypatch.chdir(tmp_path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    found = onnxruntime.InferenceSession(hostile("secret.bin"), options, ["CPUExecutionProvider"])

    assert found.run(None, {"x": np.zeros(4, np.float32)})[0].tolist() == SECRET.tolist()


def test_a_session_takes_a_model_for_onnx_whatever_it_begins_with(by_task):
    """With four bytes of a producer's name it would be read as ONNX Runtime's other format."""
    model = onnx.load(by_task["binary"] / "model.onnx")
    model.producer_name = "ORTM"

    assert session(model.SerializeToString()).get_inputs()


def test_a_candidate_without_a_valid_signature_is_not_judged(bundles, tmp_path):
    """Where one is demanded: the sentence is the error, which is not a pass, and nothing is loaded."""
    bundle, plain = bundles[1], LocalForge(tmp_path / "forge")
    plain.upload(bundle.name, bundle)
    digest = json.loads((bundle / "manifest.json").read_bytes())["digest"]
    plain.propose("retrain", "new", "", {LIVE: with_champion(Live(), bundle.name, digest).to_toml()})
    forge = VerifyingForge(plain, lambda *_: (False, "it has no signature"))

    with pytest.raises(ForgeError, match=f"{bundle.name} is refused: it has no signature"):
        from_forge(forge, tmp_path / "work", branch="retrain")

    assert not (tmp_path / "work" / bundle.name).exists()
