"""Train a model, and propose it.

python -m model train --out DIR       train, and write a bundle
python -m model propose --bundle DIR  store a bundle, open or refresh the proposal
python -m model retrain               both; nothing is proposed without new data
python -m model feature add NAME      add a feature to the recipe          [--kind …] [--value EXPRESSION]
python -m model feature drop NAME     drop a feature, and list its users   [--journal DIR]
python -m model feature prune         propose to drop features without significant permutation importance
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

from contracts.live_config import LIVE, LiveError, Slot, parse_live, with_champion
from contracts.row_contract import Contract, ContractError, Feature, Kind
from contracts.thresholds import ConfigurationError, read_rules
from forge.bundles.bundle_files import as_named
from forge.closed_pipes import ignore_closed_pipes
from forge.interface import WATCH, Forge, ForgeError
from forge.opening import open_forge
from forge.workflow_output import output, summary
from model.card import card, nothing_to_gain, title
from model.data import DataError
from model.features.feature_uses import uses
from model.features.prune import pruned
from model.features.recipe_edit import Edited
from model.features.recipe_syntax import EditError
from model.notices import replayed
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import ExportError, export, read_manifest
from model.onnx_export.parity import ParityError
from model.point_in_time import differing
from model.serving_skew import remarks, skew_at
from model.train import RecipeError, read_recipe, train

OK, USAGE, NO_MODEL, FORGE = 0, 2, 5, 6


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    args = _parser().parse_args(arguments)
    try:
        if args.command == "feature":
            _feature(args)
        elif args.command == "train":
            made = _make(args, args.out)
            _say(f"bundle: {made}")
            if args.forge:
                _gains(made, open_forge(args.forge))
        elif args.command == "propose":
            _propose(args, open_forge(args.forge), *_made(args.bundle))
        else:
            with tempfile.TemporaryDirectory() as work:
                made = _make(args, Path(work))
                forge = open_forge(args.forge)
                if _gains(made, forge):
                    _propose(args, forge, made, None)
    except (ConfigurationError, EditError) as error:
        return _stop(USAGE, error)
    except (RecipeError, DataError, ContractError, ExportError, ParityError, OSError) as error:
        return _stop(NO_MODEL, f"no model was trained. {error}")
    except (ForgeError, LiveError) as error:
        return _stop(FORGE, error)
    except KeyboardInterrupt:
        return _stop(130, "interrupted; nothing incomplete is left")
    return OK


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


def _made(folder: Path) -> tuple[Path, Path | None]:
    """The bundle in *folder* (or *folder* itself), and its attestation, if any."""
    bundles = [path.parent for path in (*folder.glob("manifest.json"), *folder.glob("*/manifest.json"))]
    if len(bundles) != 1:
        raise ExportError(f"{folder} is not a bundle, and holds {len(bundles)} of them; expected one")
    attestation = folder / "attestation.jsonl"
    return bundles[0], attestation if attestation.is_file() else None


def _gains(made: Path, forge: Forge) -> bool:
    """Whether the bundle *made* is worth a proposal; also an output of the workflow."""
    champion = parse_live(forge.read(LIVE) or "").champion
    live = as_named(forge.manifest(champion.version), champion) if champion else None
    why = nothing_to_gain(read_manifest(made), live)
    if why:
        _say(f"nothing to gain: {why}")
        summary(f"Nothing to gain: {why}.")
    output("gains", "false" if why else "true")
    output("bundle", str(made))
    output("public", "true" if forge.public() else "false")
    return not why


def _propose(args: argparse.Namespace, forge: Forge, made: Path, attestation: Path | None) -> None:
    """Store the bundle, open or refresh the one proposal, and link it with open alerts of monitoring."""
    manifest = read_manifest(made)
    version, digest = manifest["version"], manifest["digest"]
    same = [release for release in forge.releases() if release.digest == digest]
    for release in same:
        if release.state == "withdrawn":
            _say(f"warning: the same content as {release.version}, which was rolled back")
    live, proposed = parse_live(forge.read(LIVE) or ""), _proposed(forge, args.branch)
    if proposed and proposed.digest == digest:
        version = proposed.version
        _say(f"the same content is proposed already, as {version}")
    elif version not in {release.version for release in same}:
        forge.upload(version, made, attestation)
    incidents = [each for each in forge.alerts() if each.marker.startswith(WATCH) and each.state == "open"]
    links = ", ".join(each.link for each in incidents)
    proposal = forge.propose(
        args.branch,
        title({**manifest, "version": version}),
        card(manifest) + (f"\nOpen alerts at the time of training: {links}.\n" if links else ""),
        {LIVE: with_champion(live, version, digest).to_toml()},
        labels=("model",),
    )
    for incident in incidents:
        note = f"A model was trained while this was open: {proposal.link} ({proposal.title}).\n"
        forge.note(incident.number, f"proposal:{proposal.number}", note)
    output("version", version)
    line = f"proposal {proposal.number} on branch {args.branch}: {proposal.title}"
    _say(line)
    summary(f"{line}\n\n{card(manifest)}")


def _proposed(forge: Forge, branch: str) -> Slot | None:
    """The candidate of the open proposal on *branch*, if there is one."""
    if forge.proposal(branch) is None:
        return None
    try:
        return parse_live(forge.read(LIVE, branch) or "").champion
    except LiveError:
        return None  # an edited branch is replaced


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


def commit_of(recipe: Path) -> str:
    """The git commit of the recipe's folder, with "-dirty" if files differ; "" outside git."""
    git = ["git", "-C", str(recipe.resolve().parent), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        found = subprocess.run(git, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
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
    for command in (train, retrain, adding, dropping, pruning):
        command.add_argument(
            "--recipe", type=Path, default=Path(os.environ.get("RECIPE") or "model/recipe.py"), help="the recipe's file"
        )
        command.add_argument(
            "--rules", type=Path, default=Path("checks/thresholds.toml"), help="the limits: a thresholds.toml"
        )
        command.add_argument("--today", type=_day, default="", help="the day to train as of (YYYY-MM-DD)")
    return parser


def _day(text: str) -> date:
    # An empty input of a workflow arrives as "".
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


def _say(line: str) -> None:
    print(line, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
