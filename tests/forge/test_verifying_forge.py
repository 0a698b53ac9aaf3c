"""Where signatures are demanded, a bundle without a valid one is not judged, landed, released or served."""

import json
import shutil
import tomllib
from datetime import date

import pytest

from contracts.live_config import LIVE, Live, Slot
from forge.__main__ import FORGE, main
from forge.bundles.bundle_files import digest_in
from forge.bundles.fetched_bundle import fetch
from forge.bundles.sync import Sync
from forge.bundles.verifying_forge import VerifyingForge
from forge.interface import ForgeError
from forge.releases.reconciliation import go_back, restore
from forge.releases.unsigned import earlier_table, unsigned
from tests.forge.fake_github import NAME

pytestmark = pytest.mark.slow

RULES = '[land]\npolicy = "always"\nmax_churn = 0.1\n'


class Verifier:
    """Accepts what has the attestation `good`, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, folder, attestation, repository, ref):
        self.asked.append((folder.name, attestation, repository, ref))
        return (True, "signed by a test") if attestation == b"good" else (False, "it has no valid signature: a test")


@pytest.fixture
def verifier():
    return Verifier()


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def slot(bundle, **more):
    return Slot(bundle.name, digest_in(bundle), **more)


def make_live(forge, **roles):
    head = forge.propose("move", "move", "", {LIVE: Live(**roles).to_toml()}).head
    forge.status("move", True, "good", head)
    forge.merge("move", "move")


@pytest.fixture
def uploaded(forge, bundles, tmp_path):
    """Stores each bundle with an attestation, None for none; the first is live."""

    def upload(*attestations):
        for number, (bundle, content) in enumerate(zip(bundles, attestations, strict=False)):
            path = tmp_path / f"attestation-{number}"
            if content is not None:
                path.write_bytes(content)
            forge.upload(bundle.name, bundle, path if content is not None else None)
        make_live(forge, champion=slot(bundles[0]))
        return forge

    return upload


def test_a_bundle_is_verified_once_with_its_attestation_repository_and_branch(uploaded, bundles, verifier, tmp_path):
    """However often it is read; on GitHub the repository as GitHub spells it."""
    forge = VerifyingForge(uploaded(b"good"), verifier)
    for number in range(3):
        forge.download(bundles[0].name, tmp_path / f"copy-{number}")
        forge.prove(bundles[0].name, tmp_path / f"copy-{number}")

    ((_, attestation, repository, ref),) = verifier.asked
    assert attestation == b"good"
    assert (repository, ref) in (("", ""), (NAME, "refs/heads/main"))


@pytest.mark.parametrize("attestation", [None, b"", b"bad", b"good "], ids=repr)
def test_what_is_not_accepted_is_not_downloaded(uploaded, bundles, verifier, tmp_path, attestation):
    """Nothing is left of it; the sentence names the version and the reason."""
    forge = VerifyingForge(uploaded(attestation), verifier)

    with pytest.raises(ForgeError, match=f"{bundles[0].name} is refused: it has no valid signature"):
        forge.download(bundles[0].name, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_a_copy_in_the_store_is_verified_too(uploaded, bundles, verifier, store):
    """It may be from before signatures were demanded."""
    plain = uploaded(b"bad")
    fetch(plain, store, slot(bundles[0]))

    with pytest.raises(ForgeError, match="is refused"):
        fetch(VerifyingForge(plain, verifier), store, slot(bundles[0]))


def test_the_champion_goes_on_when_the_next_one_is_refused(uploaded, bundles, verifier, store):
    """Main names a bundle that nobody signed: the store keeps what it has, and says why."""
    old, new = bundles
    plain = uploaded(b"good", b"bad")
    sync = Sync(VerifyingForge(plain, verifier), store)
    assert not sync.look().failed
    before = (store / "live.toml").read_text()

    make_live(plain, champion=slot(new))
    result = sync.look()

    assert result.failed
    assert f"the store stays as it was: {new.name} is refused: it has no valid signature" in result.message
    assert (store / "live.toml").read_text() == before
    assert not (store / "bundles" / new.name).exists()
    assert (store / "bundles" / old.name).is_dir()
    assert new.name in json.loads((store / "sync.json").read_text())["problem"]


def test_a_challenger_that_is_refused_is_left_out(uploaded, bundles, verifier, store):
    """The champion does not wait for it."""
    plain = uploaded(b"good", None)
    make_live(plain, champion=slot(bundles[0]), challenger=slot(bundles[1], share=0.5))

    result = Sync(VerifyingForge(plain, verifier), store).look()

    assert f"the challenger {bundles[1].name} cannot be fetched: {bundles[1].name} is refused" in result.message
    assert bundles[1].name not in (store / "live.toml").read_text()
    assert bundles[0].name in (store / "live.toml").read_text()


@pytest.mark.parametrize("role", ["champion", "challenger", "anchor"])
def test_no_slot_is_merged_without_a_valid_signature(uploaded, bundles, verifier, role):
    """A champion that stays is not asked again."""
    plain = uploaded(b"good", b"bad")
    roles = {"champion": slot(bundles[0])} | {role: slot(bundles[1])}
    plain.propose("retrain", "new", "", {LIVE: Live(**roles).to_toml()})
    before = plain.read(LIVE)

    with pytest.raises(ForgeError, match="is refused"):
        VerifyingForge(plain, verifier).merge("retrain", "new")

    assert plain.read(LIVE) == before
    assert plain.proposal("retrain").state == "open"


def test_a_rollback_to_an_unsigned_release_changes_nothing(uploaded, bundles, verifier):
    """No proposal is left open that a person could merge."""
    old, new = bundles
    plain = uploaded(b"bad", b"good")
    make_live(plain, champion=slot(new))
    for each in bundles:
        plain.publish(each.name)
    before = plain.read(LIVE)

    with pytest.raises(ForgeError, match=f"{old.name} is refused"):
        go_back(VerifyingForge(plain, verifier), old.name, "it is odd")

    assert plain.read(LIVE) == before
    assert plain.proposal("rollback") is None


def test_landing_and_release_are_refused_in_a_sentence(uploaded, bundles, verifier, tmp_path, capsys):
    """Exit code 6, and the champion stays the latest."""
    old, new = bundles
    plain = uploaded(b"good", None)
    forge = VerifyingForge(plain, verifier)
    assert main(["release"], lambda _: forge) == 0
    head = plain.propose("retrain", "new", "", {LIVE: Live(slot(new)).to_toml()}).head
    verdict = {
        "format": 1,
        "decision": "PROMOTE",
        "summary": "better",
        "candidate": {"version": new.name, "digest": digest_in(new)},
        "champion": {"version": old.name, "digest": digest_in(old)},
        "head": head,
        "churn": 0.0,
    }
    (tmp_path / "verdict.json").write_text(json.dumps(verdict))
    (tmp_path / "rules.toml").write_text(RULES)
    options = ["--verdict", str(tmp_path / "verdict.json"), "--rules", str(tmp_path / "rules.toml")]

    assert main(["land", *options], lambda _: forge) == FORGE
    assert f"error: {new.name} is refused" in capsys.readouterr().err
    make_live(plain, champion=slot(new))  # somebody merged it past the gate
    assert main(["release"], lambda _: forge) == FORGE
    assert f"error: {new.name} is refused" in capsys.readouterr().err
    assert [each.version for each in plain.releases() if each.latest] == [old.name]


def test_what_an_older_release_becomes_needs_no_signature(uploaded, bundles, verifier):
    """It is not what is live: a withdrawal, and its end, must not wait for a signature."""
    plain = uploaded(b"good", b"bad")

    VerifyingForge(plain, verifier).publish(bundles[1].name, latest=False)
    VerifyingForge(plain, verifier).withdraw(bundles[1].name, "odd")

    assert verifier.asked == []


def test_an_attestation_is_read_back_as_it_was_stored(uploaded, bundles):
    """And None where there is none."""
    forge = uploaded(b'{"a": 1}\n', None)

    assert forge.attestation(bundles[0].name) == b'{"a": 1}\n'
    assert forge.attestation(bundles[1].name) is None


def test_a_manifest_that_changes_is_verified_again(uploaded, bundles, verifier, tmp_path):
    """What was accepted is these bytes, not this name."""
    forge = VerifyingForge(uploaded(b"good"), verifier)
    copy = tmp_path / bundles[0].name
    shutil.copytree(bundles[0], copy)
    forge.prove(bundles[0].name, copy)
    (copy / "manifest.json").write_text("{}")
    forge.prove(bundles[0].name, copy)

    assert len(verifier.asked) == 2


def test_the_releases_from_before_are_listed_by_the_digests_that_main_names(uploaded, bundles):
    """As a table to paste: what was never live, and what is signed, is not in it."""
    old, new = bundles
    forge = uploaded(None, b"good")
    assert unsigned(forge) == [(old.name, digest_in(old))]
    make_live(forge, champion=slot(new))

    table = tomllib.loads(earlier_table(unsigned(forge), date(2026, 12, 1)))

    assert table == {"earlier": {"before": date(2026, 12, 1), "digests": [digest_in(old)]}}


def test_a_release_that_was_deleted_is_restored_with_its_signature(uploaded, bundles, verifier, tmp_path):
    """Else nobody could serve it again; on GitHub a published release has to be deleted by a person."""
    new = bundles[1]
    forge = uploaded(b"good")
    make_live(forge, champion=slot(new))
    (tmp_path / "attestation.jsonl").write_bytes(b"good")

    restore(forge, new, tmp_path / "attestation.jsonl")

    VerifyingForge(forge, verifier).prove(new.name)
    assert verifier.asked[0][1] == b"good"
