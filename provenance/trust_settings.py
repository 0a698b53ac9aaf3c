"""`trust.toml`: whether signatures are demanded, and whose count. The standard library alone: every command reads it.

The file belongs to the code, not to what is verified: a pull request cannot switch off what judges it, and whoever can
write variables or releases cannot either.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from contracts.live_tables import DIGEST

#: The settings, and the certificates and keys of Sigstore.
TRUST, ROOT = (Path(__file__).with_name(name) for name in ("trust.toml", "trusted_root.json"))
#: The environment variable with which one command demands signatures.
VARIABLE = "TIDEGATE_VERIFY"
OFF, ON = "off", "on"
_KEY = re.compile(r"ed25519:[A-Za-z0-9+/]{59}=")
_WORKFLOW = re.compile(r"\.github/workflows/[\w.-]+\.ya?ml")


class TrustError(ValueError):
    """trust.toml, or TIDEGATE_VERIFY, cannot be used. The message lists every mistake."""


@dataclass(frozen=True)
class Trust:
    """What trust.toml says.

    *demanded*: a bundle without a valid signature is refused. *workflow* is the one whose attestations count, *keys* are
    public keys. The bundles with a digest of *earlier*, built before the day *before*, need no signature.
    """

    demanded: bool
    workflow: str
    keys: tuple[str, ...] = ()
    before: date | None = None
    earlier: frozenset[str] = frozenset()


def read_trust(path: Path = TRUST) -> Trust:
    """The settings in the file at *path*. Raises `TrustError`."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrustError(f"{path} cannot be read: {error}; restore it with git") from error
    if problems := [*_problems(found)]:
        raise TrustError(f"{path}: {'; '.join(problems)}")
    earlier = found.get("earlier", {})
    digests = frozenset(earlier.get("digests", []))
    keys = tuple(found.get("keys", []))
    return Trust(found["verify"] == ON, found["workflow"], keys, earlier.get("before"), digests)


def demanded(trust: Trust, variables: Mapping[str, str]) -> bool:
    """Whether signatures are demanded: by *trust*, or by TIDEGATE_VERIFY, which can only add. Raises `TrustError`."""
    value = variables.get(VARIABLE, "")
    if value not in ("", OFF, ON):
        raise TrustError(f"{VARIABLE} is {value!r}; expected on or off")
    return trust.demanded or value == ON


def _problems(found: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(found.keys() - {"verify", "workflow", "keys", "earlier"}):
        yield f"unknown: {', '.join(unknown)}"
    if found.get("verify") not in (OFF, ON):
        yield f'verify is {found.get("verify")!r}; expected "on" or "off"'
    workflow = found.get("workflow")
    if not isinstance(workflow, str) or not _WORKFLOW.fullmatch(workflow):
        yield f"workflow is {workflow!r}; expected a path such as .github/workflows/retrain.yml"
    keys = found.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        yield "keys is not a list of public keys, ed25519:… as `python -m provenance key` prints them"
    yield from _wrong_earlier(found.get("earlier", {}))


def _wrong_earlier(earlier: Any) -> Iterator[str]:
    if not isinstance(earlier, dict) or earlier.keys() - {"before", "digests"}:
        yield "[earlier] is not a table of before and digests"
        return
    digests, before = earlier.get("digests", []), earlier.get("before")
    if not isinstance(digests, list) or not all(isinstance(each, str) and DIGEST.fullmatch(each) for each in digests):
        yield "earlier.digests is not a list of digests, each sha256: and 64 hexadecimal digits"
    if before is not None and (not isinstance(before, date) or isinstance(before, datetime)):
        yield f"earlier.before is {before!r}; expected a day, such as 2026-12-01"
    if digests and before is None:
        yield "earlier.digests needs earlier.before, the day since which every bundle is signed"
