"""Simulate what lands a candidate, by expectation and by proof, with known truth.

python -m bench.gate.decision_simulation                writes BENCHMARKS.md, in a few minutes of one core
python -m bench.gate.decision_simulation --repeats 100  a rough estimate

It runs the gate's rules (`checks.decision`) with the margins of thresholds.toml. The seeds were not used when `max_risk` and
the prior were chosen.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.document import machine
from bench.gate.faulty_candidates import FAULTS, Try, tries
from bench.gate.paired_gains import METRIC, RULES, Decided, Realised, decided, realised
from bench.sections import put
from checks.decision.staleness import AgeLoss, Staleness
from contracts.thresholds import Compare, read_rules
from forge.closed_pipes import ignore_closed_pipes

ROOT = Path(__file__).parents[2]
#: Standard errors of a gain by days: about those of 10,000, 2,000 and 500 rows of flights.
ERRORS = {10_000: 0.0025, 2_000: 0.0055, 500: 0.011}
GAINS = (-0.02, -0.01, -0.005, -0.0025, 0.0, 0.0025, 0.005, 0.01, 0.02)
#: A stream on which a week of age costs 0.005, known from thirty nights.
KNOWN = Staleness(METRIC, (AgeLoss(28, 0.02, 0.004),), "a backtest of 30 nights")
#: The loss by each day of age, and the standard error of a gain, of streams whose policies are compared.
STREAMS = tuple((daily, error) for daily in (0.0, 0.0002, 0.001) for error in (0.0025, 0.011))
WEEKS, CREEP_NIGHTS, CREEP = 30, 120, 0.0006
#: The standard deviation of candidates' quality, the share with a fault, and what the fault costs.
SPREAD, FAULTY, FAULT = 0.003, 0.05, 0.012
SEED = 2031


def candidate(_: int, random: np.random.Generator) -> float:
    """The quality of a weekly candidate: some have a fault that no other rule found."""
    return float(random.normal(0, SPREAD)) - (FAULT if random.random() < FAULTY else 0.0)


def creeping(night: int, _: np.random.Generator) -> float:
    """Each candidate is a little worse than the one before."""
    return -CREEP * night


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all simulations, print progress, write the section."""
    parser = argparse.ArgumentParser(
        "python -m bench.gate.decision_simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=1_000, help="of each point (default: 1,000)")
    parser.add_argument(
        "--fits", type=int, default=1, help="seeds of the fitted candidates with a fault, 0 for none (default: 1)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    args = parser.parse_args(arguments)
    began, rules, runs = time.monotonic(), read_rules(ROOT / "checks/thresholds.toml").gate.compare, args.repeats // 10
    curves = []
    for error in ERRORS.values():
        for gain in GAINS:
            curves.append(decided(rules, "proven", error, gain, None, args.repeats, SEED))
            curves += [decided(rules, "expected", error, gain, known, args.repeats, SEED) for known in (None, KNOWN)]
    print(f"[{time.monotonic() - began:.0f} s] acceptance", flush=True)
    creep = [
        realised(
            rules, rule, 0.0025, 0.0, nights=CREEP_NIGHTS, every=1, quality=creeping, runs=max(2, runs // 2), seed=SEED
        )
        for rule in (*RULES, "always")
    ]
    print(f"[{time.monotonic() - began:.0f} s] creep", flush=True)
    streams = [
        realised(rules, rule, error, daily, nights=WEEKS, every=7, quality=candidate, runs=max(2, runs), seed=SEED)
        for daily, error in STREAMS
        for rule in ("never", "always", *RULES)
    ]
    print(f"[{time.monotonic() - began:.0f} s] streams; fitting candidates with a fault ...", flush=True)
    faulty = list(tries(ROOT / "model/recipe.py", rules, args.fits)) if args.fits else []
    command = "python -m bench.gate.decision_simulation"
    for name in ("repeats", "fits"):
        if getattr(args, name) != parser.get_default(name):
            command += f" --{name} {getattr(args, name)}"
    lines = section(rules, curves, creep, streams, faulty, command, time.monotonic() - began)
    put(args.out, "decision", "\n".join(lines))
    print(f"{args.out} is written")
    return 0


def section(
    rules: Compare,
    curves: Sequence[Decided],
    creep: Sequence[Realised],
    streams: Sequence[Realised],
    faulty: Sequence[Try],
    command: str,
    seconds: float,
) -> list[str]:
    """The section of BENCHMARKS.md."""
    repeats = curves[0].repeats
    return [
        "## What lands a candidate",
        "",
        (
            f'By expectation (`decide = "expected"`, `max_risk = {rules.max_risk:g}`) and by proof (`"proven"`), on gains in'
            f" log loss with known truth; margin {rules.binary.margins[METRIC]:g}, anchor {rules.binary.anchor[METRIC]:g},"
            f" holdouts of 14 days, intervals as the gate widens them. Written by `{command}` on"
            f" {datetime.now(UTC):%Y-%m-%d}, in {seconds / 60:.0f} minutes; {machine()}. No rule was chosen with these seeds."
        ),
        "",
        "### By true gain and rows",
        "",
        (
            "PROMOTE / HOLD / REJECT in percent. The champion is a week older. *Known*: a backtest of 30 nights showed that a"
            f" week of age costs 0.005 ± 0.001. {repeats:,} candidates for each cell: a standard error of at most"
            f" {50 / math.sqrt(repeats):.1f} points."
        ),
        "",
        "| rows | true gain | proven | expected | expected, staleness known |",
        "|---:|---:|---:|---:|---:|",
        *_curves(curves),
        "",
        "### Creep",
        "",
        (
            f"{CREEP_NIGHTS} nights; each night's candidate is {CREEP:g} worse than the last night's. Holdouts of two nights"
            f" share 13 of 14 days. The loss of what serves in the end ({CREEP * CREEP_NIGHTS:.3f} if every night lands):"
            f" {creep[0].runs} runs."
        ),
        "",
        "| rule | largest loss of a run | mean loss over the nights | standard error | nights promoted |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {each.rule} | {each.most:.4f} | {each.loss:.4f} | {each.of_loss:.4f} | {each.promoted:.0f} |"
            for each in creep
        ),
        "",
        "### Realised on streams with known truth",
        "",
        (
            f"{WEEKS} weekly candidates; their quality has a standard deviation of {SPREAD:g}, and {FAULTY:.0%} have a fault of"
            f" {FAULT:g} that no other rule found. Nothing is known of staleness at first: it comes from the recorded gains."
            f" The mean additional loss of what serves, with its standard error over {streams[0].runs} runs; smaller is better."
        ),
        "",
        "| a day of age costs | error of a gain | never | always | expected | proven |",
        "|---:|---:|---:|---:|---:|---:|",
        *_streams(streams),
        *(_faults(faulty) if faulty else ()),
    ]


def _curves(found: Sequence[Decided]) -> list[str]:
    lines = []
    for rows, error in ERRORS.items():
        for gain in GAINS:
            here = [each for each in found if (each.error, each.gain) == (error, gain)]
            ordered = sorted(here, key=lambda each: (RULES.index(each.rule) == 0, each.known))
            cells = (f"{each.promote:.0%} / {each.hold:.0%} / {each.reject:.0%}" for each in ordered)
            lines.append(f"| {rows:,} | {gain:+g} | {' | '.join(cells)} |")
    return lines


def _streams(found: Sequence[Realised]) -> list[str]:
    lines = []
    for daily, error in STREAMS:
        cells = {
            each.rule: f"{each.loss:+.4f} ± {each.of_loss:.4f}"
            for each in found
            if (each.daily, each.error) == (daily, error)
        }
        lines.append(f"| {daily:g} | {error:g} | {' | '.join(cells[rule] for rule in ('never', 'always', *RULES))} |")
    return lines


def _faults(found: Sequence[Try]) -> list[str]:
    lines = [
        "",
        "### Candidates with a fault",
        "",
        (
            "Fitted on the default recipe's flights, judged on the default holdout against a champion of the week before, by the"
            " primary metric alone and without any known staleness. Other rules are not counted."
        ),
        "",
        "| fault | candidates | mean gain | mean standard error | promoted by expectation | by proof |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for fault in FAULTS:
        here = [each for each in found if each.fault == fault]
        value, error = (float(np.mean([getattr(each.gap, name) for each in here])) for name in ("value", "error"))
        landed = " | ".join(f"{sum(getattr(each, rule) for each in here)}" for rule in RULES)
        lines.append(f"| {fault} | {len(here)} | {value:+.4f} | {error:.4f} | {landed} |")
    return lines


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
