"""A bundle's core serves where it gives the full graph's bits; else the full graph does."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from bundles.bundle import Bundle
from bundles.onnx_core import trial
from contracts.bundle_content import content_digest
from serve.app import create_app
from serve.settings import Settings

WITH_CORE = Path(__file__).parents[1] / "bundles/with-core"


@pytest.fixture(params=["binary", "multiclass", "regression"])
def cored(request, tmp_path):
    (folder,) = (WITH_CORE / request.param).iterdir()
    return shutil.copytree(folder, tmp_path / folder.name)


def sign(folder, change):
    """Change the manifest as somebody would who knows how it is signed."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    for name in manifest["files"]:
        if (folder / name).is_file():
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            manifest["files"][name] = "sha256:" + digest
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    path.write_text(json.dumps(manifest))


def test_the_core_gives_the_full_graphs_bits(cored):
    """Together and alone, whatever the rows."""
    with_core, without = Bundle.load(cored), Bundle.load(cored, core=False)
    rows = trial(with_core.contract, with_core.categories, with_core.manifest["golden"]["rows"])

    assert with_core.core == ""
    assert with_core.session is not without.session
    assert with_core.score(rows).tobytes() == without.score(rows).tobytes()
    for row in rows[:50]:
        assert with_core.score([row]).tobytes() == without.score([row]).tobytes()
    assert len(with_core.score([])) == 0


@pytest.mark.parametrize(("core", "words"), [("auto", ""), ("off", "the full graph was asked for")])
def test_a_setting_turns_it_off(core, words, cored, store, journal):
    """If ever it should be to blame."""
    store.serve(cored)
    asked = Settings(store=store.folder, journal=journal, core=core)
    app = create_app(store.folder, journal, settings=asked, follow_every=None)

    assert app.extensions["tidegate"].follower.live.bundle.core == words


def test_columns_score_as_rows_do(cored):
    """The gate has columns, of NumPy's numbers; lists and arrays alike, by core and full graph."""
    import numpy as np

    bundle, full = Bundle.load(cored), Bundle.load(cored, core=False)
    rows = trial(bundle.contract, bundle.categories, bundle.manifest["golden"]["rows"])
    columns = {
        f.name: [row[f.name] for row in rows]
        if f.kind == "category"
        else np.array([np.nan if row[f.name] is None else row[f.name] for row in rows], dtype=float)
        for f in bundle.contract.features
    }

    lists = {name: [row[name] for row in rows] for name in columns}
    arrays = {name: np.array(values, dtype=object) for name, values in lists.items()}
    for each in (columns, lists, arrays):
        assert bundle.score_columns(each).tobytes() == bundle.score(rows).tobytes()
        assert full.score_columns(each).tobytes() == full.score(rows).tobytes()


def test_a_bundle_without_a_core_serves_by_its_full_graph(each_task):
    """Those of old, for ever."""
    assert Bundle.load(each_task).core == "the bundle has no core"


def wrong_table(folder):
    def change(manifest):
        for part in manifest["core"]["parts"]:
            part.get("seen", {}).clear()

    sign(folder, change)


def broken_core(folder):
    (folder / "core.onnx").write_bytes(b"not a graph")
    sign(folder, lambda manifest: None)


def other_model(folder):
    shutil.copy(folder / "model.onnx", folder / "core.onnx")
    sign(folder, lambda manifest: None)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_table, "does not give the full graph's scores"),
        (broken_core, "ONNX Runtime cannot load it"),
        (other_model, ""),
        (lambda f: sign(f, lambda m: m["core"].update(parts=[])), ""),
        (lambda f: sign(f, lambda m: m["core"].update(parts=None)), "the manifest's core is not valid"),
        (lambda f: sign(f, lambda m: m.update(core=[])), "has no core"),
        (lambda f: sign(f, lambda m: m["files"].pop("core.onnx")), "has no core"),
    ],
)
def test_a_core_that_is_not_proven_does_not_serve(cored, spoil, words):
    """The model does, by its full graph, with the scores it had."""
    before = Bundle.load(cored)
    rows = before.manifest["golden"]["rows"]
    spoil(cored)
    bundle = Bundle.load(cored)

    assert bundle.core
    assert words in bundle.core
    assert bundle.score(rows).tobytes() == before.score(rows).tobytes()


def test_a_core_whose_bytes_changed_is_damage(cored):
    """Like any other file of a bundle."""
    (cored / "core.onnx").write_bytes(b"")

    with pytest.raises(Exception, match=r"core\.onnx has not the digest"):
        Bundle.load(cored)


def test_threads_do_not_share_a_row(cored):
    """Each has its own arrays."""
    from concurrent.futures import ThreadPoolExecutor

    bundle = Bundle.load(cored)
    rows = bundle.manifest["golden"]["rows"]
    expected = [bundle.score([row]).tobytes() for row in rows]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: bundle.score([rows[n % len(rows)]]).tobytes(), range(2000)))

    assert found == [expected[n % len(rows)] for n in range(2000)]
