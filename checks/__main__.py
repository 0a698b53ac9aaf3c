"""Judge a candidate.

python -m checks gate --out DIR                     the proposal in the forge
python -m checks gate --candidate DIR --out DIR     a bundle in a folder  [--champion DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from checks.compare import by_slice, calibration_error, compare
from checks.evidence import Evidence, gather, load_bundle
from checks.report import report
from checks.rules import ConfigurationError, Gate, read_rules
from checks.verdict import Finding, Named, Verdict, judge
from forge import Forge, ForgeError, open_forge
from forge.live import LiveError, Slot, parse_live
from serve.bundle import Bundle, BundleError

PROMOTE, USAGE, REJECT, HOLD, CANNOT_JUDGE = 0, 2, 3, 4, 5
CODES = {"PROMOTE": PROMOTE, "REJECT": REJECT, "HOLD": HOLD}
LIVE = "serve/live.toml"
#: What a gate leaves.
FILES = ("verdict.json", "report.md", "deepchecks.html")


def main(arguments: list[str] | None = None) -> int:
    """Run the gate; returns the verdict's exit code."""
    asked = _parser().parse_args(arguments)
    try:
        for name in FILES:  # so that nobody takes yesterday's verdict for today's
            (asked.out / name).unlink(missing_ok=True)
        gate = read_rules(asked.rules).gate
        with tempfile.TemporaryDirectory() as work:
            candidate, champion, withdrawn = _subjects(asked, Path(work))
            return _gate(asked.out, gate, candidate, champion, withdrawn)
    except ConfigurationError as error:
        return _stop(USAGE, error)
    except (BundleError, ForgeError, LiveError, OSError) as error:
        return _stop(CANNOT_JUDGE, f"could not judge, and that is no pass: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; no verdict was written")


def _gate(
    out: Path, gate: Gate, candidate: Bundle, champion: Bundle | None, withdrawn: set[str]
) -> int:
    """Evidence -> findings -> verdict -> files."""
    _say(
        f"candidate {candidate.version}, champion {champion.version if champion else '(none yet)'}"
    )
    out.mkdir(parents=True, exist_ok=True)
    evidence = gather(candidate, champion)
    fresh = int(evidence.fresh.sum())
    findings = own_findings(evidence, candidate, withdrawn, gate)
    table: list[Any] = []
    slices: list[Any] = []
    if fresh >= gate.min_fresh_rows:
        _say(f"comparing on {fresh:,} fresh rows ...")
        table, compared = compare(evidence, gate.compare)
        findings += compared
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
    ]
    gains = champion is None or champion.digest != candidate.digest
    verdict = judge(findings, required, gains, _good(table, champion))
    words = report(
        verdict,
        candidate.manifest,
        champion.manifest if champion else None,
        table=table,
        slices=slices,
        fresh=fresh,
    )
    more = {"fresh_rows": fresh, "metrics": [asdict(row) for row in table], "slices": slices}
    judged = verdict.to_json(_named(candidate), _named(champion) if champion else None, more)
    if page.is_file():
        page.replace(out / "deepchecks.html")
    _replace(out / "report.md", words)
    _replace(
        out / "verdict.json",
        json.dumps(judged, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    )
    _tell(verdict, out)
    return CODES[verdict.decision]


def own_findings(
    evidence: Evidence, candidate: Bundle, withdrawn: set[str], gate: Gate
) -> list[Finding]:
    """What is found without Deepchecks and without a champion."""
    fresh, contract = int(evidence.fresh.sum()), evidence.contract
    model = candidate.manifest["files"]["model.onnx"]
    known = sorted(withdrawn & {candidate.digest, model})
    found = [
        Finding(
            "bundle.scores",
            "PASS" if evidence.stored_scores_agree else "FAIL",
            "the ONNX file gives the scores that its evidence holds"
            if evidence.stored_scores_agree
            else "the ONNX file does not give the scores that its evidence holds",
            "the same scores",
            "What was measured must be what is served.",
        ),
        Finding(
            "bundle.quarantine",
            "FAIL" if known else "PASS",
            f"these bytes were rolled back before ({known[0][:19]}…)"
            if known
            else "never rolled back",
            "not in quarantine",
            "A model that somebody took off must not come back unseen.",
        ),
        Finding(
            "data.fresh_rows",
            "PASS" if fresh >= gate.min_fresh_rows else "FAIL",
            f"{fresh:,} rows that neither model learnt from",
            f"at least {gate.min_fresh_rows:,}",
            "On few rows, chance decides.",
        ),
    ]
    if contract.task != "regression":
        error = calibration_error(evidence.truth, evidence.holdout_scores)
        found.append(
            Finding(
                "model.calibration",
                "PASS" if error <= gate.model.max_calibration_error else "FAIL",
                f"{error:.3f} mean distance of predicted from observed",
                f"at most {gate.model.max_calibration_error:g}",
                "Who acts on a probability needs it to be one.",
                gate.model.severity,
            )
        )
    return found


def _subjects(asked: argparse.Namespace, work: Path) -> tuple[Bundle, Bundle | None, set[str]]:
    """Candidate and champion, verified, and the digests in quarantine."""
    if asked.candidate:
        champion = load_bundle(asked.champion) if asked.champion else None
        return load_bundle(asked.candidate), champion, set()
    forge = open_forge(asked.forge)
    proposal = forge.proposal(asked.branch)
    if proposal is None:
        raise ForgeError(
            f"there is no open proposal on branch {asked.branch}; open one: make retrain"
        )
    proposed = parse_live(forge.read(LIVE, asked.branch) or "").champion
    live = parse_live(forge.read(LIVE) or "").champion
    if proposed is None:
        raise ForgeError(f"proposal {proposal.number} names no champion in {LIVE}")
    withdrawn = {
        d
        for r in forge.releases()
        if r.state == "withdrawn"
        for d in _digests(forge, r.version, work)
    }
    return _fetch(forge, proposed, work), _fetch(forge, live, work) if live else None, withdrawn


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


def _digests(forge: Forge, version: str, work: Path) -> Sequence[str]:
    """The digests by which a withdrawn bundle is known again: its content's, and its model file's."""
    folder = work / version
    if not folder.exists():
        forge.download(version, folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    return manifest["digest"], manifest["files"]["model.onnx"]


def _good(table: Sequence[Any], champion: Bundle | None) -> str:
    if not table:
        return ""
    row = table[0]
    if champion is None:
        return f"Every rule holds; {row.metric} {row.candidate:.4f}. There is no champion yet to compare with."
    return (
        f"{row.metric} {row.candidate:.4f} against {row.champion:.4f} of {champion.version};"
        f" the difference is {row.low:+.4f} to {row.high:+.4f} (more is better), {-row.margin:+.4f} was allowed."
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
    work.write_text(words, encoding="utf-8")
    work.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m checks", description=__doc__.split("\n")[0])
    gate = parser.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser(
        "gate", help="judge a candidate: PROMOTE, HOLD or REJECT"
    )
    gate.add_argument(
        "--forge", default=os.environ.get("FORGE", ".forge"), help="where the proposal is"
    )
    gate.add_argument("--branch", default="retrain", help="the proposal's branch")
    gate.add_argument("--candidate", type=Path, help="a bundle's folder, instead of a proposal")
    gate.add_argument("--champion", type=Path, help="with --candidate: the bundle to compare with")
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
