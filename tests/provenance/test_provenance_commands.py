"""`python -m provenance`, as a workflow and a person call it, and verification from another environment."""

import json
import os
import stat
from datetime import date
from functools import partial

import pytest

from contracts.live_config import LIVE, Live, Slot
from forge.bundles.bundle_files import digest_in
from forge.bundles.sync import Sync
from forge.bundles.verifying_forge import VerifyingForge
from forge.local.folder_forge import LocalForge
from provenance.__main__ import main, origin_of
from provenance.key_signature import new_key, public_of, read_key
from provenance.separate_process import verify_apart
from provenance.statement import Origin
from provenance.trust_settings import ROOT, Trust

WORKFLOW = ".github/workflows/retrain.yml"


@pytest.fixture
def place(tmp_path):
    """A folder with a key, and settings that name it."""
    private, public = new_key()
    (tmp_path / "private").write_text(private)
    (tmp_path / "trust.toml").write_text(f'verify = "on"\nworkflow = "{WORKFLOW}"\nkeys = ["{public}"]\n')
    return tmp_path


def run(*words, **variables):
    """The exit code of a command with these variables, and none of GitHub's beside."""
    before = dict(os.environ)
    for name in ("TIDEGATE_SIGNING_KEY", "GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_SHA"):
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        return main([str(word) for word in words])
    finally:
        os.environ.clear()
        os.environ.update(before)


def sign(place, bundle, **variables):
    key = {"TIDEGATE_SIGNING_KEY": (place / "private").read_text()}
    words = ("sign", bundle, "--out", place / "attestation.jsonl", "--trust", place / "trust.toml")
    return run(*words, **key, **variables)


def verify(place, bundle, *more):
    return run("verify", bundle, "--attestation", place / "attestation.jsonl", "--trust", place / "trust.toml", *more)


def test_a_key_is_made_for_one_reader(place, capsys):
    """Its public part is printed for trust.toml, and the private one stays out of the output."""
    assert run("key", "--out", place / "signing.key") == 0

    private = (place / "signing.key").read_text()
    out = capsys.readouterr().out
    assert public_of(read_key(private)) in out
    assert private.strip().removeprefix("ed25519:") not in out
    assert stat.S_IMODE((place / "signing.key").stat().st_mode) == 0o600
    assert run("key", "--out", place / "signing.key") == 2  # an older one is not written over
    assert (place / "signing.key").read_text() == private


def test_what_a_workflow_signed_is_verified_for_its_repository_and_branch(place, bundles, capsys):
    """And for no other; exit code 3 says that it is refused."""
    signed = {"GITHUB_REPOSITORY": "acme/toy", "GITHUB_REF": "refs/heads/trunk", "GITHUB_SHA": "0123abc"}
    assert sign(place, bundles[0], **signed) == 0
    assert bundles[0].name in capsys.readouterr().out

    assert verify(place, bundles[0], "--repository", "acme/toy", "--ref", "refs/heads/trunk") == 0
    assert "signed with a key" in capsys.readouterr().out
    assert verify(place, bundles[0], "--repository", "acme/toy", "--ref", "refs/heads/main") == 3
    assert "signed on refs/heads/trunk; expected refs/heads/main" in capsys.readouterr().out
    assert verify(place, bundles[1], "--repository", "acme/toy", "--ref", "refs/heads/trunk") == 3


def test_the_folder_of_the_training_is_signed_as_its_one_bundle(place, bundles):
    """As `model propose` finds it."""
    assert sign(place, bundles[0]) == 0
    assert verify(place, bundles[0]) == 0


@pytest.mark.parametrize(
    ("key", "problem"),
    [("", "is not a private key"), ("ed25519:AAAA", "is not a private key"), ("secret!", "is not a private key")],
)
def test_a_key_that_is_none_is_refused_without_its_text(place, bundles, capsys, key, problem):
    """The log of a job is read by many."""
    (place / "private").write_text(key)

    assert sign(place, bundles[0]) == 2
    err = capsys.readouterr().err
    assert problem in err
    assert not key or key not in err


def test_a_key_that_trust_toml_does_not_name_signs_nothing(place, bundles, capsys):
    """Its signatures would be refused; the line to add is printed."""
    private, public = new_key()
    (place / "private").write_text(private)

    assert sign(place, bundles[0]) == 2
    assert f'add "{public}" to `keys`' in capsys.readouterr().err
    assert not (place / "attestation.jsonl").exists()


def test_a_damaged_bundle_is_not_signed(place, copies, capsys):
    """A signature on it would say that it is whole."""
    bundle = copies()
    (bundle / "model.onnx").write_bytes(b"x")

    assert sign(place, bundle) == 2
    assert "model.onnx has not the digest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Origin()),
        ({"GITHUB_REF": "refs/heads/trunk"}, Origin()),
        (
            {"GITHUB_REPOSITORY": "acme/toy", "GITHUB_REF": "refs/heads/trunk"},
            Origin("acme/toy", WORKFLOW, "refs/heads/trunk"),
        ),
    ],
)
def test_where_a_bundle_is_made_is_what_github_says(variables, expected):
    """Outside GitHub Actions it has no repository."""
    assert origin_of(variables, Trust(True, WORKFLOW)) == expected


def test_a_release_from_before_is_accepted_by_its_digest_and_said_not_to_be_signed(signers, bundles):
    """The list is narrow: this content, made before that day; nothing else comes with it."""
    listed = {"earlier": frozenset([digest_in(bundles[0])]), "before": date(2026, 3, 1)}

    verdict = signers.verdict(bundles[0], None, **listed)
    assert verdict.accepted
    assert verdict.why == "not signed: provenance/trust.toml lists it as made before 2026-03-01"
    assert not signers.verdict(bundles[1], None, **listed).accepted
    late = signers.verdict(bundles[0], None, **listed | {"before": date(2026, 2, 20)})
    assert not late.accepted
    assert "lists it as made before 2026-02-20; its name says 2026-02-20" in late.why


@pytest.mark.slow
def test_a_scorer_follows_what_is_signed_by_a_process_in_the_environment_verify(place, bundles, tmp_path):
    """With the real command: an unsigned champion is refused in a sentence, and the store stays as it was."""
    old, new = bundles
    assert sign(place, old) == 0
    forge = LocalForge(tmp_path / "forge")
    forge.upload(old.name, old, place / "attestation.jsonl")
    forge.upload(new.name, new)
    sync = Sync(VerifyingForge(forge, partial(verify_apart, trust=place / "trust.toml")), tmp_path / "store")

    def make_live(bundle):
        live = Live(Slot(bundle.name, digest_in(bundle)))
        head = forge.propose("move", "move", "", {LIVE: live.to_toml()}).head
        forge.status("move", True, "good", head)
        forge.merge("move", "move")
        return sync.look()

    assert not make_live(old).failed
    refused = make_live(new)

    assert refused.failed
    assert f"{new.name} is refused: it has no signature" in refused.message
    assert old.name in (tmp_path / "store/live.toml").read_text()


@pytest.mark.parametrize(
    ("python", "problem"),
    [
        (None, "make .venv/verify/installed"),
        ("/nowhere/python", "it could not be checked"),
        ("/bin/false", "exit code 1"),
    ],
)
def test_what_could_not_be_checked_is_not_accepted(place, bundles, python, problem):
    """No library, no interpreter, or a crash."""
    accepted, why = verify_apart(bundles[0], None, "", "", trust=place / "trust.toml", find=lambda: python)

    assert not accepted
    assert problem in why


def test_settings_with_a_mistake_refuse(place, bundles):
    """The reason is the mistake."""
    (place / "trust.toml").write_text('verify = "on"\n')

    accepted, why = verify_apart(bundles[0], None, "", "", trust=place / "trust.toml")

    assert not accepted
    assert "workflow is None" in why


def test_sigstores_certificates_are_in_the_repository():
    """Those of the public service, which GitHub uses for public repositories; more than one log and authority."""
    root = json.loads(ROOT.read_text())

    assert {each["uri"] for each in root["certificateAuthorities"]} >= {"https://fulcio.sigstore.dev"}
    assert {each["baseUrl"] for each in root["tlogs"]} >= {"https://rekor.sigstore.dev"}


def test_the_certificates_are_written_from_what_the_library_brings(tmp_path, capsys):
    """Twice the same: without a change there is nothing to propose."""
    words = ("root", "--offline", "--out", tmp_path / "root.json")

    assert run(*words, HOME=str(tmp_path)) == 0
    assert "changed" in capsys.readouterr().out
    assert run(*words, HOME=str(tmp_path)) == 0
    assert "as before" in capsys.readouterr().out
