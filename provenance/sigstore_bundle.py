"""Statements signed by a workflow on GitHub, as Sigstore bundles: what actions/attest makes. Verified offline.

The certificate says which workflow signed, not the statement: GitHub's identity of the run is in it, and the signer cannot
choose that. Workflow, ref and repository are compared, as another repository, or another branch of this one, may call
this repository's workflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import Certificate
from sigstore.errors import Error
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import policy
from sigstore.verify.verifier import Verifier

from provenance.statement import PAYLOAD, Origin, ProvenanceError

ISSUER = "https://token.actions.githubusercontent.com"
SERVER = "https://github.com"


@dataclass(frozen=True)
class MadeBy:
    """Sigstore's policy that a certificate is of a run of *expected*."""

    expected: Origin

    def verify(self, cert: Certificate) -> None:
        """Raise `ProvenanceError` for the first thing that differs."""
        origin = self.expected
        repository = f"{SERVER}/{origin.repository}"
        signer = f"{repository}/{origin.workflow}@{origin.ref}"
        for what, rule in (
            ("not by a workflow on GitHub", policy.OIDCIssuerV2(ISSUER)),
            ("by another repository", policy.OIDCSourceRepositoryURI(repository)),
            ("on another ref", policy.OIDCSourceRepositoryRef(origin.ref)),
            ("by another workflow, or its version on another ref", policy.OIDCBuildSignerURI(signer)),
        ):
            try:
                rule.verify(cert)
            except Exception as error:  # also an extension that is not DER
                raise ProvenanceError(f"it was signed {what}; expected {origin} ({error})") from error


def opened(line: bytes, root: Path, expected: Origin) -> bytes:
    """What the Sigstore bundle in *line* holds, if *expected* signed it. Raises `ProvenanceError`."""
    if not expected.repository:
        raise ProvenanceError("it is signed by a workflow on GitHub, and this forge is a folder")
    try:
        verifier = Verifier(trusted_root=TrustedRoot.from_file(str(root)))
    except (Error, ValueError, OSError) as error:
        raise ProvenanceError(f"{root} cannot be used: {error}; type: python -m provenance root") from error
    try:
        kind, payload = verifier.verify_dsse(Bundle.from_json(line), MadeBy(expected))
    except ProvenanceError:
        raise
    except Exception as error:  # whatever is in the line: the library raises a dozen types
        why = str(error or type(error).__name__)[:200]
        raise ProvenanceError(f"the Sigstore bundle is not valid by {root.name}: {why}") from error
    if kind != PAYLOAD:
        raise ProvenanceError(f"the Sigstore bundle holds {kind!r}; expected {PAYLOAD}")
    return payload
