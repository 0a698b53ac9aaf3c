"""Deepchecks' stock suites and Evidently's presets, with their defaults, on the same faults."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environments import install, versions_in
from contracts.row_contract import Contract
from drill.make import Case
from drill.score import CLEAN

HERE = Path(__file__).parent / "peers"
CHECKS = Path(".venv/checks/bin/python")
#: In a separate environment, which `make clean` removes.
EVIDENTLY = ("evidently==0.7.23", "pandas<3", "pyarrow")
NOTE = (
    "The peers check 2,000 rows of each part with their default conditions. A fault counts as"
    " caught by them if any condition fails that holds for the unchanged candidate; a clean"
    " candidate as rejected by the same measure. Rows that make them crash count as caught. Ours counts only if a rule that names its reason rejects. They get frames and scores: faults of an export, a digest or a gate"
    " are out of their scope, and what training refuses they get as loaded, without scores."
)


@dataclass(frozen=True)
class Peer:
    """A peer: name, title, script, and the Python that runs it."""

    name: str
    title: str
    script: str
    python: Path


def peers(folder: Path, names: Collection[str]) -> list[Peer]:
    """The peers of these *names*, with their environments."""
    found = []
    if "deepchecks" in names:
        found.append(Peer("deepchecks", "Deepchecks, stock suites", "deepchecks_stock.py", CHECKS))
    if "evidently" in names:
        own = install(folder.parent / "peers/evidently", EVIDENTLY, Path(sys.executable))
        found.append(Peer("evidently", "Evidently, presets with tests", "evidently_presets.py", own))
    return found


def compare(cases: Mapping[str, Case], contract: Contract, folder: Path, names: Collection[str]) -> dict[str, Any]:
    """The conditions that fail by peer and case, for cases with frames, apart from those of the round's unchanged one.

    *cases* by their place in the drill, such as 0/labels-3: the first of a round is the unchanged candidate.
    *names* are those of the peers to run. By peer: title, failures `by` fault and by `clean` candidate, and the `usual` ones.
    """
    unchanged: dict[str, str] = {}
    round_of: dict[str, str] = {}
    for place, case in cases.items():
        number = place.split("/")[0]
        round_of[case.name] = unchanged.setdefault(number, case.name)
    frames = [shown for case in cases.values() if (shown := _shown(case, contract))]
    found: dict[str, Any] = {}
    for peer in peers(folder, names):
        failed = _failed(peer, frames, folder)
        usual = {name: set(failed[name]) for name in unchanged.values()}
        new = {name: [each for each in failed[name] if each not in usual[round_of[name]]] for name in failed}
        (version,) = versions_in(peer.python, [peer.name]).values()
        clean = {case.name for case in cases.values() if case.family == CLEAN} - {*usual}
        found[peer.name] = {
            "title": f"{peer.title} ({version})",
            "usual": sorted(set().union(*usual.values())),
            "clean": {name: new[name] for name in new if name in clean},
            "by": {name: new[name] for name in new if name not in clean and name not in usual},
        }
    return {"peers": found, "notes": [NOTE]}


def _failed(peer: Peer, frames: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, list[str]]:
    """The conditions of *peer* that fail, by case; results for the same rows are used again."""
    kept, args, answers = (folder / f"peers-{peer.name}{more}.json" for more in ("", "-asked", "-answers"))
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    of = {case["name"]: _digest(case) for case in frames}
    new = [case for case in frames if known.get(case["name"], {}).get("of") != of[case["name"]]]
    print(f"{peer.title}: {len(new)} cases ...", flush=True)
    if new:
        args.write_text(json.dumps(new), encoding="utf-8")
        command = [str(peer.python), str(HERE / peer.script), str(args), str(answers)]
        subprocess.run(command, check=True)
        for name, failed in json.loads(answers.read_text(encoding="utf-8")).items():
            known[name] = {"of": of[name], "failed": failed}
        kept.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return {name: known[name]["failed"] for name in of}


def _digest(case: Mapping[str, Any]) -> str:
    content = b"".join(Path(case[part]).read_bytes() for part in ("train", "holdout"))
    return hashlib.sha256(content + json.dumps(case).encode()).hexdigest()


def _shown(case: Case, contract: Contract) -> Mapping[str, Any] | None:
    """The peers' input for *case*; None if it has no frames, or the same as another case."""
    evidence = Path(case.bundle) / "evidence" if case.bundle else Path(case.raw)
    if not (case.bundle or case.raw) or case.gate:
        return None
    if case.bundle:
        manifest = json.loads((Path(case.bundle) / "manifest.json").read_text(encoding="utf-8"))
        contract = Contract.from_json(manifest["contract"])
    kinds = {f.name: f.kind for f in contract.features}
    return {
        "name": case.name,
        "train": str(evidence / "train.parquet"),
        "holdout": str(evidence / "holdout.parquet"),
        "target": contract.target.name,
        "time": contract.time,
        "key": contract.key,
        "numbers": [name for name, kind in kinds.items() if kind == "number"],
        "categories": [name for name, kind in kinds.items() if kind != "number"],
        "task": contract.task,
    }
