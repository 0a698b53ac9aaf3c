"""Bundles as GitHub releases: a candidate is a prerelease, its files are assets with flat names.

A release is a draft until every asset is uploaded and verified; assets never change after that (GitHub's immutable
releases). Later changes concern the hidden line of the notes, the prerelease flag, and which release is the latest.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from contracts.bundle_content import sha256
from contracts.live_tables import DIGEST, VERSION
from forge.bundles.bundle_files import ATTESTATION, MANIFEST, digest_in, parse_manifest
from forge.github.api_errors import RefusedError
from forge.github.hidden_metadata import body_of, parse_body
from forge.github.rest import Rest, surely
from forge.interface import ForgeError, Release
from forge.records import Meta

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_STATES = ("candidate", "published", "withdrawn")


class Assets:
    """The part of a forge on GitHub that keeps bundles."""

    def __init__(self, rest: Rest, now: Callable[[], datetime]) -> None:
        self._rest = rest
        self._clock = now
        self._manifests: dict[str, bytes] = {}

    @surely
    def upload(self, version: str, folder: Path, attestation: Path | None = None) -> None:
        """Store the bundle in *folder* as a candidate, with the *attestation* of how it was built.

        The same content again changes nothing. An interrupted upload is completed.
        """
        digest = digest_in(folder)
        files = _files(folder)
        stored = self._stored(version)
        if stored and not stored["draft"]:
            # Two builds of the same content have the same digest, but manifests with different times.
            other = set(_wrong(files, stored["assets"])) - {MANIFEST}
            if not other and self.manifest(version)["digest"] == digest:
                return
            raise ForgeError(f"release {version} is stored already, with other content; a bundle never changes")
        meta = {"version": version, "digest": digest, "state": "candidate", "at": self._now()}
        draft = stored or self._rest.write(
            "POST",
            "releases",
            {
                "tag_name": version,
                "name": version,
                "body": body_of(meta, ""),
                "draft": True,
                "prerelease": True,
                "make_latest": "false",
            },
        )
        if attestation:
            # The manifest is uploaded last.
            files = {ATTESTATION: attestation.read_bytes()} | files
        path = f"releases/{draft['id']}"
        self._fill(draft, files)
        wrong = _wrong(files, list(self._rest.pages(f"{path}/assets")))
        if wrong:
            raise ForgeError(f"{', '.join(wrong)} of {version} did not arrive whole; upload it again")
        words = {"draft": False, "prerelease": True, "make_latest": "false"}
        self._rest.write("PATCH", path, words | {"body": body_of(meta, "")})

    def download(self, version: str, folder: Path) -> None:
        """Copy the bundle of *version* to *folder*, which must not be there; whole, or not at all."""
        release = self._release(version)
        if folder.exists():
            raise ForgeError(f"{folder} is there already; a bundle is downloaded to a new folder")
        content = self._manifest(release)
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        try:
            bundle = work / "bundle"
            bundle.mkdir()
            (bundle / MANIFEST).write_bytes(content)
            for name, digest in parse_manifest(version, content)["files"].items():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise ForgeError(f"the manifest of {version} names {name}, outside the bundle")
                found = self._asset(release, _flat(name))
                if sha256(found) != digest:
                    raise ForgeError(
                        f"asset {_flat(name)} of {version} is damaged: {len(found)} bytes with"
                        f" {sha256(found)}, and the manifest says {digest}; download it again"
                    )
                (bundle / name).parent.mkdir(parents=True, exist_ok=True)
                (bundle / name).write_bytes(found)
            bundle.rename(folder)
        except OSError as error:
            raise ForgeError(f"{version} could not be copied to {folder}: {error}; nothing was left there") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def attestation(self, version: str) -> bytes | None:
        """The attestation of *version*; None if it has none."""
        release = self._release(version)
        has = any(each["name"] == ATTESTATION for each in release["assets"])
        return self._asset(release, ATTESTATION) if has else None

    def manifest(self, version: str) -> dict[str, Any]:
        """The manifest of the bundle of *version*."""
        return parse_manifest(version, self._manifest(self._release(version)))

    def releases(self) -> list[Release]:
        """Every stored bundle, newest first."""
        latest = (self._rest.get("releases/latest") or {}).get("tag_name")
        found = []
        for each, meta, notes in self._all():
            noted, version = meta["state"], each["tag_name"]
            state: Any = "published"
            if each["prerelease"]:
                state = "candidate" if noted == "candidate" else "withdrawn"
            by_hand = state != noted or not _metadata(each)[0]
            is_latest = version == latest
            found.append(Release(version, meta["digest"], state, notes, meta["at"], is_latest, by_hand))
        return sorted(found, key=lambda release: release.version, reverse=True)

    def has_release(self, version: str) -> bool:
        """Whether the release of *version* exists, by a request for that release, not by the list."""
        release = self._rest.get(f"releases/tags/{version}")
        return bool(release and _is_ours(release))

    @surely
    def describe(self, version: str, notes: str) -> None:
        """Write the notes of *version*, whatever its state."""
        release = self._release(version)
        meta, _ = self._metadata(release)
        if release["body"] != body_of(meta, notes):
            path = f"releases/{release['id']}"
            self._rest.write("PATCH", path, {"body": body_of(meta, notes)})

    @surely
    def publish(self, version: str, latest: bool = True) -> None:
        """Publish *version*, and mark it as the *latest* if wanted."""
        release = self._release(version)
        meta, notes = self._metadata(release)
        self._rest.write(
            "PATCH",
            f"releases/{release['id']}",
            {
                "name": version,
                "prerelease": False,
                "make_latest": "true" if latest else "false",
                "body": body_of(meta | {"state": "published"}, notes),
            },
        )

    @surely
    def withdraw(self, version: str, reason: str) -> None:
        """Quarantine *version*; *reason* is put before its notes, once."""
        release = self._release(version)
        meta, before = self._metadata(release)
        known = before.replace("\r\n", "\n").startswith(reason)
        notes = before if known else f"{reason}\n\n{before}".rstrip() + "\n"
        self._rest.write(
            "PATCH",
            f"releases/{release['id']}",
            {
                "name": f"{version} (withdrawn)",
                "prerelease": True,
                "make_latest": "false",
                "body": body_of(meta | {"state": "withdrawn"}, notes),
            },
        )

    @surely
    def discard(self, version: str) -> None:
        """Remove a candidate, if it is there."""
        for each in self._rest.pages("releases"):
            if each["tag_name"] == version:
                state = each["prerelease"] and self._metadata(each)[0]["state"]
                if not each["draft"] and state != "candidate":
                    raise ForgeError(f"release {version} was live; only candidates are discarded")
                self._remove(f"releases/{each['id']}")
        self._remove(f"git/refs/tags/{version}")

    def _fill(self, draft: Any, files: dict[str, bytes]) -> None:
        """Make *files* the assets of the *draft*; intact ones are kept."""
        there = {each["name"]: each for each in self._rest.pages(f"releases/{draft['id']}/assets")}
        for name, asset in there.items():
            if name not in files or not _is(asset, files[name]):
                self._remove(f"releases/assets/{asset['id']}")
        for name, content in files.items():
            if name not in there or not _is(there[name], content):
                self._rest.send(draft["upload_url"], name, content)

    def _remove(self, path: str) -> None:
        try:
            self._rest.write("DELETE", path)
        except RefusedError as refused:
            # 422: the tag does not exist, or belonged to an immutable release.
            if refused.status not in (404, 422):
                raise

    def _stored(self, version: str) -> Any:
        """The release of *version*, or its draft, which GitHub does not find by the tag."""
        found = [
            each
            for each in self._rest.pages("releases")
            if each["tag_name"] == version
            and (not each["draft"] or parse_body(each["body"])[0].get("version") == version)
        ]
        return min(found, key=lambda each: (each["draft"], each["id"]), default=None)

    def _release(self, version: str) -> Any:
        release = self._rest.get(f"releases/tags/{version}")
        if not (release and _is_ours(release)):
            known = sorted((each["tag_name"] for each, _, _ in self._all()), reverse=True)
            raise ForgeError(f"there is no release {version}; there are: {', '.join(known) or 'none'}")
        return release

    def _all(self) -> Iterator[tuple[Any, Meta, str]]:
        for each in self._rest.pages("releases"):
            if not each["draft"] and _is_ours(each):
                yield each, *self._metadata(each)

    def _metadata(self, release: Any) -> tuple[Meta, str]:
        """Metadata and text of a release's notes.

        Editing the notes in a browser may remove the hidden line. Then the release's own state is used, and the next
        robot that writes restores the line.
        """
        meta, notes = _metadata(release)
        if meta:
            return meta, notes
        version = release["tag_name"]
        digest = parse_manifest(version, self._manifest(release)).get("digest", "")
        state = "candidate" if release["prerelease"] else "published"
        return {"version": version, "digest": digest, "state": state, "at": release["created_at"]}, notes

    def _manifest(self, release: Any) -> bytes:
        kept = f"{release['id']} {release['tag_name']}"
        if kept not in self._manifests:
            self._manifests[kept] = self._asset(release, MANIFEST)
        return self._manifests[kept]

    def _asset(self, release: Any, name: str) -> bytes:
        asset = next((each for each in release["assets"] if each["name"] == name), None)
        if asset is None:
            raise ForgeError(f"release {release['tag_name']} has no asset {name}; train again")
        content = self._rest.content(f"releases/assets/{asset['id']}")
        if not _is(asset, content):
            raise ForgeError(
                f"asset {name} of {release['tag_name']} came as {len(content)} bytes and GitHub says"
                f" {asset['size']}, or its digest is another; download it again"
            )
        return content

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _files(folder: Path) -> dict[str, bytes]:
    """The content of a bundle by the names of its assets, the manifest last."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    paths.sort(key=lambda path: path == folder / MANIFEST)
    return {_flat(path.relative_to(folder).as_posix()): path.read_bytes() for path in paths}


def _flat(name: str) -> str:
    return name.replace("/", ".")


def _is(asset: Any, content: bytes) -> bool:
    """Whether an asset is complete and is *content*; older GitHub versions report no digest."""
    digest = asset.get("digest") or sha256(content)
    whole = asset["state"] == "uploaded" and asset["size"] == len(content)
    return bool(whole and digest == sha256(content))


def _wrong(files: dict[str, bytes], assets: list[Any]) -> list[str]:
    """The names of assets that differ from *files*; the attestation may differ."""
    there = {each["name"]: each for each in assets}
    missing = [name for name, c in files.items() if name not in there or not _is(there[name], c)]
    return missing + sorted(there.keys() - files.keys() - {ATTESTATION})


def _metadata(release: Any) -> tuple[Meta, str]:
    """Metadata and text of a release's notes; no metadata if the hidden line is damaged."""
    meta, notes = parse_body(release["body"])
    whole = meta.get("state") in _STATES and DIGEST.fullmatch(str(meta.get("digest")))
    return (meta if whole and _TIME.fullmatch(str(meta.get("at"))) else {}), notes


def _is_ours(release: Any) -> bool:
    assets = {each["name"] for each in release["assets"]}
    return bool(VERSION.fullmatch(release["tag_name"])) and MANIFEST in assets
