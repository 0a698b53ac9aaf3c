"""Judge a candidate.

python -m checks gate --out DIR                     the proposal in the forge
python -m checks gate --live FILE --out DIR         the candidate that a live.toml names
python -m checks gate --candidate DIR --out DIR     a bundle in a folder  [--champion DIR | --against-live]
python -m checks anchor [--reason WHY]              propose another anchor
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from checks.candidate import as_named, load_candidate
from checks.comparison.anchor import unmoved
from checks.evidence import cannot_read, load_bundle
from checks.gate import judgement
from checks.gate_subject import Subject, named
from checks.insights.drill_score import drilled
from checks.insights.proposed_slots import fit
from checks.options import parser
from checks.verdict import Finding, Named, Verdict
from checks.waivers import Waiver, read_waivers
from contracts.live_config import LIVE, Live, LiveError, Slot, champions_of, digests_of, parse_live, withdrawn_by
from contracts.row_contract import Contract, ContractError
from contracts.thresholds import ConfigurationError, Rules, read_rules
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import Forge, ForgeError
from forge.opening import open_forge
from forge.releases.slot_checks import changed_slots, compared_with, unfetched, unfit
from forge.workflow_output import output, summary
from reporting.markdown import text
from serve.release.bundle import Bundle
from serve.release.manifest import BundleError

OK, USAGE, REJECT, HOLD, CANNOT_JUDGE, FORGE = 0, 2, 3, 4, 5, 6
CODES = {"PROMOTE": OK, "REJECT": REJECT, "HOLD": HOLD}
#: What a gate leaves.
FILES = ("verdict.json", "report.md", "report.html", "deepchecks.html")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code, the gate's being the verdict's."""
    words = parser(__doc__ or "")
    asked = words.parse_args(arguments)
    try:
        if asked.command == "anchor":
            return _propose_anchor(asked, open_forge(asked.forge))
        if asked.against_live and (not asked.candidate or asked.champion):
            words.error("--against-live goes with --candidate, and without --champion")
        for name in FILES:  # so that nobody takes yesterday's verdict for today's
            (asked.out / name).unlink(missing_ok=True)
        rules, waivers = read_rules(asked.rules), read_waivers(asked.waivers)
        with tempfile.TemporaryDirectory() as work:
            subject = _subject(asked, Path(work))
            decision = _gate(asked.out, rules, waivers, subject, drilled(asked.drill))
        return OK if asked.exit_zero else CODES[decision]
    except ConfigurationError as error:
        return _stop(USAGE, error)
    except (BundleError, ForgeError, LiveError, OSError) as error:
        if asked.command == "anchor":
            return _stop(FORGE, error)
        summary(f"## ❔ Could not judge\n\nThat is no pass: {text(error)}")
        return _stop(CANNOT_JUDGE, f"could not judge, and that is no pass: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; no verdict was written")


def _gate(out: Path, rules: Rules, waivers: Sequence[Waiver], subject: Subject, said: str = "") -> str:
    """Judge, and leave the files, *said* at the report's end; returns the decision."""
    out.mkdir(parents=True, exist_ok=True)
    page = out / ".deepchecks.html"
    page.unlink(missing_ok=True)
    judged = judgement(subject, rules, waivers, datetime.now(UTC).date(), page, _say)
    if page.is_file():
        page.replace(out / "deepchecks.html")
    words = judged.report + (f"\n{said}\n" if said else "")
    _replace(out / "report.md", words)
    _replace(out / "report.html", judged.page)
    _replace(out / "verdict.json", json.dumps(judged.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    summary(words)
    output("decision", judged.verdict.decision)
    _tell(judged.verdict, out)
    return judged.verdict.decision


def _subject(asked: argparse.Namespace, work: Path) -> Subject:
    """Candidate, champion and anchor, verified, and what the forge knows of them."""
    if asked.candidate and not asked.against_live:
        champion, anchor = (load_bundle(f) if f else None for f in (asked.champion, asked.anchor))
        anchored = named(anchor) if anchor else None
        candidate, content = _load(asked.candidate)
        return Subject(candidate, champion, anchored=anchored, anchor=anchor, content=content)
    forge = open_forge(asked.forge)
    live, files = compared_with(forge), tuple(asked.rules_changed.split())
    head, proposed = None, ""
    if asked.candidate:
        candidate, content = _load(asked.candidate)
    elif asked.live:
        proposed = asked.live.read_text(encoding="utf-8")
        candidate, content = _named_by(proposed, str(asked.live), forge, work)
    else:
        proposal = forge.proposal(asked.branch)
        if proposal is None:
            raise ForgeError(f"there is no open proposal on branch {asked.branch}; open one: make retrain")
        files, head = proposal.files, proposal.head
        proposed = forge.read(LIVE, asked.branch) or ""
        candidate, content = _named_by(proposed, f"the proposal on branch {asked.branch}", forge, work)
    anchor, lost = _fetch_anchor(forge, live.anchor, work)
    return Subject(
        candidate,
        _fetch(forge, live.champion, work) if live.champion else None,
        _quarantine(forge),
        files,
        head,
        _slot(live.anchor),
        anchor,
        lost,
        _moves(forge, live, parse_live(proposed)) if proposed else (),
        tuple(release.notes for release in forge.releases()),
        content,
    )


def _moves(forge: Forge, live: Live, proposed: Live) -> tuple[Finding, ...]:
    first = None if live.champion else _slot(proposed.champion)
    slots = changed_slots(live, proposed)
    slots.pop("champion", None)  # the candidate, which was fetched
    wrong = unfit(live, proposed, forge.history(LIVE), forge.releases())
    return (unmoved(_slot(live.anchor), _slot(proposed.anchor), first), fit(wrong or unfetched(forge, slots)))


def _fetch_anchor(forge: Forge, anchor: Slot | None, work: Path) -> tuple[Bundle | None, str]:
    """The anchor's bundle, or why it cannot be had: the gate goes on without it, and says so."""
    try:
        return (_fetch(forge, anchor, work) if anchor else None), ""
    except (BundleError, ForgeError) as error:
        return None, f"the anchor cannot be read: {error}"


def _propose_anchor(asked: argparse.Namespace, forge: Forge) -> int:
    """A proposal that moves the anchor and nothing else; a person merges it."""
    live = parse_live(forge.read(LIVE) or "")
    if live.champion is None:
        raise ForgeError("nothing is live yet; the first model becomes the anchor by itself")
    wanted = asked.to or live.champion.version
    # Of a release, only the name counts: its digest is text that somebody can edit.
    digests = digests_of(forge.history(LIVE)).get(wanted, set())
    if wanted not in {release.version for release in forge.releases()}:
        raise ForgeError(f"{wanted} is not stored; python -m forge status lists what is")
    if len(digests) != 1:
        raise ForgeError(
            f"{LIVE} has never named {wanted}, or with more than one digest: the anchor is a version"
            " that was live; python -m forge status lists what is stored"
        )
    if live.anchor and live.anchor.version == wanted:
        raise ForgeError(f"{wanted} is the anchor already; another: --to VERSION")
    why = asked.reason or _unreadable(forge, live)
    if not why:
        raise ForgeError(
            f"the anchor {live.anchor.version if live.anchor else ''} can still be read; to move it"
            " all the same, say why: python -m checks anchor --reason WHY"
        )
    share = live.anchor.share if live.anchor else None
    moved = replace(live, anchor=Slot(wanted, digests.pop(), share))
    before = live.anchor.version if live.anchor else "none"
    told = f"{why}\n\nFrom now on no candidate may be worse than {wanted} by more than the anchor's margins; before: {before}.\n"
    proposal = forge.propose("anchor", f"Anchor {wanted}", told, {LIVE: moved.to_toml()}, labels=("anchor",))
    forge.status("anchor", True, f"for a person to merge: {why}", proposal.head)
    _say(f"proposal {proposal.number} moves the anchor from {before} to {wanted}: {why}")
    _say("Merge the pull request, or type: python -m forge merge anchor")
    return OK


def _unreadable(forge: Forge, live: Live) -> str:
    """Why the anchor cannot score the champion's rows; "" if it can."""
    if live.anchor is None or live.champion is None:
        return "there was no anchor"
    try:
        anchor, champion = (
            Contract.from_json(forge.manifest(slot.version)["contract"]) for slot in (live.anchor, live.champion)
        )
    except (ForgeError, ContractError, KeyError) as error:
        return f"the anchor cannot be read: {error}"
    return cannot_read(anchor, champion, "anchor")


def _load(folder: Path) -> tuple[Bundle, Finding]:
    """The candidate in *folder*, or in the one folder that `model train` left there."""
    inside = [path.parent for path in folder.glob("*/manifest.json")]
    return load_candidate(inside[0] if len(inside) == 1 else folder)


def _named_by(live: str, whose: str, forge: Forge, work: Path) -> tuple[Bundle, Finding]:
    """The stored candidate that the text of a live.toml names."""
    proposed = parse_live(live).champion
    if proposed is None:
        raise ForgeError(f"{whose} names no champion in {LIVE}")
    candidate, content = load_candidate(_download(forge, proposed, work))
    return as_named(candidate, proposed.digest), content


def _fetch(forge: Forge, slot: Slot, work: Path) -> Bundle:
    return as_named(load_bundle(_download(forge, slot, work)), slot.digest)


def _download(forge: Forge, slot: Slot, work: Path) -> Path:
    folder = work / slot.version
    if not folder.exists():
        forge.download(slot.version, folder)
    return folder


def _quarantine(forge: Forge) -> frozenset[str]:
    """The digests by which what was rolled back is known again: of bundles and of model files.

    What the releases do not say yet, or no more, the history of live.toml does.
    """
    history = forge.history(LIVE)
    gone = withdrawn_by(champions_of(history))
    known, found = digests_of(history), set[str]()
    for version in gone:
        found |= known[version]
    for release in forge.releases():
        if release.state == "withdrawn" or release.version in gone:
            files = forge.manifest(release.version).get("files", {})
            found |= known.get(release.version, {release.digest})
            found.add(str(files.get("model.onnx", "")))
    return frozenset(found)


def _slot(slot: Slot | None) -> Named | None:
    return Named(slot.version, slot.digest) if slot else None


def _tell(verdict: Verdict, out: Path) -> None:
    _say(f"{verdict.decision}: {verdict.summary}")
    for each in verdict.findings:
        if each.outcome != "PASS":
            mild = " (does not block)" if each.outcome == "FAIL" and each.severity == "warn" else ""
            _say(f"  {each.outcome} {each.rule}{mild}: {each.observed[:160]}; limit {each.limit}. {each.why}")
    _say(f"report: {out / 'report.md'}")


def _replace(path: Path, words: str) -> None:
    work = path.with_name(f".{path.name}-{os.getpid()}")
    # A half of a surrogate pair, from somebody's JSON, is written as JSON writes it.
    work.write_text(words, encoding="utf-8", errors="backslashreplace")
    work.replace(path)


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
