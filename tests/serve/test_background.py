"""The background process: what it does with the store, with a shadow's rows, and when it dies."""

import os
import signal

import pytest

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from serve.release.validation_cache import ValidationCache
from tests.serve.test_process import Load, background_processes, get, scorer, until
from tests.serve.test_shadow import SHADOWED, serve, slot

pytestmark = pytest.mark.slow


@pytest.fixture
def proofs(tmp_path):
    return ValidationCache(tmp_path / "proofs")


def test_what_is_proven_is_loaded_without_another_trial(proofs, each_task):
    """By the engine that the proof names, with the same scores to the bit."""
    whole = proofs.prove(each_task)
    found = proofs.load(each_task)
    rows = whole.manifest["golden"]["rows"]

    assert found.core == whole.core
    assert type(found.engine) is type(whole.engine)
    assert found.score(rows).tobytes() == whole.score(rows).tobytes()
    assert found.score_each(rows).tobytes() == whole.score_each(rows).tobytes()


def test_where_the_core_is_off_the_proof_says_so(tmp_path, each_task):
    """And the full graph is what answers."""
    proofs = ValidationCache(tmp_path / "proofs", core=False)
    proofs.prove(each_task)

    assert proofs.load(each_task).core == "the full graph was asked for"


def test_without_a_proof_everything_is_tried(proofs, each_task):
    """A proof that is broken does not count; nor does one that was forgotten."""
    proofs.prove(each_task)
    (path,) = (proof for proof in proofs._folder.iterdir())
    path.write_text("{")
    assert proofs.load(each_task).core == Bundle.load(each_task).core
    proofs.prove(each_task)
    proofs.clear()
    assert not list(proofs._folder.iterdir())
    assert proofs.load(each_task).core == Bundle.load(each_task).core


def test_a_proof_is_of_a_content(proofs, store, bundles):
    """What is not what was proven, byte by byte, is tried again; what has other files is not taken."""
    place = store.put(bundles[0])
    proofs.prove(place)
    manifest = place / "manifest.json"
    found = manifest.read_bytes()
    manifest.write_bytes(found.replace(b'"digest"', b'"digested"'))
    with pytest.raises(BundleError, match="has no digest"):
        proofs.load(place)
    manifest.write_bytes(found)
    (place / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.onnx has not the digest"):
        proofs.load(place)


def test_nothing_is_proven_twice(proofs, store, bundles):
    """A bundle that comes back, by a rollback it may be, is ready at once."""
    place = store.put(bundles[0])
    proofs.prove(place)
    (path,) = proofs._folder.iterdir()
    first = path.stat().st_mtime_ns
    again = proofs.prove(place)

    assert path.stat().st_mtime_ns == first
    assert again.version == bundles[0].name
    assert len(again.score(again.manifest["golden"]["rows"]))


def test_a_disk_that_is_full_costs_a_proof_and_no_more(tmp_path, bundles):
    """Here a file stands where the folder should be."""
    (tmp_path / "proofs").write_text("")
    proofs = ValidationCache(tmp_path / "proofs")

    assert proofs.prove(bundles[0]).version == bundles[0].name
    assert proofs.load(bundles[0]).version == bundles[0].name


def test_it_is_killed_and_the_shadow_goes_on(root, store, journal, tmp_path, bundles, row, kept):
    """Nothing of it is seen by who asks; what had been offered waits for the next one."""
    serve(store, bundles[0], slot(store, "challenger", bundles[1], SHADOWED))
    with scorer(root, store.folder, journal, tmp_path) as (process, address):
        until(lambda: background_processes(process.pid))
        load = Load(address, row)
        try:
            until(lambda: kept("shadow"))
            (background,) = background_processes(process.pid)
            os.kill(background, signal.SIGKILL)
            before = len(kept("shadow"))
            until(lambda: background_processes(process.pid) not in ([], [background]))
            until(lambda: len(kept("shadow")) > before + 50)
        finally:
            load.ended.set()
            load.join()
        assert get(address, "/ready")["shadow"]["offered"] > 50
    answers, shadows = kept("answers"), kept("shadow")

    assert load.failed == []
    assert {line["version"] for line in answers} == {bundles[0].name}
    assert {line["version"] for line in shadows} == {bundles[1].name}
    # What it had in hand is lost; the rest, scored at the latest at the stop, is that of answers.
    assert {line["id"] for line in shadows} <= {line["id"] for line in answers}


def test_workers_that_answer_take_what_it_has_proven(root, store, journal, tmp_path, bundles):
    """It begins when there are answers, and its proof is there before the swap."""
    store.serve(bundles[0])
    with scorer(root, store.folder, journal, tmp_path) as (process, address):
        until((journal / ".proven" / f"{bundles[0].name}.json").is_file)
        store.serve(bundles[1])
        until(lambda: get(address, "/ready")["version"] == bundles[1].name)
        assert (journal / ".proven" / f"{bundles[1].name}.json").is_file()
        process.terminate()
        printed = process.communicate(timeout=20)[0]

    assert [line for line in printed.splitlines() if line.startswith("live: ")] == [
        f"live: {bundle.name}" for bundle in bundles
    ]
    assert "Traceback" not in printed
