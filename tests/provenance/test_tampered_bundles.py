"""A hundred tampered bundles, by a table of what was done to each: all are refused, with the reason."""

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.bundle_content import content_digest, sha256
from provenance.key_signature import new_key
from provenance.statement import Origin, new_statement
from tests.provenance.conftest import OURS
from tests.provenance.pocket_sigstore import AT, PocketSigstore

BOTH = ("by_key", "by_workflow")


def flipped(content, share):
    """*content* with one bit changed, so far into it."""
    place = min(int(len(content) * share), len(content) - 1)
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def edited(line, path, change):
    """The JSON in *line* with the base64 at *path* decoded, changed and encoded."""
    found = json.loads(line)
    *before, last = path
    inside = found
    for each in before:
        inside = inside[each]
    inside[last] = base64.b64encode(change(base64.b64decode(inside[last]))).decode()
    return json.dumps(found).encode()


def without(line, path):
    """The JSON in *line* without the entry at *path*."""
    found = json.loads(line)
    *before, last = path
    inside = found
    for each in before:
        inside = inside[each]
    del inside[last]
    return json.dumps(found).encode()


def consistent(bundle):
    """*bundle* after whoever changed its files made a manifest to fit, with another digest and name."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    for name in manifest["files"]:
        manifest["files"][name] = sha256((bundle / name).read_bytes())
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = f"{manifest['version'][:14]}{manifest['digest'][7:19]}"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    return bundle


# What was done to a bundle. Each gives (bundle, attestation), a case at a time.


def bytes_of_a_file(signers, copies, _):
    for share in (0, 0.5, 0.99):
        for name in ("model.onnx", "evidence/evaluation.onnx"):
            for by in BOTH:
                bundle = copies()
                attestation = getattr(signers, by)(bundle)
                (bundle / name).write_bytes(flipped((bundle / name).read_bytes(), share))
                yield bundle, attestation


def bytes_with_a_manifest_to_fit(signers, copies, _):
    for share in (0.2, 0.6):
        for by in BOTH:
            bundle = copies()
            attestation = getattr(signers, by)(bundle)
            path = bundle / "model.onnx"
            path.write_bytes(flipped(path.read_bytes(), share))
            yield consistent(bundle), attestation


def manifest(signers, copies, _):
    for key, value in (("task", "regression"), ("golden", {}), ("build", {"commit": "f" * 40}), ("note", "x")):
        for by in BOTH:
            bundle = copies()
            attestation = getattr(signers, by)(bundle)
            path = bundle / "manifest.json"
            path.write_text(json.dumps(json.loads(path.read_bytes()) | {key: value}))
            yield bundle, attestation


def another_repository(signers, copies, _):
    bundle = copies()
    for name in ("mallory/model", "acme/other", "acme/toy2", "ACME/toy"):
        origin = replace(OURS, repository=name)
        yield bundle, signers.by_key(bundle, origin)
        yield bundle, signers.by_workflow(bundle, origin)


def a_fork(signers, copies, _):
    bundle, fork = copies(), replace(OURS, repository="mallory/toy")
    yield bundle, signers.by_key(bundle, fork)
    yield bundle, signers.by_workflow(bundle, fork)
    yield bundle, signers.by_workflow(bundle, fork, signer=OURS.repository)  # it calls our workflow


def another_ref(signers, copies, _):
    bundle = copies()
    for ref in ("refs/heads/evil", "refs/pull/3/merge", "refs/tags/trunk", "refs/heads/trunk2", "trunk"):
        yield bundle, signers.by_key(bundle, replace(OURS, ref=ref))
        yield bundle, signers.by_workflow(bundle, replace(OURS, ref=ref))
        yield bundle, signers.by_workflow(bundle, source_ref=ref)  # it calls the workflow of the default branch


def another_workflow(signers, copies, _):
    bundle = copies()
    for name in ("evil.yml", "retrain.yaml", "retrain.yml.yml", "gate.yml"):
        origin = replace(OURS, workflow=f".github/workflows/{name}")
        yield bundle, signers.by_key(bundle, origin)
        yield bundle, signers.by_workflow(bundle, origin)


def another_signer(signers, copies, _):
    bundle = copies()
    yield bundle, signers.by_key(bundle, private=new_key()[0])
    yield bundle, signers.by_workflow(bundle, sigstore=PocketSigstore())
    yield bundle, signers.by_workflow(bundle, issuer="https://accounts.example.org")


def an_expired_root(signers, copies, _):
    bundle = copies()
    for days in (366, 400, 5000):
        yield bundle, signers.by_workflow(bundle, at=AT + timedelta(days=days))
        yield bundle, signers.by_workflow(bundle, at=AT - timedelta(days=days))


def stripped(signers, copies, _):
    bundle = copies()
    key, workflow = signers.by_key(bundle), signers.by_workflow(bundle)
    yield bundle, None
    yield bundle, b""
    yield bundle, b"\n\n"
    yield bundle, without(key, ["signatures", 0])
    yield bundle, without(key, ["signatures"])
    yield bundle, without(key, ["payload"])
    yield bundle, without(workflow, ["dsseEnvelope", "signatures", 0])
    yield bundle, without(workflow, ["dsseEnvelope"])
    yield bundle, without(workflow, ["verificationMaterial", "tlogEntries", 0])
    yield bundle, without(workflow, ["verificationMaterial", "tlogEntries", 0, "inclusionPromise"])
    yield bundle, without(workflow, ["verificationMaterial", "certificate"])


def swapped(signers, copies, bundles):
    for one, other in (bundles, bundles[::-1]):
        for by in BOTH:
            yield one, getattr(signers, by)(other)


def another_digest_algorithm(signers, copies, _):
    bundle = copies()
    content = (bundle / "manifest.json").read_bytes()
    for name in ("sha512", "sha1", "md5"):
        statement = json.loads(new_statement(content, OURS, "0123abc", AT))
        statement["subject"][0]["digest"] = {name: hashlib.new(name, content).hexdigest()}
        yield bundle, signers.signed(json.dumps(statement).encode())
        yield bundle, signers.attested(json.dumps(statement).encode())


def truncated(signers, copies, _):
    bundle = copies()
    for by in BOTH:
        whole = getattr(signers, by)(bundle).strip()
        for share in (0.01, 0.5, 0.9):
            yield bundle, whole[: int(len(whole) * share)]
        yield bundle, whole[:-1]


def extra_files(signers, copies, _):
    for name in ("extra.onnx", "evidence/more.parquet", ".hidden", "code/run.py"):
        for by in BOTH:
            bundle = copies()
            (bundle / name).parent.mkdir(exist_ok=True)
            (bundle / name).write_text("x")
            yield bundle, getattr(signers, by)(bundle)


def missing_files(signers, copies, _):
    for name in ("model.onnx", "evidence/evaluation.onnx", "manifest.json"):
        bundle = copies()
        attestation = signers.by_key(bundle)
        (bundle / name).unlink()
        yield bundle, attestation
    bundle = copies()
    attestation = signers.by_key(bundle)
    shutil.rmtree(bundle / "evidence")
    yield bundle, attestation


def signature_bytes(signers, copies, _):
    bundle = copies()
    key, workflow = signers.by_key(bundle), signers.by_workflow(bundle)
    entry = ["verificationMaterial", "tlogEntries", 0]
    for share in (0.2, 0.8):

        def change(content, share=share):
            return flipped(content, share)

        yield bundle, edited(key, ["signatures", 0, "sig"], change)
        yield bundle, edited(key, ["payload"], change)
        yield bundle, edited(workflow, ["dsseEnvelope", "signatures", 0, "sig"], change)
        yield bundle, edited(workflow, ["dsseEnvelope", "payload"], change)
        yield bundle, edited(workflow, ["verificationMaterial", "certificate", "rawBytes"], change)
        yield bundle, edited(workflow, [*entry, "canonicalizedBody"], change)
        yield bundle, edited(workflow, [*entry, "inclusionPromise", "signedEntryTimestamp"], change)
        yield bundle, edited(workflow, [*entry, "inclusionProof", "rootHash"], change)


def something_else_signed(signers, copies, _):
    bundle = copies()
    content = (bundle / "manifest.json").read_bytes()
    whole = json.loads(new_statement(content, OURS, "0123abc", AT))
    other = {"predicateType": "https://spdx.dev/Document"}, {"subject": []}, {"subject": "manifest.json"}
    for change in (*other, {"subject": [{"name": "model.onnx", "digest": {"sha256": "0" * 64}}]}, {"_type": "x"}):
        payload = json.dumps(whole | change).encode()
        yield bundle, signers.signed(payload)
        yield bundle, signers.attested(payload)
    for payload in (b"[]", b"{", b"null", content):
        yield bundle, signers.attested(payload)
    yield bundle, signers.attested(json.dumps(whole).encode(), kind="text/plain")


def no_attestation(signers, copies, _):
    bundle = copies()
    for line in (b"[]", b"{}", b'"x"', b"null", b"7", b'{"mediaType": 3}', b'{"mediaType": "x"}', b"\xff\xfe"):
        yield bundle, line
    yield bundle, b"[" * 100_000
    yield bundle, b" " + b"x" * 2**20


#: What was done -> the reason.
TAMPERED = {
    bytes_of_a_file: r"its files are not what its manifest says: .* has not the digest",
    bytes_with_a_manifest_to_fit: r"the signature is about another bundle",
    manifest: r"its files are not what its manifest says|about another bundle",
    another_repository: r"signed by (another repository; expected acme/toy|\S+; expected acme/toy)",
    a_fork: r"signed by (another repository; expected acme/toy|mallory/toy; expected acme/toy)",
    another_ref: r"signed on (another ref; expected \S+refs/heads/trunk|\S+; expected refs/heads/trunk)",
    another_workflow: r"signed by (another workflow|the workflow \S+; expected \S+/retrain.yml)",
    another_signer: r"its key is not in|the Sigstore bundle is not valid by|not by a workflow on GitHub",
    an_expired_root: r"the Sigstore bundle is not valid by trusted_root.json: failed to build",
    stripped: r"it has no signature|no signature|is damaged|the Sigstore bundle is not valid by",
    swapped: r"the signature is about another bundle",
    another_digest_algorithm: r"names manifest.json by (sha512|sha1|md5); expected sha256",
    truncated: r"the attestation is damaged: it is not JSON",
    extra_files: r"has files that its manifest does not name: \S+",
    missing_files: r"its files are not what its manifest says",
    signature_bytes: r"the signature does not belong|the Sigstore bundle is not valid by|was signed (on|by) another",
    something_else_signed: r"not a statement of provenance|is about other files|cannot be read|holds 'text/plain'",
    no_attestation: r"neither a Sigstore bundle|not valid by|is damaged|expected at most",
}


@pytest.mark.parametrize("done", TAMPERED, ids=lambda done: done.__name__)
def test_a_tampered_bundle_is_refused_with_the_reason(done, signers, copies, bundles):
    """The reason is about what was done, not about something that happens to fail before."""
    verdicts = [signers.verdict(bundle, attestation) for bundle, attestation in done(signers, copies, bundles)]

    assert [each for each in verdicts if each.accepted] == []
    assert [each.why for each in verdicts if not re.search(TAMPERED[done], each.why)] == []


def test_there_are_a_hundred_of_them(signers, copies, bundles):
    """Of at least ten kinds."""
    cases = [case for done in TAMPERED for case in done(signers, copies, bundles)]

    assert len(TAMPERED) >= 10
    assert len(cases) >= 100


@pytest.mark.parametrize("by", BOTH)
def test_what_nobody_touched_is_accepted(by, signers, bundles):
    """The table would be worth nothing if everything were refused."""
    for bundle in bundles:
        verdict = signers.verdict(bundle, getattr(signers, by)(bundle))

        assert verdict.accepted, verdict.why
        assert "signed" in verdict.why
        assert "acme/toy/.github/workflows/retrain.yml@refs/heads/trunk" in verdict.why


def test_one_valid_line_among_others_is_enough(signers, bundles):
    """A bundle may be attested twice, as by two runs; what does not count does no harm."""
    bundle, other = bundles
    lines = b"{}\n" + signers.by_key(other) + signers.by_workflow(bundle)

    assert signers.verdict(bundle, lines).accepted
    why = signers.verdict(bundle, b"{}\n" + signers.by_key(other)).why
    assert "line 1: the attestation is neither" in why
    assert "line 2: the signature is about another bundle" in why


def test_a_workflows_signature_does_not_count_for_a_folder(signers, bundles):
    """A forge in a folder has no repository on GitHub; a key without one does count."""
    assert "this forge is a folder" in signers.verdict(bundles[0], signers.by_workflow(bundles[0]), Origin()).why
    assert signers.verdict(bundles[0], signers.by_key(bundles[0], Origin()), Origin()).accepted
