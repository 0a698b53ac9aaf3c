"""Train a model, and propose it.

python -m model train --out DIR       make a bundle
python -m model propose --bundle DIR  store it, open or refresh the proposal
python -m model retrain               both; nothing is proposed if there is nothing to gain
python -m model feature add NAME      put a feature into the recipe      [--kind …] [--value EXPRESSION]
python -m model feature drop NAME     take it out, and say who uses it   [--journal DIR]
python -m model feature prune         propose to drop what a verdict shows no benefit of
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
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
from model.onnx_export.export import Build, ExportError, export, read_manifest
from model.onnx_export.parity import ParityError
from model.train import RecipeError, read_recipe, train

OK, USAGE, NO_MODEL, FORGE = 0, 2, 5, 6


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "feature":
            _feature(asked)
        elif asked.command == "train":
            made = _make(asked, asked.out)
            _say(f"bundle: {made}")
            if asked.forge:
                _gains(made, open_forge(asked.forge))
        elif asked.command == "propose":
            _propose(asked, open_forge(asked.forge), *_made(asked.bundle))
        else:
            with tempfile.TemporaryDirectory() as work:
                made = _make(asked, Path(work))
                forge = open_forge(asked.forge)
                if _gains(made, forge):
                    _propose(asked, forge, made, None)
    except (ConfigurationError, EditError) as error:
        return _stop(USAGE, error)
    except (RecipeError, DataError, ContractError, ExportError, ParityError, OSError) as error:
        return _stop(NO_MODEL, f"no model was made. {error}")
    except (ForgeError, LiveError) as error:
        return _stop(FORGE, error)
    except KeyboardInterrupt:
        return _stop(130, "stopped; nothing half-made is left")
    return OK


def _feature(asked: argparse.Namespace) -> None:
    """The recipe's file edited, or as it was."""
    recipe = Edited(read_recipe(asked.recipe), asked.recipe, asked.today)
    if asked.change == "prune":
        _prune(asked, recipe.contract)
        return
    if asked.change == "add":
        values = {
            each: getattr(asked, each)
            for each in ("kind", "description", "unit", "owner", "minimum", "maximum", "nullable")
        }
        said = recipe.add(Feature(asked.name, **values), asked.value)
    else:
        waivers = [asked.rules.parent / "waivers.toml", Path("monitoring/expected.toml")]
        for use in uses(recipe.contract, asked.name, waivers, asked.journal):
            _say(f"  {use}")
        said = recipe.drop(asked.name)
    for line in said:
        _say(line)
    _say("  what it is worth: make retrain, make gate; or open a pull request, and the gate answers there")


def _prune(asked: argparse.Namespace, contract: Contract) -> None:
    """One proposal without the features that show no benefit; none if all do."""
    verdict = json.loads(asked.verdict.read_text(encoding="utf-8"))
    found = pruned(verdict, contract, asked.recipe.read_text(encoding="utf-8"))
    if found.why:
        _say(found.why)
        summary(found.why)
    if found.names:
        proposal = open_forge(asked.forge).propose(
            asked.branch, found.title, found.body, {asked.recipe.as_posix(): found.text}, ["features"]
        )
        _say(f"proposal {proposal.number} on branch {asked.branch}: {found.title}")
        summary(f"{found.title}\n\n{found.body}")


def _made(folder: Path) -> tuple[Path, Path | None]:
    """The bundle that `train --out` left in *folder* (or that it is), and its attestation, if any."""
    bundles = [path.parent for path in (*folder.glob("manifest.json"), *folder.glob("*/manifest.json"))]
    if len(bundles) != 1:
        raise ExportError(f"{folder} is not a bundle, and holds {len(bundles)} of them; expected one")
    attestation = folder / "attestation.jsonl"
    return bundles[0], attestation if attestation.is_file() else None


def _gains(made: Path, forge: Forge) -> bool:
    """Whether the bundle *made* is worth a proposal; a workflow gets the answer as an output."""
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


def _propose(asked: argparse.Namespace, forge: Forge, made: Path, attestation: Path | None) -> None:
    """bundle -> stored candidate -> the one open proposal; it and what the watch has open are linked."""
    manifest = read_manifest(made)
    version, digest = manifest["version"], manifest["digest"]
    twins = [release for release in forge.releases() if release.digest == digest]
    for release in twins:
        if release.state == "withdrawn":
            _say(f"careful: these are the bytes of {release.version}, which was rolled back")
    live, proposed = parse_live(forge.read(LIVE) or ""), _proposed(forge, asked.branch)
    if proposed and proposed.digest == digest:
        version = proposed.version
        _say(f"the same bytes are proposed already, as {version}")
    elif version not in {release.version for release in twins}:
        forge.upload(version, made, attestation)
    incidents = [each for each in forge.alerts() if each.marker.startswith(WATCH) and each.state == "open"]
    links = ", ".join(each.link for each in incidents)
    proposal = forge.propose(
        asked.branch,
        title({**manifest, "version": version}),
        card(manifest) + (f"\nOpen while it was made: {links}.\n" if links else ""),
        {LIVE: with_champion(live, version, digest).to_toml()},
        labels=("model",),
    )
    for incident in incidents:
        told = f"A model was trained while this was open: {proposal.link} ({proposal.title}).\n"
        forge.note(incident.number, f"proposal:{proposal.number}", told)
    output("version", version)
    words = f"proposal {proposal.number} on branch {asked.branch}: {proposal.title}"
    _say(words)
    summary(f"{words}\n\n{card(manifest)}")


def _proposed(forge: Forge, branch: str) -> Slot | None:
    """The candidate of the open proposal on *branch*, if there is one."""
    if forge.proposal(branch) is None:
        return None
    try:
        return parse_live(forge.read(LIVE, branch) or "").champion
    except LiveError:
        return None  # what a person left there is replaced


def _make(asked: argparse.Namespace, into: Path) -> Path:
    rules = read_rules(asked.rules)
    _say(f"recipe {asked.recipe}, as of {asked.today}")
    fitted = train(read_recipe(asked.recipe), asked.today)
    split = fitted.split
    _say(
        f"learnt from {len(split.train):,} rows, measured on {len(split.holdout):,} later ones: "
        + ", ".join(f"{name} {value:.4f}" for name, value in fitted.metrics.items())
    )
    for remark in fitted.remarks:
        _say(f"careful: {remark}")
    build = Build(datetime.now(UTC), commit_of(asked.recipe), asked.recipe)
    made = export(fitted, build, into, rules.export.parity)
    for line in replayed(read_manifest(made)["parity"]):
        _say(f"careful: {line}")
    _say(f"exported {made.name}; estimator and ONNX agree")
    return made


def commit_of(recipe: Path) -> str:
    """The git commit of the folder the recipe is in, "-dirty" if files differ; "" outside git."""
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
    train = commands.add_parser("train", help="make a bundle in a folder")
    propose = commands.add_parser("propose", help="store a bundle and propose it")
    retrain = commands.add_parser("retrain", help="make a bundle, store it and propose it")
    train.add_argument("--out", type=Path, required=True, help="folder to put the bundle in")
    train.add_argument("--forge", help="say whether there is anything to gain over what is live")
    propose.add_argument(
        "--bundle",
        type=Path,
        required=True,
        help="the bundle, or the folder that `train` put it in; attestation.jsonl there is kept with it",
    )
    for command in (propose, retrain):
        command.add_argument(
            "--forge", default=os.environ.get("FORGE") or ".forge", help="a folder, or github:OWNER/NAME"
        )
        command.add_argument("--branch", default="retrain", help="the proposal's branch")
    feature = commands.add_parser("feature", help="add a feature to the recipe, or drop one")
    changes = feature.add_subparsers(dest="change", required=True, metavar="CHANGE")
    adding = changes.add_parser("add", help="one line more in the contract")
    adding.add_argument("--kind", choices=get_args(Kind), default="number", help="what its values are")
    adding.add_argument("--value", default="", help="an expression of load's rows: rows['minute'] // 60")
    for name in ("description", "unit", "owner"):
        adding.add_argument(f"--{name}", default="", help=f"its {name} in the contract")
    for name in ("minimum", "maximum"):
        adding.add_argument(f"--{name}", type=float, help=f"its {name}, for a number")
    adding.add_argument("--nullable", action="store_true", help="values may be missing")
    dropping = changes.add_parser("drop", help="gone from contract and lists; says who uses it")
    dropping.add_argument("--journal", type=Path, help="who sends it to the scorer")
    for command in (adding, dropping):
        command.add_argument("name", metavar="NAME", help="the feature")
    pruning = changes.add_parser("prune", help="propose to drop what shows no benefit")
    pruning.add_argument("--verdict", type=Path, default=Path("build/gate/verdict.json"), help="what the gate wrote")
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
    # A workflow's input that was left empty arrives as "".
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
