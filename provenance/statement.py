"""What is signed: an in-toto statement with SLSA provenance, as GitHub's actions/attest makes it. Pure.

The subject is the bundle's `manifest.json` by the SHA-256 of its bytes. The manifest has the version and the digest of
every other file, so its digest covers the whole bundle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.bundle_content import sha256

#: The type of what a DSSE envelope holds.
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD = "https://actions.github.io/buildtypes/workflow/v1"
SUBJECT = "manifest.json"


class ProvenanceError(Exception):
    """A signature does not count for a bundle. The message says why."""


@dataclass(frozen=True)
class Origin:
    """The *workflow* of a *repository* (OWNER/NAME), and its *ref*; all "" where a bundle was made outside GitHub."""

    repository: str = ""
    workflow: str = ""
    ref: str = ""

    def __str__(self) -> str:
        return f"{self.repository}/{self.workflow}@{self.ref}" if self.repository else "a machine outside GitHub"


def new_statement(manifest: bytes, origin: Origin, commit: str, at: datetime) -> bytes:
    """The statement that *origin* made the bundle with this *manifest* from *commit*, signed *at* this time."""
    described = json.loads(manifest)
    source = {"uri": f"git+https://github.com/{origin.repository}@{origin.ref}", "digest": {"gitCommit": commit}}
    build = {
        "buildType": BUILD,
        "externalParameters": {
            "workflow": {"repository": origin.repository, "path": origin.workflow, "ref": origin.ref}
        },
        "internalParameters": {"version": described["version"], "digest": described["digest"]},
        "resolvedDependencies": [source] if commit else [],
    }
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": SUBJECT, "digest": {"sha256": sha256(manifest).removeprefix("sha256:")}}],
        "predicateType": PROVENANCE,
        "predicate": {"buildDefinition": build, "runDetails": {"metadata": {"finishedOn": at.isoformat()}}},
    }
    return json.dumps(statement, sort_keys=True).encode()


def check_subject(payload: bytes, manifest: bytes) -> None:
    """Raise `ProvenanceError` unless the statement in *payload* is about the bundle with this *manifest*."""
    statement = _read(payload)
    if statement.get("_type") != STATEMENT or statement.get("predicateType") != PROVENANCE:
        raise ProvenanceError(f"what is signed is not a statement of provenance ({PROVENANCE})")
    subjects = statement.get("subject")
    entries = [each for each in subjects if isinstance(each, dict)] if isinstance(subjects, list) else []
    digests = [each.get("digest") for each in entries if each.get("name") == SUBJECT]
    known = [each for each in digests if isinstance(each, dict)]
    if not known:
        raise ProvenanceError(f"the signature is about other files: it does not name {SUBJECT}")
    if all("sha256" not in each for each in known):
        names = ", ".join(sorted({str(name) for each in known for name in each}))
        raise ProvenanceError(f"the signature names {SUBJECT} by {names or 'no digest'}; expected sha256")
    expected = sha256(manifest).removeprefix("sha256:")
    if all(each.get("sha256") != expected for each in known):
        raise ProvenanceError(f"the signature is about another bundle: {SUBJECT} has another digest")


def check_origin(payload: bytes, expected: Origin) -> None:
    """Raise `ProvenanceError` unless the statement in *payload* says that *expected* made the bundle."""
    try:
        named = _read(payload)["predicate"]["buildDefinition"]["externalParameters"]["workflow"]
        found = Origin(str(named["repository"]), str(named["path"]), str(named["ref"]))
    except (KeyError, TypeError) as error:
        raise ProvenanceError("the signed statement does not say which workflow made the bundle") from error
    if why := other_origin(found, expected):
        raise ProvenanceError(why)


def other_origin(found: Origin, expected: Origin) -> str:
    """In which way *found* is not *expected*; "" if they are equal."""
    if found.repository != expected.repository:
        where = expected.repository or "a machine outside GitHub"
        return f"it was signed by {found.repository or 'a machine outside GitHub'}; expected {where}"
    if found.workflow != expected.workflow:
        return f"it was signed by the workflow {found.workflow}; expected {expected.workflow}"
    if found.ref != expected.ref:
        return f"it was signed on {found.ref}; expected {expected.ref}"
    return ""


def _read(payload: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(payload))
    except (ValueError, TypeError, RecursionError) as error:
        raise ProvenanceError("what is signed cannot be read: it is not a JSON object") from error
