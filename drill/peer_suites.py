"""The same faults before Deepchecks' stock suites and Evidently's presets, as their makers deliver them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environments import install, versions_in
from contracts.row_contract import Contract
from drill.make import Case
from drill.score import AS_IT_IS, CLEAN

HERE = Path(__file__).parent / "peers"
CHECKS = Path(".venv/checks/bin/python")
#: In an environment of its own, thrown away by `make clean`.
EVIDENTLY = ("evidently==0.7.23", "pandas<3", "pyarrow")
NOTE = (
    "The others look at 2,000 rows of each part, with the conditions that they come with. A fault counts as"
    " caught by them if a condition fails that holds for the candidate as it is, whatever it says; a clean"
    " candidate as rejected by the same measure. Rows that make them crash count as caught. Ours counts only if a rule that names its reason rejects. They see frames and scores: what an export, a digest or a gate"
    " gets wrong is outside of what they look at, and what training refuses they are given as it came,"
    " without scores."
)


@dataclass(frozen=True)
class Rival:
    """A peer: what it is called, its script, and the Python that runs it."""

    name: str
    title: str
    script: str
    python: Path


def rivals(folder: Path) -> list[Rival]:
    """Both, their environments made."""
    own = install(folder.parent / "peers/evidently", EVIDENTLY, Path(sys.executable))
    return [
        Rival("deepchecks", "Deepchecks, stock suites", "deepchecks_stock.py", CHECKS),
        Rival("evidently", "Evidently, presets with tests", "evidently_presets.py", own),
    ]


def compare(cases: Sequence[Case], contract: Contract, folder: Path) -> dict[str, Any]:
    """What each rival says of every case that has frames, beyond what it says of the candidate as it is.

    By name: title, `by` fault and by `clean` candidate, and what is `usual`.
    """
    told = [shown for case in cases if (shown := _shown(case, contract))]
    found: dict[str, Any] = {}
    for rival in rivals(folder):
        failed = _asked(rival, told, folder)
        usual = set(failed[AS_IT_IS])
        new = {name: [each for each in failed[name] if each not in usual] for name in failed}
        (version,) = versions_in(rival.python, [rival.name]).values()
        clean = {case.name for case in cases if case.family == CLEAN} - {AS_IT_IS}
        found[rival.name] = {
            "title": f"{rival.title} ({version})",
            "usual": sorted(usual),
            "clean": {name: new[name] for name in new if name in clean},
            "by": {name: new[name] for name in new if name not in clean},
        }
    return {"peers": found, "notes": [NOTE]}


def _asked(rival: Rival, told: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, list[str]]:
    """What of each case *rival* says has failed; what it said of the same rows before is kept."""
    kept, asked, answers = (folder / f"peers-{rival.name}{more}.json" for more in ("", "-asked", "-answers"))
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    of = {case["name"]: _digest(case) for case in told}
    new = [case for case in told if known.get(case["name"], {}).get("of") != of[case["name"]]]
    print(f"{rival.title}: {len(new)} cases ...", flush=True)
    if new:
        asked.write_text(json.dumps(new), encoding="utf-8")
        command = [str(rival.python), str(HERE / rival.script), str(asked), str(answers)]
        subprocess.run(command, check=True)
        for name, failed in json.loads(answers.read_text(encoding="utf-8")).items():
            known[name] = {"of": of[name], "failed": failed}
        kept.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return {name: known[name]["failed"] for name in of}


def _digest(case: Mapping[str, Any]) -> str:
    content = b"".join(Path(case[part]).read_bytes() for part in ("train", "holdout"))
    return hashlib.sha256(content + json.dumps(case).encode()).hexdigest()


def _shown(case: Case, contract: Contract) -> Mapping[str, Any] | None:
    """What a rival is told of *case*; None where there is nothing but what it is told of others."""
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
        "words": [name for name, kind in kinds.items() if kind != "number"],
        "task": contract.task,
    }
