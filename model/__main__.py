"""Train a model, and propose it.

python -m model train --out DIR       make a bundle
python -m model retrain               make a bundle, store it, open or refresh the proposal
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

from checks.rules import ConfigurationError, read_rules
from forge import Forge, ForgeError, open_forge
from forge.live import LiveError, parse_live, with_champion
from model.card import card, title
from model.contract import ContractError
from model.data import DataError
from model.export import Build, ExportError, export
from model.parity import ParityError
from model.train import RecipeError, read_recipe, train

OK, USAGE, NO_MODEL, FORGE = 0, 2, 5, 6
LIVE = "serve/live.toml"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "train":
            made = _make(asked, asked.out)
            print(f"bundle: {made}")
        else:
            _retrain(asked, open_forge(asked.forge))
    except ConfigurationError as error:
        return _stop(USAGE, error)
    except (
        RecipeError,
        DataError,
        ContractError,
        ExportError,
        ParityError,
        OSError,
    ) as error:
        return _stop(NO_MODEL, f"no model was made. {error}")
    except (ForgeError, LiveError) as error:
        return _stop(FORGE, error)
    except KeyboardInterrupt:
        return _stop(130, "stopped; nothing half-made is left")
    return OK


def _retrain(asked: argparse.Namespace, forge: Forge) -> None:
    """recipe -> bundle -> stored candidate -> the one open proposal."""
    with tempfile.TemporaryDirectory() as work:
        made = _make(asked, Path(work))
        manifest = json.loads((made / "manifest.json").read_bytes())
        version, digest = manifest["version"], manifest["digest"]
        live = parse_live(forge.read(LIVE) or "")
        if live.champion and live.champion.digest == digest:
            print(
                f"nothing to gain: the candidate is {live.champion.version}, which is live, byte for byte"
            )
            return
        for release in forge.releases():
            if release.digest == digest and release.state == "withdrawn":
                print(f"careful: these are the bytes of {release.version}, which was rolled back")
        forge.upload(version, made)
    proposal = forge.propose(
        asked.branch,
        title(manifest),
        card(manifest),
        {LIVE: with_champion(live, version, digest).to_toml()},
        labels=("model",),
    )
    print(f"proposal {proposal.number} on branch {asked.branch}: {proposal.title}")


def _make(asked: argparse.Namespace, into: Path) -> Path:
    rules = read_rules(asked.rules)
    _say(f"recipe {asked.recipe}, as of {asked.today}")
    fitted = train(read_recipe(asked.recipe), asked.today)
    split = fitted.split
    _say(
        f"learnt from {len(split.train):,} rows, measured on {len(split.holdout):,} later ones: "
        + ", ".join(f"{name} {value:.4f}" for name, value in fitted.metrics.items())
    )
    build = Build(datetime.now(UTC), commit_of(asked.recipe), asked.recipe)
    made = export(fitted, build, into, rules.export.parity)
    _say(f"exported {made.name}; estimator and ONNX agree")
    return made


def commit_of(recipe: Path) -> str:
    """The git commit of the folder the recipe is in, "-dirty" if files differ; "" outside git."""
    git = [
        "git",
        "-C",
        str(recipe.resolve().parent),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
    ]
    try:
        found = subprocess.run(git, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m model", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("train", help="make a bundle in a folder")
    make.add_argument("--out", type=Path, required=True, help="folder to put the bundle in")
    propose = commands.add_parser("retrain", help="make a bundle, store it and propose it")
    propose.add_argument(
        "--forge", default=os.environ.get("FORGE", ".forge"), help="where proposals live"
    )
    propose.add_argument("--branch", default="retrain", help="the proposal's branch")
    for command in (make, propose):
        command.add_argument(
            "--recipe", type=Path, default=Path(os.environ.get("RECIPE") or "model/recipe.py")
        )
        command.add_argument("--rules", type=Path, default=Path("checks/thresholds.toml"))
        command.add_argument(
            "--today",
            type=date.fromisoformat,
            default=datetime.now(UTC).date(),
            help="the day to train as of (YYYY-MM-DD)",
        )
    return parser


def _say(words: str) -> None:
    print(words, flush=True)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
