"""The bundles of a forge in a folder, each with a record of its release."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

from contracts.atomic_file import write_atomically
from forge.bundles.bundle_files import ATTESTATION, MANIFEST, digest_in
from forge.interface import ForgeError, Release
from forge.records import read_record, write_record


class BundleStore:
    """The bundles in *folder*, and which is the latest. The caller holds the forge's lock while writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, version: str, bundle: Path, attestation: Path | None, now: str) -> None:
        """Store a candidate; the same content again changes nothing. Raises `ForgeError`."""
        place = self.folder / version
        digest = digest_in(bundle)
        if place.exists():
            if _content(place / "bundle") != _content(bundle):
                raise ForgeError(f"release {version} is stored already, with other content; a bundle never changes")
            return
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob(".unfinished-*"):
            shutil.rmtree(left)
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.folder))
        shutil.copytree(bundle, work / "bundle")
        if attestation:
            shutil.copyfile(attestation, work / ATTESTATION)
        meta = {"version": version, "digest": digest, "state": "candidate", "at": now}
        write_record(work / "release.md", meta, "")
        work.chmod(0o755)
        work.rename(place)

    def copy(self, version: str, folder: Path) -> None:
        """Copy a bundle to a new *folder*, atomically. Raises `ForgeError`."""
        source = self._bundle(version)
        if folder.exists():
            raise ForgeError(f"{folder} is there already; a bundle is downloaded to a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        try:
            shutil.copytree(source, work / "bundle")
            (work / "bundle").rename(folder)
        except OSError as error:
            raise ForgeError(f"{version} could not be copied to {folder}: {error}; nothing was left there") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def attestation(self, version: str) -> bytes | None:
        """The attestation of a bundle; None if it has none. Raises `ForgeError`."""
        try:
            return (self._bundle(version).with_name(ATTESTATION)).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ForgeError(f"the attestation of {version} cannot be read: {error}") from error

    def manifest(self, version: str) -> dict[str, Any]:
        """A bundle's manifest. Raises `ForgeError`."""
        try:
            return dict(json.loads((self._bundle(version) / MANIFEST).read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise ForgeError(f"the manifest of {version} cannot be read: {error}") from error

    def releases(self) -> list[Release]:
        """All releases, newest first."""
        found, latest = [], self._latest()
        for path in sorted(self.folder.glob("[!.]*/release.md"), reverse=True):
            meta, notes = read_record(path)
            version, state = meta["version"], meta["state"]
            hand = state != meta.get("settled", state)
            fields = (version, meta["digest"], state, notes, meta["at"])
            found.append(Release(*fields, latest=version == latest, by_hand=hand))
        return found

    def describe(self, version: str, notes: str) -> None:
        """Write a bundle's notes."""
        path = self._bundle(version).with_name("release.md")
        write_record(path, read_record(path)[0], notes)

    def publish(self, version: str, latest: bool) -> None:
        """Publish a release, and mark it as the *latest* if wanted."""
        self._mark(version, "published")
        if latest:
            write_atomically(self.folder / "latest", f"{version}\n", durable=True)

    def withdraw(self, version: str, reason: str) -> None:
        """Quarantine a release; *reason* is put before its notes, once."""
        self._mark(version, "withdrawn", reason)

    def _mark(self, version: str, state: Literal["published", "withdrawn"], reason: str = "") -> None:
        # The state is stored twice: if they differ, a person edited the first.
        path = self._bundle(version).with_name("release.md")
        meta, notes = read_record(path)
        if not notes.startswith(reason):
            notes = f"{reason}\n\n{notes}".rstrip() + "\n"
        write_record(path, meta | {"state": state, "settled": state}, notes)

    def discard(self, version: str) -> None:
        """Remove a candidate, if it is there. Raises `ForgeError` for a release that was live."""
        place = self.folder / version
        if not place.exists():
            return
        if read_record(place / "release.md")[0]["state"] != "candidate":
            raise ForgeError(f"release {version} was live; only candidates are discarded")
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.folder))
        place.rename(work / "release")
        shutil.rmtree(work)

    def _latest(self) -> str:
        try:
            return (self.folder / "latest").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def _bundle(self, version: str) -> Path:
        path = self.folder / version / "bundle"
        if not path.is_dir():
            known = ", ".join(release.version for release in self.releases()) or "none"
            raise ForgeError(f"there is no release {version}; there are: {known}")
        return path


def _content(folder: Path) -> dict[str, bytes | str]:
    """The files of a bundle; of its manifest only the digest, which does not depend on the time of the build."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    found: dict[str, bytes | str] = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
    return found | {MANIFEST: digest_in(folder)}
