"""Sign a bundle where it was trained, and verify who made it. In the environment `verify`.

python -m provenance key                 a new ed25519 key: the private part to a file, the public one for trust.toml
python -m provenance sign FOLDER         sign a bundle with TIDEGATE_SIGNING_KEY
python -m provenance verify FOLDER       print who made a bundle; exit code 3: refused
python -m provenance root                refresh Sigstore's certificates in trusted_root.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bundles.manifest import MANIFEST, BundleError, content_of, read_manifest, verify
from forge.closed_pipes import ignore_closed_pipes
from provenance.key_signature import new_key, public_of, read_key, sign
from provenance.provenance_options import KEY, parser
from provenance.statement import Origin, ProvenanceError, new_statement
from provenance.trust_settings import ROOT, TRUST, Trust, TrustError, read_trust
from provenance.verification import verify_bundle

OK, USAGE, REFUSED = 0, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    args = parser(__doc__ or "").parse_args(arguments)
    try:
        return COMMANDS[args.command](args)
    except (TrustError, ProvenanceError, BundleError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE


def _key(args: argparse.Namespace) -> int:
    private, public = new_key()
    number = os.open(args.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(f"{private}\n")
    print(f'Add this to `keys` in {TRUST.parent.name}/{TRUST.name}, by a pull request:\n  "{public}"')
    print(f"Store {args.out} as the secret {KEY} of the environment `signing`, and delete the file:")
    print(f"  gh secret set {KEY} --env signing < {args.out} && rm {args.out}")
    return OK


def _sign(args: argparse.Namespace) -> int:
    private, trust, bundle = read_key(os.environ.get(KEY, "")), read_trust(args.trust or TRUST), _one(args.bundle)
    public = public_of(private)
    if public not in trust.keys:
        raise ProvenanceError(f'{args.trust or TRUST} does not name the key of {KEY}: add "{public}" to `keys`')
    manifest = read_manifest(bundle)
    verify(bundle, manifest, evidence=True)
    origin, commit = origin_of(os.environ, trust), os.environ.get("GITHUB_SHA", "")
    line = sign(new_statement(content_of(bundle), origin, commit, datetime.now(UTC)), private)
    with args.out.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    print(f"signed {manifest['version']} by {origin}")
    return OK


def _verify(args: argparse.Namespace) -> int:
    trust, bundle = read_trust(args.trust or TRUST), _one(args.bundle)
    attestation = args.attestation.read_bytes() if args.attestation else None
    expected = Origin(args.repository, trust.workflow if args.repository else "", args.ref)
    verdict = verify_bundle(bundle, attestation, trust, expected, args.root or ROOT)
    print(verdict.why)
    return OK if verdict.accepted else REFUSED


def _root(args: argparse.Namespace) -> int:
    from sigstore.errors import Error  # noqa: PLC0415 -- half a second, which a signature by key saves
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415

    out = args.out or ROOT
    try:
        root = ClientTrustConfig.production(offline=args.offline).trusted_root
    except Error as error:
        raise ProvenanceError(f"Sigstore's certificates were not fetched: {error}; {out} stays as it was") from error
    content = root._inner.to_json()  # noqa: SLF001 -- it has no public way to write it
    text = json.dumps(json.loads(content), indent=2, sort_keys=True) + "\n"
    changed = not out.is_file() or out.read_text(encoding="utf-8") != text
    out.write_text(text, encoding="utf-8")
    print(f"{out}: {'changed' if changed else 'as before'}")
    return OK


def origin_of(variables: Mapping[str, str], trust: Trust) -> Origin:
    """Where GitHub Actions says, in its *variables*, that a bundle is made: by the workflow of *trust*."""
    repository = variables.get("GITHUB_REPOSITORY", "")
    return Origin(repository, trust.workflow, variables.get("GITHUB_REF", "")) if repository else Origin()


def _one(folder: Path) -> Path:
    """The bundle in *folder*, or *folder* itself."""
    inside = [path.parent for path in folder.glob(f"*/{MANIFEST}")]
    return inside[0] if len(inside) == 1 else folder


COMMANDS = {"key": _key, "sign": _sign, "verify": _verify, "root": _root}

if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
