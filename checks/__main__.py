"""Judge a candidate.

python -m checks gate --out DIR                     the proposal in the forge
python -m checks gate --live FILE --out DIR         the candidate that a live.toml names
python -m checks gate --candidate DIR --out DIR     a bundle in a folder  [--champion DIR | --against-live]
python -m checks anchor [--reason WHY]              propose another anchor
python -m checks score [--json]                     which of the 28 tests of the ML Test Score run here
python -m checks debt [--journal DIR] [--propose]   what can be removed, by which command
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bundles.manifest import BundleError
from checks.anchor_proposal import propose_anchor
from checks.debt.debt_inputs import debts_of
from checks.debt.debt_page import debt_page, ledger_title
from checks.decision.staleness import read_staleness
from checks.gate import run_gate
from checks.gate_inputs import GateInputs, from_folders, from_forge
from checks.gate_output import remove_old, write
from checks.insights.drill_score import drill_sentence
from checks.ml_test_score.score_inputs import Reader
from checks.ml_test_score.score_text import headline, lines, to_json
from checks.ml_test_score.test_states import score
from checks.options import parser
from checks.verdict import Decision
from checks.waivers import read_waivers
from contracts.atomic_file import write_atomically
from contracts.live_config import LiveError
from contracts.thresholds import ConfigurationError, read_rules
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import ForgeError
from forge.opening import open_forge
from forge.workflow_output import summary
from reporting.markdown import text

OK, USAGE, REJECT, HOLD, CANNOT_JUDGE, FORGE = 0, 2, 3, 4, 5, 6
CODES: dict[Decision, int] = {"PROMOTE": OK, "REJECT": REJECT, "HOLD": HOLD}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code, for the gate the verdict's."""
    commands = parser(__doc__ or "")
    args = commands.parse_args(arguments)
    try:
        if args.command != "gate":
            _OTHERS[args.command](args)
            return OK
        if args.against_live and (not args.candidate or args.champion):
            commands.error("--against-live goes with --candidate, and without --champion")
        decision = _gate(args)
        return OK if args.exit_zero else CODES[decision]
    except ConfigurationError as error:
        return _stop(USAGE, error)
    except (BundleError, ForgeError, LiveError, OSError) as error:
        if args.command != "gate":
            return _stop(FORGE, error)
        summary(f"## ❔ Could not judge the candidate\n\nThis is not a pass: {text(error)}")
        return _stop(CANNOT_JUDGE, f"could not judge the candidate, which is not a pass: {error}")
    except KeyboardInterrupt:
        return _stop(130, "stopped; no verdict was written")


def _gate(args: argparse.Namespace) -> Decision:
    """Judge the candidate and write the files; returns the decision."""
    remove_old(args.out)
    limits, waivers = read_rules(args.rules), read_waivers(args.waivers)
    with tempfile.TemporaryDirectory() as work:
        inputs = replace(read_inputs(args, Path(work)), staleness=read_staleness(args.staleness))
        args.out.mkdir(parents=True, exist_ok=True)
        page = Path(work) / "deepchecks.html"
        result = run_gate(inputs, limits, waivers, datetime.now(UTC).date(), page, _progress)
        write(args.out, result, page, drill_sentence(args.drill))
    return result.verdict.decision


def _anchor(args: argparse.Namespace) -> None:
    print(propose_anchor(open_forge(args.forge), args.to, args.reason), flush=True)


def _score(args: argparse.Namespace) -> None:
    """Print the ML Test Score, and write score.json."""
    reader, today = Reader(open_forge(args.forge), not args.no_settings), datetime.now(UTC).date()
    found = score(reader.runs(args.forge, args.watch, Path(), today), today, reader.unread)
    content = json.dumps(to_json(found, today), indent=1, ensure_ascii=False) + "\n"
    write_atomically(args.out / "score.json", content)
    print(content if args.json else "\n".join(lines(found)), flush=True)
    summary(headline(found))


def read_inputs(args: argparse.Namespace, work: Path) -> GateInputs:
    """What the parsed arguments name: bundles in folders, or what a forge holds, downloaded to *work*."""
    if args.candidate and not args.against_live:
        return from_folders(args.candidate, args.champion, args.anchor)
    files = tuple(args.rules_changed.split())
    forge = open_forge(args.forge)
    return from_forge(forge, work, candidate=args.candidate, live_file=args.live, branch=args.branch, files=files)


def _progress(line: str) -> None:
    print(line, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


def _debt(args: argparse.Namespace) -> None:
    """Write the debt ledger, or propose it."""
    forge, today = open_forge(args.forge), datetime.now(UTC).date()
    debts, unseen = debts_of(forge, args.verdict, args.journal, Path(), today)
    before = args.page.read_text(encoding="utf-8") if args.page.is_file() else ""
    page = debt_page(debts, unseen, before, today)
    for each in debts:
        print(f"{each.key}: {each.why}; {each.cure}")
    for kind, why in unseen.items():
        print(f"could not be looked at: {kind}: {why}")
    print(ledger_title(debts, page))
    if args.propose:
        proposal = forge.propose("debts", ledger_title(debts, page), page, {args.page.as_posix(): page}, ["debts"])
        print(f"proposal {proposal.number} on branch debts", flush=True)
    else:
        write_atomically(args.page, page)
        print(f"ledger: {args.page}", flush=True)


_OTHERS = {"anchor": _anchor, "score": _score, "debt": _debt}

if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
