"""The command line of `python -m checks`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def parser(description: str) -> argparse.ArgumentParser:
    """The parser of the commands gate, anchor, score and debt."""
    parser = argparse.ArgumentParser(
        "python -m checks", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _gate(commands.add_parser("gate", help="judge a candidate: PROMOTE, HOLD or REJECT"))
    _anchor(commands.add_parser("anchor", help="propose another anchor"))
    _score(commands.add_parser("score", help="the ML Test Score: which of its 28 tests run here, and since when"))
    _debt(commands.add_parser("debt", help="the debt ledger: what can be removed, by which command"))
    return parser


def _gate(gate: argparse.ArgumentParser) -> None:
    gate.add_argument(
        "--forge",
        default=os.environ.get("FORGE") or ".forge",
        help="the forge with the proposal: a folder, or github:OWNER/NAME",
    )
    gate.add_argument("--branch", default="retrain", help="the proposal's branch")
    gate.add_argument("--live", type=Path, help="a live.toml that names the candidate, instead of a proposal")
    gate.add_argument("--candidate", type=Path, help="a bundle's folder, instead of a proposal")
    gate.add_argument("--champion", type=Path, help="with --candidate: the bundle to compare with")
    gate.add_argument("--anchor", type=Path, help="with --champion: the bundle that is the anchor")
    gate.add_argument(
        "--against-live",
        action="store_true",
        help="with --candidate: compare with what is live in the forge, and check the quarantine",
    )
    gate.add_argument("--exit-zero", action="store_true", help="exit code 0 for every verdict")
    gate.add_argument(
        "--rules-changed",
        default="",
        metavar="FILES",
        help="files of checks/ that the proposal changes, where no forge lists them",
    )
    gate.add_argument(
        "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
    )
    gate.add_argument(
        "--waivers", type=Path, default=Path("checks/waivers.toml"), help="rules that may fail until a date"
    )
    gate.add_argument(
        "--staleness",
        type=Path,
        default=Path("checks/staleness.json"),
        help="how much a model loses by its age, as make backtest stores it",
    )
    gate.add_argument(
        "--drill",
        type=Path,
        default=Path("build/drill/drill.json"),
        help="the result of the last drill, for the report",
    )
    gate.add_argument("--out", type=Path, required=True, help="folder for verdict.json, report.md, deepchecks.html")


def _anchor(anchor: argparse.ArgumentParser) -> None:
    anchor.add_argument(
        "--forge",
        default=os.environ.get("FORGE") or ".forge",
        help="the forge with live.toml: a folder, or github:OWNER/NAME",
    )
    anchor.add_argument("--to", metavar="VERSION", help="a stored model (default: the champion)")
    anchor.add_argument("--reason", default="", help="the reason; required while the present anchor can still be read")


def _score(score: argparse.ArgumentParser) -> None:
    score.add_argument(
        "--forge",
        default=os.environ.get("FORGE") or ".forge",
        help="the forge with releases and proposals: a folder, or github:OWNER/NAME",
    )
    score.add_argument("--watch", type=Path, help="the folder given to watch --out (default: beside the forge)")
    score.add_argument(
        "--no-settings",
        action="store_true",
        help="leave out the repository's settings, which only an owner's token sees",
    )
    score.add_argument("--json", action="store_true", help="print the content of score.json instead of lines")
    score.add_argument("--out", type=Path, default=Path("build/score"), help="folder for score.json")


def _debt(debt: argparse.ArgumentParser) -> None:
    debt.add_argument(
        "--forge",
        default=os.environ.get("FORGE") or ".forge",
        help="the forge with releases and live.toml: a folder, or github:OWNER/NAME",
    )
    debt.add_argument(
        "--verdict", type=Path, default=Path("build/gate/verdict.json"), help="verdict.json with the importances"
    )
    debt.add_argument("--journal", type=Path, help="a folder with the scorer's journal, for fields that nobody sends")
    debt.add_argument(
        "--page", type=Path, default=Path("docs/explanation/debts.md"), help="the ledger, which is continued"
    )
    debt.add_argument("--propose", action="store_true", help="propose the ledger on branch debts instead of writing it")
