"""Two bundles, and who may sign them: this repository's workflow by Sigstore, and a key."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from provenance.key_signature import new_key, read_key, sign
from provenance.statement import Origin, new_statement
from provenance.trust_settings import Trust
from provenance.verification import verify_bundle
from tests.provenance.pocket_sigstore import AT, PocketSigstore

BUNDLES = Path(__file__).parents[1] / "bundles/format-2/binary"
OURS = Origin("acme/toy", ".github/workflows/retrain.yml", "refs/heads/trunk")


@dataclass(frozen=True)
class Signers:
    """An authority and a key that count, with the *trust* that names the key; *folder* is for files."""

    folder: Path
    sigstore: PocketSigstore
    private: str
    trust: Trust

    def by_key(self, bundle, origin=OURS, private=""):
        """An attestation by a key, this one by default."""
        manifest = (bundle / "manifest.json").read_bytes()
        return self.signed(new_statement(manifest, origin, "0123abc", AT), private)

    def signed(self, payload, private=""):
        return f"{sign(payload, read_key(private or self.private))}\n".encode()

    def by_workflow(self, bundle, origin=OURS, sigstore=None, **more):
        """An attestation by a workflow, ours by default."""
        manifest = (bundle / "manifest.json").read_bytes()
        return self.attested(new_statement(manifest, origin, "0123abc", AT), origin, sigstore, **more)

    def attested(self, payload, origin=OURS, sigstore=None, **more):
        made = (sigstore or self.sigstore).bundle(payload, origin.repository, origin.workflow, origin.ref, **more)
        return f"{json.dumps(made)}\n".encode()

    def verdict(self, bundle, attestation, expected=OURS, **changed):
        root = self.folder / "trusted_root.json"
        return verify_bundle(bundle, attestation, replace(self.trust, **changed), expected, root)


@pytest.fixture(scope="session")
def signers(tmp_path_factory):
    folder, sigstore = tmp_path_factory.mktemp("signers"), PocketSigstore()
    (folder / "trusted_root.json").write_text(json.dumps(sigstore.trusted_root()))
    private, public = new_key()
    return Signers(folder, sigstore, private, Trust(True, OURS.workflow, (public,)))


@pytest.fixture(scope="session")
def bundles():
    """Two bundles, the older first."""
    return sorted(BUNDLES.iterdir())


@pytest.fixture
def copies(bundles, tmp_path):
    """Makes copies of the older bundle that a test may change."""

    def copy(bundle=bundles[0]):
        place = tmp_path / str(len([*tmp_path.iterdir()])) / bundle.name
        return Path(shutil.copytree(bundle, place))

    return copy
