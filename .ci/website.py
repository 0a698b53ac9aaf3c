"""A website that sends a recipe's days to a scorer, and tells what became of them.

.venv/work/bin/python .ci/website.py http://127.0.0.1:8000 RECIPE 2026-03-02 2026-03-07 [--outcomes]
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.train import read_recipe
from tests.loop.website import Website

parser = argparse.ArgumentParser()
parser.add_argument("address")
parser.add_argument("recipe", type=Path)
parser.add_argument("days", nargs=2, type=lambda day: datetime.fromisoformat(day).replace(tzinfo=UTC))
parser.add_argument("--outcomes", action="store_true")
asked = parser.parse_args()

recipe = read_recipe(asked.recipe)
website = Website(asked.address.removeprefix("http://"), recipe.CONTRACT)
answers = website.send(recipe.load(*asked.days))
if answers.failed:
    sys.exit(f"{len(answers.failed)} requests failed, the first: {answers.failed[0]}")
if asked.outcomes:
    website.report_outcomes(answers)
print(answers.summary())
