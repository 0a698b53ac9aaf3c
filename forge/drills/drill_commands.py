"""`python -m forge drill-rollback`: run the drill, keep its record, print it."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from forge.drills.drill_records import keep_drills, read_drills
from forge.drills.rollback_drill import drill_rollback
from forge.interface import GITHUB, Forge, ForgeError
from forge.workflow_output import say, summary

OK, FAILED = 0, 3


def rollback_command(args: argparse.Namespace, forge: Forge) -> int:
    """Drill a rollback; the record is kept in the forge's folder, or in --out for GitHub. 3 if a drill failed."""
    earlier = read_drills(forge, args.forge)
    runs = drill_rollback(forge, datetime.now(UTC))
    if not runs:
        say("no drill: there is no version to roll back to yet; it takes two releases: make retrain gate land")
        return OK
    folder = args.out or (Path("build/drills") if args.forge.startswith(GITHUB) else Path(args.forge))
    try:
        path = keep_drills(folder, earlier, runs)
    except OSError as error:
        raise ForgeError(f"the record of the drill cannot be written: {error}") from error
    for each in runs:
        say(f"drill of {each.drill} {'succeeded' if each.ok else 'FAILED'}: {each.says}")
    say(f"recorded in {path}")
    summary("\n".join(f"- {each.drill}: {'✅' if each.ok else '❌'} {each.says}" for each in runs))
    return OK if all(each.ok for each in runs) else FAILED
