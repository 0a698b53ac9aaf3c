"""A bundle is verified before it answers; whatever is wrong with it is said."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundles.bundle import Bundle
from bundles.manifest import BundleError, read_manifest
from contracts.bundle_content import EVALUATION, content_digest, trained_until

FORMAT_2 = sorted((Path(__file__).parents[1] / "bundles/format-2").glob("*/*"))


@pytest.fixture
def copy(bundles, tmp_path):
    return shutil.copytree(bundles[0], tmp_path / bundles[0].name)


def edit(folder, change, *, sign=False):
    """Change the manifest; with *sign*, as somebody would who knows how it is signed."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if sign:
        manifest["digest"] = content_digest(manifest)
        manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    path.write_text(json.dumps(manifest))


def test_bundles_of_every_format_that_was_released_load_for_ever(each_task):
    """These files are never made again."""
    bundle = Bundle.load(each_task, evidence=True)

    assert bundle.version == each_task.name
    assert bundle.manifest["format"] == 1


@pytest.mark.parametrize("folder", FORMAT_2, ids=lambda folder: folder.parent.name)
def test_a_bundle_with_two_models_serves_the_release_model(folder, tmp_path):
    """The scorer has no evidence, and does not need it: the evaluation model is loaded where it is asked for."""
    bundle = Bundle.load(folder, evidence=True)
    served = shutil.copytree(folder, tmp_path / folder.name, ignore=lambda *_: ["evidence"])
    rows = bundle.manifest["golden"]["rows"]
    without = Bundle.load(served)

    assert bundle.version == folder.name
    assert bundle.manifest["format"] == 2
    assert np.array_equal(without.score(rows), bundle.score(rows))
    assert not np.array_equal(bundle.evaluation.score(rows), bundle.score(rows))
    assert trained_until(bundle.manifest) == bundle.manifest["data"]["holdout"]["end"]
    with pytest.raises(BundleError, match=r"evaluation\.onnx is not loaded"):
        _ = without.evaluation


def test_a_bundle_with_one_model_has_it_for_both(each_task):
    """Format 1."""
    bundle = Bundle.load(each_task)

    assert bundle.evaluation is bundle
    assert trained_until(bundle.manifest) == bundle.manifest["data"]["train"]["end"]


def test_the_evaluation_model_does_not_know_later_categories(tmp_path):
    """The release model was trained on a category that begins in the holdout."""
    folder = shutil.copytree(FORMAT_2[0], tmp_path / "copy")

    def later(manifest):
        manifest["evaluation"]["unseen"] = {"country": ["Lilliput"]}
        manifest["data"]["categories"]["country"].append("Lilliput")

    edit(folder, later, sign=True)
    bundle = Bundle.load(folder.rename(tmp_path / read_manifest(folder)["version"]), evidence=True)

    assert bundle.categories["country"] - bundle.evaluation.categories["country"] == {"Lilliput"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["files"].pop(EVALUATION), "format 2 has two models, and files does not list evidence/evaluation"),
        (lambda m: m.update(format=1), "format 1 has one model"),
        (lambda m: m.pop("evaluation"), "evaluation is not an object"),
        (lambda m: m["evaluation"].update(unseen={"country": [[]]}), "or its unseen not one of lists of strings"),
        (lambda m: m.update(release=3), "release has no start and end"),
        (lambda m: m["data"].pop("categories"), "format 2 needs data.categories"),
        (lambda m: m.update(data=[]), "data is not an object"),
    ],
)
def test_what_is_wrong_with_two_models_is_said(tmp_path, change, words):
    """Whoever signs it."""
    folder = shutil.copytree(FORMAT_2[0], tmp_path / "copy")
    edit(folder, change, sign=True)

    with pytest.raises(BundleError, match=words):
        read_manifest(folder)


@pytest.mark.parametrize("digits", [7, 12])
def test_a_name_has_the_first_digits_of_the_digest(copy, digits):
    """Twelve of them; older names have seven."""

    def rename(manifest):
        manifest["version"] = manifest["version"][:14] + manifest["digest"][7 : 7 + digits]

    edit(copy, rename)

    assert read_manifest(copy)["version"].endswith(f"-{content_digest(read_manifest(copy))[7 : 7 + digits]}")


@pytest.mark.parametrize("end", ["", "0" * 7, "0" * 12, "{0:.8}", "{0:.11}", "{0:.13}", "{0:.7}0"])
def test_a_name_with_other_digits_is_refused(copy, end):
    """Two bundles would be one."""

    def rename(manifest):
        manifest["version"] = manifest["version"][:14] + end.format(manifest["digest"][7:])

    edit(copy, rename)

    with pytest.raises(BundleError, match="does not name the digest"):
        read_manifest(copy)


def test_it_scores_as_it_did_at_export(each_task):
    """Golden rows, through the scorer's own path."""
    bundle = Bundle.load(each_task)
    golden = bundle.manifest["golden"]
    scores = bundle.score(golden["rows"])

    assert scores.dtype == np.float32
    assert scores.shape == np.shape(golden["scores"])
    assert scores == pytest.approx(np.array(golden["scores"]), abs=1e-5)


def test_rows_score_alike_alone_and_together(each_task):
    """A list is as good as its rows."""
    bundle = Bundle.load(each_task)
    rows = bundle.manifest["golden"]["rows"]

    together = bundle.score(rows)
    for number, row in enumerate(rows):
        assert bundle.score([row])[0] == pytest.approx(together[number], abs=1e-6)


def test_no_rows_give_no_scores(each_task):
    """Not an error of the runtime's."""
    assert len(Bundle.load(each_task).score([])) == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "is not a bundle: it has no manifest.json"),
        (lambda f: (f / "manifest.json").unlink(), "it has no manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "manifest.json").write_text("[]"), "format None"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda f: (f / "model.onnx").unlink(), "model.onnx cannot be read (No such file"),
        (lambda f: (f / "model.onnx").write_bytes(b""), "model.onnx has not the digest"),
        (
            lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:-9]),
            "is damaged: model.onnx has not the digest",
        ),
        (lambda f: edit(f, lambda m: m.update(format=3)), "format 3; this code reads formats 1 and 2: update Tidegate"),
        (lambda f: edit(f, lambda m: m.pop("golden")), "has no golden"),
        (lambda f: edit(f, lambda m: m["metrics"].clear()), "was edited"),
        (lambda f: edit(f, lambda m: m.update(digest="sha256:0")), "was edited"),
        (lambda f: edit(f, lambda m: m.update(version="20260220T0317-0000000")), "does not name the digest"),
        (
            lambda f: edit(f, lambda m: m["files"].update({"../x": "sha256:0"}), sign=True),
            "../x lies outside the bundle",
        ),
        (lambda f: edit(f, lambda m: m["files"].pop("model.onnx"), sign=True), "does not list model.onnx"),
        (lambda f: edit(f, lambda m: m["contract"].pop("features"), sign=True), "this is not a contract"),
        (lambda f: edit(f, lambda m: m["golden"]["scores"].__setitem__(1, 0.9), sign=True), "golden row 1 scores"),
        (lambda f: edit(f, lambda m: m["golden"]["scores"].pop(), sign=True), "finite scores, expected"),
        (
            lambda f: edit(f, lambda m: m["golden"]["scores"].__setitem__(0, math.nan), sign=True),
            "golden.scores is not a list of numbers",
        ),
        (
            lambda f: edit(f, lambda m: m["golden"]["scores"].__setitem__(0, "0.1"), sign=True),
            "golden.scores is not a list of numbers",
        ),
        (
            lambda f: edit(f, lambda m: m["golden"].update(scores=[[0.1, 0.9], [1.0]]), sign=True),
            "golden.scores is not a list of numbers, or of lists of as many numbers each",
        ),
        (lambda f: edit(f, lambda m: m["golden"].update(scores=10**400), sign=True), "golden.scores is not"),
        (lambda f: edit(f, lambda m: m["golden"].update(scores=[10**400]), sign=True), "golden.scores is not"),
        (lambda f: edit(f, lambda m: m.update(data=[]), sign=True), "data is not an object"),
        (
            lambda f: edit(f, lambda m: m["data"].update(categories={"device": [1]}), sign=True),
            "data.categories is not an object of lists of strings",
        ),
        (
            lambda f: edit(f, lambda m: m["data"].update(window=7, categories=[]), sign=True),
            "data.window is not a list; data.categories is not",
        ),
        (lambda f: edit(f, lambda m: m.update(build="mine"), sign=True), "build is not an object"),
        (
            lambda f: edit(f, lambda m: m["files"].update({"a\0b": "sha256:0"}), sign=True),
            "'a\\x00b' is not a file name",
        ),
        (lambda f: edit(f, lambda m: m["data"].update(note="\ud800")), "manifest.json cannot be read"),
        (lambda f: edit(f, lambda m: m["golden"].update(rows=[{}]), sign=True), "golden row"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_said(copy, spoil, words):
    """And it does not answer."""
    spoil(copy)

    with pytest.raises(BundleError) as caught:
        Bundle.load(copy)
    assert words in str(caught.value)


def test_every_file_that_is_off_is_named(copy):
    """Not just the first."""
    (copy / "model.onnx").write_bytes(b"")
    (copy / "evidence/train.parquet").unlink()

    with pytest.raises(BundleError, match=r"model\.onnx.*; .*train\.parquet|train.*; .*model"):
        Bundle.load(copy, evidence=True)


def test_the_scorer_has_no_use_for_the_evidence(copy):
    """A gate has, and verifies it."""
    shutil.rmtree(copy / "evidence")
    Bundle.load(copy)

    with pytest.raises(BundleError, match="holdout.parquet cannot be read"):
        Bundle.load(copy, evidence=True)


def test_a_model_that_the_runtime_cannot_load_is_refused(copy):
    """Signed and all."""
    (copy / "model.onnx").write_bytes(b"not a graph")
    digest = "sha256:" + hashlib.sha256(b"not a graph").hexdigest()
    edit(copy, lambda m: m["files"].update({"model.onnx": digest}), sign=True)

    with pytest.raises(BundleError, match="ONNX Runtime cannot load it"):
        Bundle.load(copy)


@pytest.mark.parametrize("make", [Bundle.load, Bundle.described])
def test_a_bundle_that_is_not_the_one_asked_for_is_refused_before_its_model_is_loaded(copy, make):
    """The model is no ONNX at all here, and it is not what the refusal is about."""
    asked = read_manifest(copy)["digest"]
    make(copy, asked)
    (copy / "model.onnx").write_bytes(b"not a graph")
    digest = "sha256:" + hashlib.sha256(b"not a graph").hexdigest()
    edit(copy, lambda m: m["files"].update({"model.onnx": digest}), sign=True)

    with pytest.raises(BundleError, match=f"live.toml names {asked}"):
        make(copy, asked)


def test_the_digest_does_not_cover_when_it_was_made(copy):
    """The same content always has the same name's end."""
    before = read_manifest(copy)["digest"]
    edit(copy, lambda m: m["build"].update(commit="another"))

    assert read_manifest(copy)["digest"] == before
