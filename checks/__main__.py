"""Judge a candidate.

python -m checks gate --out DIR                     the proposal in the forge
python -m checks gate --live FILE --out DIR         the candidate that a live.toml names
python -m checks gate --candidate DIR --out DIR     a bundle in a folder  [--champion DIR | --against-live]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from checks.churn import churn
from checks.compare import CALIBRATION, Compared, calibration, compare, gain
from checks.drawing import charts
from checks.evidence import gather, load_bundle
from checks.markdown import text
from checks.report import Slice, report
from checks.rules import ConfigurationError, Gate, read_rules
from checks.slices import FOUND, by_slice
from checks.slices import slices as judge_slices
from checks.soundness import soundness
from checks.verdict import Named, Verdict, judge, rules_changed
from forge import Forge, ForgeError, open_forge
from forge.actions import output, summary
from forge.live import LIVE, LiveError, Slot, champions_of, moves, parse_live, withdrawn_by
from serve.bundle import Bundle, BundleError

OK, USAGE, REJECT, HOLD, CANNOT_JUDGE = 0, 2, 3, 4, 5
CODES = {"PROMOTE": OK, "REJECT": REJECT, "HOLD": HOLD}
#: What a gate leaves.
FILES = ("verdict.json", "report.md", "deepchecks.html")


@dataclass(frozen=True)
class Subject:
    """What is judged, against what; the digests in quarantine; its proposal's files and head."""

    candidate: Bundle
    champion: Bundle | None = None
    quarantine: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    head: str | None = None


def main(arguments: list[str] | None = None) -> int:
    """Run the gate; returns the verdict's exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.against_live and (not asked.candidate or asked.champion):
        parser.error("--against-live goes with --candidate, and without --champion")
    try:
        for name in FILES:  # so that nobody takes yesterday's verdict for today's
            (asked.out / name).unlink(missing_ok=True)
        gate = read_rules(asked.rules).gate
        with tempfile.TemporaryDirectory() as work:
            decision = _gate(asked.out, gate, _subject(asked, Path(work)))
        return OK if asked.exit_zero else CODES[decision]
    except ConfigurationError as error:
        return _stop(USAGE, error)
    except (BundleError, ForgeError, LiveError, OSError) as error:
        summary(f"## ❔ Could not judge\n\nThat is no pass: {text(error)}")
        return _stop(CANNOT_JUDGE, f"could not judge, and that is no pass: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; no verdict was written")


def _gate(out: Path, gate: Gate, subject: Subject) -> str:
    """Evidence -> findings -> verdict -> files; returns the decision."""
    candidate, champion = subject.candidate, subject.champion
    _say(
        f"candidate {candidate.version}, champion {champion.version if champion else '(none yet)'}"
    )
    out.mkdir(parents=True, exist_ok=True)
    evidence = gather(candidate, champion)
    fresh = int(evidence.fresh.sum())
    findings = soundness(evidence, candidate, subject.quarantine, gate)
    table: list[Compared] = []
    slices: list[Slice] = []
    if fresh >= gate.min_fresh_rows:
        _say(f"comparing on {fresh:,} fresh rows ...")
        table, compared = compare(evidence, gate.compare)
        findings += compared + calibration(evidence, gate.compare, gate.calibration)
        findings += judge_slices(evidence, gate)
        slices = by_slice(evidence, table[0].metric)
    _say("loading Deepchecks ...")
    from checks.suite import chosen, run  # noqa: PLC0415 -- takes ten seconds and more

    rules = chosen(gate, evidence.contract.task)
    _say(f"running {len(rules)} of its checks ...")
    page = out / ".deepchecks.html"
    page.unlink(missing_ok=True)
    findings += run(evidence, rules, gate, page)
    metrics = gate.compare.margins(evidence.contract.task).margins
    required = [
        *(rule.name for rule in rules),
        *(f"compare.{name}" for name in metrics),
        "compare.baseline",
        *(f"calibration.{name}" for name in CALIBRATION[evidence.contract.task]),
        FOUND,
    ]
    gains = champion is None or champion.digest != candidate.digest
    verdict = judge(findings, required, gains, _good(table, champion))
    changed = churn(evidence) if table else None
    words = report(
        verdict,
        candidate.manifest,
        champion.manifest if champion else None,
        table=table,
        slices=slices,
        fresh=fresh,
        churn=changed,
        files=subject.files,
        charts=charts(evidence, table[0].metric) if table else "",
    )
    more = {
        "fresh_rows": fresh,
        "churn": changed,
        "head": subject.head,
        "rules_changed": rules_changed(subject.files),
        "metrics": [asdict(row) for row in table],
        "slices": slices,
    }
    judged = verdict.to_json(_named(candidate), _named(champion) if champion else None, more)
    if page.is_file():
        page.replace(out / "deepchecks.html")
    _replace(out / "report.md", words)
    _replace(
        out / "verdict.json",
        json.dumps(judged, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    )
    summary(words)
    output("decision", verdict.decision)
    _tell(verdict, out)
    return verdict.decision


def _subject(asked: argparse.Namespace, work: Path) -> Subject:
    """Candidate and champion, verified, and what the forge knows of them."""
    if asked.candidate and not asked.against_live:
        champion = load_bundle(asked.champion) if asked.champion else None
        return Subject(_load(asked.candidate), champion)
    forge = open_forge(asked.forge)
    live, files = parse_live(forge.read(LIVE) or "").champion, tuple(asked.rules_changed.split())
    head = None
    if asked.candidate:
        candidate = _load(asked.candidate)
    elif asked.live:
        candidate = _named_by(asked.live.read_text(encoding="utf-8"), str(asked.live), forge, work)
    else:
        proposal = forge.proposal(asked.branch)
        if proposal is None:
            raise ForgeError(
                f"there is no open proposal on branch {asked.branch}; open one: make retrain"
            )
        files, head = proposal.files, proposal.head
        text = forge.read(LIVE, asked.branch) or ""
        candidate = _named_by(text, f"the proposal on branch {asked.branch}", forge, work)
    champion = _fetch(forge, live, work) if live else None
    return Subject(candidate, champion, _quarantine(forge), files, head)


def _load(folder: Path) -> Bundle:
    """The bundle in *folder*, or the one in a folder of its own that `model train` left there."""
    inside = [path.parent for path in folder.glob("*/manifest.json")]
    return load_bundle(inside[0] if len(inside) == 1 else folder)


def _named_by(live: str, whose: str, forge: Forge, work: Path) -> Bundle:
    """The stored candidate that the text of a live.toml names."""
    proposed = parse_live(live).champion
    if proposed is None:
        raise ForgeError(f"{whose} names no champion in {LIVE}")
    return _fetch(forge, proposed, work)


def _fetch(forge: Forge, slot: Slot, work: Path) -> Bundle:
    folder = work / slot.version
    if not folder.exists():
        forge.download(slot.version, folder)
    bundle = load_bundle(folder)
    if bundle.digest != slot.digest:
        raise BundleError(
            f"{slot.version} is stored with {bundle.digest}, but {LIVE} names {slot.digest}"
        )
    return bundle


def _quarantine(forge: Forge) -> frozenset[str]:
    """The digests by which what was rolled back is known again: of bundles and of model files.

    What the releases do not say yet, or no more, the history of live.toml does.
    """
    history = forge.history(LIVE)
    gone = withdrawn_by(champions_of(history))
    found = {slot.digest for _, slot in moves(history) if slot and slot.version in gone}
    for release in forge.releases():
        if release.state == "withdrawn" or release.version in gone:
            files = forge.manifest(release.version).get("files", {})
            found |= {release.digest, str(files.get("model.onnx", ""))}
    return frozenset(found)


def _good(table: Sequence[Compared], champion: Bundle | None) -> str:
    """The sentence of a PROMOTE."""
    if not table:
        return ""
    row = table[0]
    if row.champion is None or row.low is None or row.high is None or champion is None:
        return f"Every rule holds; {row.metric} {row.candidate:.4f}. There is no champion yet to compare with."
    word = "Better than" if row.low > 0 else "Worse, within the margin, than"
    if row.low <= 0 <= row.high:
        word = "As good as"
    return (
        f"{word} {champion.version}: {row.metric} {row.candidate:.4f} against {row.champion:.4f},"
        f" a gain of {gain(row.metric, row.low)} to {gain(row.metric, row.high)}."
    )


def _named(bundle: Bundle) -> Named:
    return Named(bundle.version, bundle.digest)


def _tell(verdict: Verdict, out: Path) -> None:
    _say(f"{verdict.decision}: {verdict.summary}")
    for each in verdict.findings:
        if each.outcome != "PASS":
            mild = " (does not block)" if each.outcome == "FAIL" and each.severity == "warn" else ""
            _say(
                f"  {each.outcome} {each.rule}{mild}: {each.observed[:160]}; limit {each.limit}. {each.why}"
            )
    _say(f"report: {out / 'report.md'}")


def _replace(path: Path, words: str) -> None:
    work = path.with_name(f".{path.name}-{os.getpid()}")
    # A half of a surrogate pair, from somebody's JSON, is written as JSON writes it.
    work.write_text(words, encoding="utf-8", errors="backslashreplace")
    work.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m checks", description=__doc__.split("\n")[0])
    gate = parser.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser(
        "gate", help="judge a candidate: PROMOTE, HOLD or REJECT"
    )
    gate.add_argument(
        "--forge", default=os.environ.get("FORGE") or ".forge", help="where the proposal is"
    )
    gate.add_argument("--branch", default="retrain", help="the proposal's branch")
    gate.add_argument("--live", type=Path, help="a live.toml that names the candidate, instead")
    gate.add_argument("--candidate", type=Path, help="a bundle's folder, instead of a proposal")
    gate.add_argument("--champion", type=Path, help="with --candidate: the bundle to compare with")
    gate.add_argument(
        "--against-live",
        action="store_true",
        help="with --candidate: compare with what is live in the forge, quarantine included",
    )
    gate.add_argument(
        "--exit-zero",
        action="store_true",
        help="exit code 0 whatever the verdict, if there is one",
    )
    gate.add_argument(
        "--rules-changed",
        default="",
        metavar="FILES",
        help="files of checks/ that the proposal changes, where no forge can say",
    )
    gate.add_argument("--rules", type=Path, default=Path("checks/thresholds.toml"))
    gate.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for verdict.json, report.md, deepchecks.html",
    )
    return parser


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
