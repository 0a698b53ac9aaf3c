"""What the gate judges: the candidate, what it is compared with, and what the forge records about both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from checks.candidate import as_named, load_candidate
from checks.comparison.anchor import unmoved
from checks.decision.staleness import Staleness
from checks.evidence import load_bundle
from checks.late_outcomes.second_look import MAX_VERDICTS, LateVerdict, due, late_outcomes
from checks.rules.serving.proposed_slots import fit
from checks.verdict import Finding, Named
from contracts.live_config import LIVE, Live, Slot, champions_of, digests_of, moves, parse_live, withdrawn_by
from forge.interface import Forge, ForgeError
from forge.releases.slot_checks import changed_slots, compared_with, unfetched, unfit


@dataclass(frozen=True)
class PastVerdict:
    """A *verdict* of an earlier night that is to be looked at again, with its *inputs*, or *why* they are not at hand."""

    verdict: LateVerdict
    inputs: GateInputs | None = None
    why: str = ""


@dataclass(frozen=True)
class GateInputs:
    """The candidate with the models it is compared with, all verified.

    *anchor_slot* is the anchor that live.toml names, *anchor* its bundle; *anchor_unreadable* why that is
    missing. *quarantine* holds the digests of rolled back bundles and model files, *files* and *head* the changed
    files and the commit of the proposal, *slots* the findings on the slots of live.toml that it changes, *notes*
    the notes of all releases. *content* is the finding on the candidate's ONNX files: unless it is a PASS, the
    candidate is not loaded. *staleness* is the stored curve of a backtest, None without one. *past* are the verdicts of
    earlier nights that are looked at again. *previous* is the release that was champion before *champion*, None without one or
    where it cannot be fetched: nothing is decided by it.
    """

    candidate: Bundle
    champion: Bundle | None = None
    quarantine: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    head: str | None = None
    anchor_slot: Named | None = None
    anchor: Bundle | None = None
    anchor_unreadable: str = ""
    slots: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    content: Finding | None = None
    staleness: Staleness | None = None
    past: tuple[PastVerdict, ...] = ()
    previous: Bundle | None = None


def from_folders(candidate: Path, champion: Path | None, anchor: Path | None) -> GateInputs:
    """Bundles in folders, without a forge. Raises `BundleError`."""
    old, first = (load_bundle(folder) if folder else None for folder in (champion, anchor))
    loaded, content = _load(candidate)
    return GateInputs(loaded, old, anchor_slot=named(first) if first else None, anchor=first, content=content)


def from_forge(
    forge: Forge,
    work: Path,
    *,
    candidate: Path | None = None,
    live_file: Path | None = None,
    branch: str = "",
    files: tuple[str, ...] = (),
) -> GateInputs:
    """The candidate against what is live; bundles are downloaded to the folder *work*.

    The candidate is the bundle in the folder *candidate*, or the one that *live_file* names, or else that of the
    open proposal on *branch*. *files* are the changed files where no proposal lists them. Raises `BundleError`,
    `ForgeError`, `LiveError`.
    """
    live, head, proposed = compared_with(forge), None, ""
    if candidate:
        bundle, content = _load(candidate)
    elif live_file:
        proposed = live_file.read_text(encoding="utf-8")
        bundle, content = _named_by(proposed, str(live_file), forge, work)
    else:
        proposal = forge.proposal(branch)
        if proposal is None:
            raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
        files, head = proposal.files, proposal.head
        proposed = forge.read(LIVE, branch) or ""
        bundle, content = _named_by(proposed, f"the proposal on branch {branch}", forge, work)
    anchor, unreadable = _fetch_anchor(forge, live.anchor, work)
    return GateInputs(
        bundle,
        _fetch(forge, live.champion, work) if live.champion else None,
        _quarantine(forge),
        files,
        head,
        _slot(live.anchor),
        anchor,
        unreadable,
        _slot_findings(forge, live, parse_live(proposed)) if proposed else (),
        tuple(release.notes for release in forge.releases()),
        content,
        past=_past(forge, bundle, work) if content.outcome == "PASS" else (),
        previous=_fetch_previous(forge, live.champion, work),
    )


def _past(forge: Forge, candidate: Bundle, work: Path) -> tuple[PastVerdict, ...]:
    """The verdicts whose missing outcomes the *candidate*'s rows have, up to `MAX_VERDICTS` that can be read."""
    releases = forge.releases()
    found = list[PastVerdict]()
    for verdict in due([each.notes for each in releases], candidate.contract, late_outcomes(candidate)):
        if len(found) >= 2 * MAX_VERDICTS or sum(each.inputs is not None for each in found) >= MAX_VERDICTS:
            break
        try:
            ours, theirs = (load_bundle(_fetched(forge, each, work)) for each in (verdict.candidate, verdict.champion))
        except (BundleError, ForgeError) as error:
            found.append(PastVerdict(verdict, None, str(error)))
            continue
        made = {each.version: each.at for each in releases}.get(verdict.candidate, "")
        notes = tuple(each.notes for each in releases if each.at < made)
        found.append(PastVerdict(verdict, GateInputs(ours, theirs, notes=notes)))
    return tuple(found)


def named(bundle: Bundle) -> Named:
    """A bundle by version and digest."""
    return Named(bundle.version, bundle.digest)


def _slot_findings(forge: Forge, live: Live, proposed: Live) -> tuple[Finding, ...]:
    first = None if live.champion else _slot(proposed.champion)
    slots = changed_slots(live, proposed)
    slots.pop("champion", None)  # the candidate, which was fetched
    problems = unfit(live, proposed, forge.history(LIVE), forge.releases()) or unfetched(forge, slots)
    return (unmoved(_slot(live.anchor), _slot(proposed.anchor), first), fit(problems))


def _fetch_anchor(forge: Forge, anchor: Slot | None, work: Path) -> tuple[Bundle | None, str]:
    """The anchor's bundle, or why it is unavailable: the gate continues without it and reports that."""
    try:
        return (_fetch(forge, anchor, work) if anchor else None), ""
    except (BundleError, ForgeError) as error:
        return None, f"the anchor cannot be read: {error}"


def _fetch_previous(forge: Forge, champion: Slot | None, work: Path) -> Bundle | None:
    """The release that was champion before *champion*."""
    before = [slot for _, slot in moves(forge.history(LIVE)) if slot and champion and slot.digest != champion.digest]
    try:
        return _fetch(forge, before[-1], work) if before else None
    except (BundleError, ForgeError):
        return None


def _load(folder: Path) -> tuple[Bundle, Finding]:
    """The candidate in *folder*, or in the one folder that `model train` left there."""
    inside = [path.parent for path in folder.glob("*/manifest.json")]
    return load_candidate(inside[0] if len(inside) == 1 else folder)


def _named_by(live: str, source: str, forge: Forge, work: Path) -> tuple[Bundle, Finding]:
    """The stored candidate that the text of a live.toml names; *source* is what errors call that text."""
    champion = parse_live(live).champion
    if champion is None:
        raise ForgeError(f"{source} names no champion in {LIVE}")
    candidate, content = load_candidate(_download(forge, champion, work))
    return as_named(candidate, champion.digest), content


def _fetch(forge: Forge, slot: Slot, work: Path) -> Bundle:
    return as_named(load_bundle(_download(forge, slot, work)), slot.digest)


def _download(forge: Forge, slot: Slot, work: Path) -> Path:
    return _fetched(forge, slot.version, work)


def _fetched(forge: Forge, version: str, work: Path) -> Path:
    folder = work / version
    if not folder.exists():
        forge.download(version, folder)
    return folder


def _quarantine(forge: Forge) -> frozenset[str]:
    """The digests of everything that was rolled back: of bundles and of model files.

    Releases that do not record a rollback yet, or are deleted, are covered by the history of live.toml.
    """
    history = forge.history(LIVE)
    withdrawn = withdrawn_by(champions_of(history))
    known, digests = digests_of(history), set[str]()
    for version in withdrawn:
        digests |= known[version]
    for release in forge.releases():
        if release.state == "withdrawn" or release.version in withdrawn:
            files = forge.manifest(release.version).get("files", {})
            digests |= known.get(release.version, {release.digest})
            digests.add(str(files.get("model.onnx", "")))
    return frozenset(digests)


def _slot(slot: Slot | None) -> Named | None:
    return Named(slot.version, slot.digest) if slot else None
