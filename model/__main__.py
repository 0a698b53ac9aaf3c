"""Write a recipe, train a model, and propose it.

python -m model init TABLE            write a recipe for a CSV or Parquet file, a URL, or a query (--sql URL)
python -m model check                 try the recipe in seconds: what would be refused at night is refused now
python -m model train --out DIR       train, and write a bundle
python -m model propose --bundle DIR  store a bundle, open or refresh the proposal
python -m model retrain               both; nothing is proposed without new data
python -m model card --bundle DIR     print the model card of a bundle, as Hugging Face reads it
python -m model feature add NAME      add a feature to the recipe          [--kind …] [--value EXPRESSION]
python -m model feature drop NAME     drop a feature, and list its users   [--journal DIR]
python -m model feature prune         propose to drop features without significant permutation importance
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

from bundles.manifest import BundleError, read_manifest
from contracts.live_config import LiveError
from contracts.row_contract import Contract, ContractError, Feature, Kind
from contracts.thresholds import ConfigurationError, read_rules
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import ForgeError
from forge.opening import open_forge
from forge.workflow_output import summary
from model.data import DataError
from model.features.feature_uses import uses
from model.features.prune import pruned
from model.features.recipe_edit import Edited
from model.features.recipe_syntax import EditError
from model.new_recipe.dry_run import dry_run
from model.new_recipe.questions import asking, guessed
from model.new_recipe.recipe_commit import commit_of
from model.new_recipe.recipe_draft import Asked
from model.new_recipe.recipe_text import plain_name
from model.new_recipe.recipe_writing import refuse_to_lose, write_recipe
from model.new_recipe.source_table import SourceError, database_url, read_query, read_table
from model.notices import replayed
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import ExportError, export
from model.onnx_export.parity import ParityError
from model.point_in_time import differing
from model.proposals.hugging_face import model_card
from model.proposals.proposal import bundle_in, gains, propose
from model.serving_skew import remarks, skew_at
from model.source_profile.recipe_secrets import hide
from model.train import RecipeError, read_recipe, train

OK, USAGE, NO_MODEL, FORGE = 0, 2, 5, 6


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    args = _parser().parse_args(arguments)
    try:
        _COMMANDS[args.command](args)
    except (ConfigurationError, EditError, SourceError) as error:
        return _stop(USAGE, error)
    except (RecipeError, DataError, BundleError, ContractError, ExportError, ParityError, OSError) as error:
        return _stop(NO_MODEL, f"no model was trained. {error}")
    except (ForgeError, LiveError) as error:
        return _stop(FORGE, error)
    except KeyboardInterrupt:
        return _stop(130, "interrupted; nothing incomplete is left")
    return OK


def _train(args: argparse.Namespace) -> None:
    """Train, and keep the bundle in a folder."""
    made = _make(args, args.out)
    _say(f"bundle: {made}")
    if args.forge:
        gains(made, open_forge(args.forge))


def _retrain(args: argparse.Namespace) -> None:
    """Train, and propose the bundle if it is worth that."""
    with tempfile.TemporaryDirectory() as work:
        made = _make(args, Path(work))
        forge = open_forge(args.forge)
        if gains(made, forge):
            propose(forge, args.branch, made, None)


def _init(args: argparse.Namespace) -> None:
    """Write a recipe, and try it."""
    refuse_to_lose(args.recipe, args.replace)
    url = database_url(args.sql) if args.sql else ""
    table = read_query(url, args.table) if url else read_table(args.table)
    name = args.name or plain_name(args.table)
    asked = Asked(args.target, args.time, args.key, args.zone, tuple(filter(None, args.drop.split(","))), args.known_at)
    choose = asking([*table.rows], input, _say) if sys.stdin.isatty() else guessed
    found = write_recipe(table, name, asked, choose, args.recipe, _say)
    args.today = args.today or found.last_day
    if url:
        os.environ["DATABASE_URL"] = url
    _check(args)
    before = "DATABASE_URL=... " if url else ""
    recipe = f"{before}RECIPE={shlex.quote(str(args.recipe))}"
    _say(f"after a change: {recipe} .venv/work/bin/python -m model check --today {args.today}")
    _say(f"next: {recipe} TODAY={args.today} make retrain gate land")


def _check(args: argparse.Namespace) -> None:
    """Try the recipe without keeping anything."""
    rows, fitted = dry_run(read_recipe(args.recipe), args.today, read_rules(args.rules).export.parity)
    for remark in fitted.remarks:
        _say(f"warning: {remark}")
    _say(
        f"{rows:,} rows fit the contract; the estimator was fitted and exported with"
        f" {len(fitted.split.train) + len(fitted.split.holdout):,} of them"
    )


def _feature(args: argparse.Namespace) -> None:
    """Edit the recipe's file, or leave it unchanged."""
    recipe = Edited(read_recipe(args.recipe), args.recipe, args.today)
    if args.change == "prune":
        _prune(args, recipe.contract)
        return
    if args.change == "add":
        values = {
            each: getattr(args, each)
            for each in ("kind", "description", "unit", "owner", "minimum", "maximum", "nullable")
        }
        said = recipe.add(Feature(args.name, **values), args.value)
    else:
        waivers = [args.rules.parent / "waivers.toml", Path("monitoring/expected.toml")]
        for use in uses(recipe.contract, args.name, waivers, args.journal):
            _say(f"  {use}")
        said = recipe.drop(args.name)
    for line in said:
        _say(line)
    _say("  to measure the gain: make retrain, make gate; or open a pull request, where the gate reports it")


def _prune(args: argparse.Namespace, contract: Contract) -> None:
    """Propose to drop the features without significant permutation importance, if there are any."""
    verdict = json.loads(args.verdict.read_text(encoding="utf-8"))
    found = pruned(verdict, contract, args.recipe.read_text(encoding="utf-8"))
    if found.why:
        _say(found.why)
        summary(found.why)
    if found.names:
        proposal = open_forge(args.forge).propose(
            args.branch, found.title, found.body, {args.recipe.as_posix(): found.text}, ["features"]
        )
        _say(f"proposal {proposal.number} on branch {args.branch}: {found.title}")
        summary(f"{found.title}\n\n{found.body}")


def _make(args: argparse.Namespace, into: Path) -> Path:
    rules = read_rules(args.rules)
    _say(f"recipe {args.recipe}, as of {args.today}")
    fitted = train(read_recipe(args.recipe), args.today, refit=rules.release.refit)
    split = fitted.split
    if args.journal:
        fitted = replace(fitted, sent=skew_at(args.journal, fitted.loaded, fitted.contract))
    _say(
        f"trained on {len(split.train):,} rows, holdout of {len(split.holdout):,} later rows: "
        + ", ".join(f"{name} {value:.4f}" for name, value in fitted.metrics.items())
    )
    if fitted.release:
        _say(f"the release model is trained on all {len(fitted.release.split.train):,} rows")
    found = [*differing(fitted.replay or {}, fitted.contract), *(remarks(fitted.sent) if fitted.sent else ())]
    for remark in (*fitted.remarks, *found):
        _say(f"warning: {remark}")
    build = Build(datetime.now(UTC), commit_of(args.recipe), args.recipe)
    made = export(fitted, build, into, rules.export.parity)
    for line in replayed(read_manifest(made)["parity"]):
        _say(f"warning: {line}")
    _say(f"exported {made.name}; estimator and ONNX agree")
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = commands.add_parser("init", help="write a recipe for a table")
    init.add_argument(
        "table", metavar="TABLE", help="a file, folder, glob or URL of CSV or Parquet; a query with --sql"
    )
    init.add_argument(
        "--sql",
        default="",
        metavar="URL",
        help="a database: a SQLite or DuckDB file, or as SQLAlchemy names it, sqlite:///shop.db",
    )
    for name, words in (
        ("target", "the column to be predicted"),
        ("time", "the column with the time of the event"),
        ("key", "the column that says who or what a row is about"),
        ("zone", "the time zone of times without one, such as Europe/Berlin"),
        ("known-at", "when the outcome is known: a column with the time, or days such as 30d; at once by default"),
        ("drop", "columns that are no features, separated by commas"),
        ("name", "the model's name"),
    ):
        init.add_argument(f"--{name}", default="", help=words)
    init.add_argument("--replace", action="store_true", help="write over a recipe that git does not have")
    trying = commands.add_parser("check", help="try the recipe in seconds, without training on all rows")
    train = commands.add_parser("train", help="train, and write a bundle to a folder")
    propose = commands.add_parser("propose", help="store a bundle and propose it")
    retrain = commands.add_parser("retrain", help="train, store the bundle and propose it")
    train.add_argument("--out", type=Path, required=True, help="the folder for the bundle")
    for command in (train, retrain):
        command.add_argument(
            "--journal",
            default="",
            help="compare the rows with those in the scorer's journal: a folder, or a URL for fsspec",
        )
    train.add_argument("--forge", help="report whether the bundle differs from what is live")
    propose.add_argument(
        "--bundle",
        type=Path,
        required=True,
        help="the bundle, or the folder of `train --out`; attestation.jsonl in it is stored, too",
    )
    carded = commands.add_parser("card", help="print the model card of a bundle, with the metadata of Hugging Face")
    carded.add_argument("--bundle", type=Path, required=True, help="the bundle")
    for command in (propose, retrain):
        command.add_argument(
            "--forge", default=os.environ.get("FORGE") or ".forge", help="a folder, or github:OWNER/NAME"
        )
        command.add_argument("--branch", default="retrain", help="the proposal's branch")
    feature = commands.add_parser("feature", help="add a feature to the recipe, or drop one")
    changes = feature.add_subparsers(dest="change", required=True, metavar="CHANGE")
    adding = changes.add_parser("add", help="add a line to the contract")
    adding.add_argument("--kind", choices=get_args(Kind), default="number", help="the kind of its values")
    adding.add_argument("--value", default="", help="an expression of the rows in load(), such as rows['minute'] // 60")
    for name in ("description", "unit", "owner"):
        adding.add_argument(f"--{name}", default="", help=f"its {name} in the contract")
    for name in ("minimum", "maximum"):
        adding.add_argument(f"--{name}", type=float, help=f"its {name}, for a number")
    adding.add_argument("--nullable", action="store_true", help="values may be missing")
    dropping = changes.add_parser("drop", help="remove it from the contract and lists, and list its users")
    dropping.add_argument("--journal", type=Path, help="a journal, to count the clients that send it")
    for command in (adding, dropping):
        command.add_argument("name", metavar="NAME", help="the feature")
    pruning = changes.add_parser("prune", help="propose to drop features without significant permutation importance")
    pruning.add_argument(
        "--verdict", type=Path, default=Path("build/gate/verdict.json"), help="verdict.json of the gate"
    )
    pruning.add_argument("--forge", default=os.environ.get("FORGE") or ".forge", help="a folder, or github:OWNER/NAME")
    pruning.add_argument("--branch", default="features", help="the proposal's branch")
    for command in (init, trying, train, retrain, adding, dropping, pruning):
        command.add_argument(
            "--recipe", type=Path, default=Path(os.environ.get("RECIPE") or "model/recipe.py"), help="the recipe's file"
        )
        command.add_argument(
            "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
        )
        command.add_argument("--today", type=_day, default="", help="the day to train as of (YYYY-MM-DD)")
    init.set_defaults(today=None)  # the day after the table's last row
    return parser


def _day(text: str) -> date:
    # An empty input of a workflow arrives as "".
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


def _say(line: str) -> None:
    print(hide(line), flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {hide(str(why))}", file=sys.stderr)
    return code


_COMMANDS = {
    "card": lambda args: _say(model_card(read_manifest(bundle_in(args.bundle)[0]))),
    "init": _init,
    "check": _check,
    "feature": _feature,
    "train": _train,
    "propose": lambda args: propose(open_forge(args.forge), args.branch, *bundle_in(args.bundle)),
    "retrain": _retrain,
}

if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
