"""Run the whole gate on the bundles, in the gate's environment."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from dataclasses import asdict
from pathlib import Path

from bundles.bundle import Bundle
from checks.__main__ import CANNOT_JUDGE, USAGE
from checks.__main__ import main as gate
from contracts.live_config import Live, with_champion
from contracts.thresholds import ConfigurationError
from drill.case_outcome import Answer, CaseFields
from drill.gate_faults import sabotaged
from drill.stored_json import read_json, write_json
from forge.local.folder_forge import LocalForge


def judge(case: CaseFields, limits: Path, of: str = "") -> Answer:
    """The gate's answer to *case*, as written by `drill.make`.

    It is stored next to the bundle, and used again for the same digest *of* its inputs. Raises ConfigurationError if
    *limits* cannot be read.
    """
    if case["refused"]:
        return Answer("REFUSED", case["said"], (case["refused"],))
    kept = Path(case["bundle"]).parent / f"answer-{hashlib.sha256(case['name'].encode()).hexdigest()[:12]}.json"
    if of and (answer := _kept(kept, of)):
        return answer
    answer = _run_gate(case, limits)
    if of:
        write_json(kept, {"of": of, **asdict(answer)})
    return answer


def crashed(why: str) -> Answer:
    """The answer for a gate that crashed: without a verdict, the fault is neither passed nor caught."""
    return Answer("CRASHED", why, ("gate.crashed",))


def _run_gate(case: CaseFields, limits: Path) -> Answer:
    with tempfile.TemporaryDirectory() as work, sabotaged(case["gate"]):
        out = Path(work) / "gate"
        command = ["gate", "--candidate", case["bundle"], "--rules", str(limits), "--out", str(out)]
        if case["gate"] == "no_champion":
            command += ["--against-live", "--forge", str(_forge(Path(work) / "forge", case))]
        else:
            command += ["--champion", case["champion"]]
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                code = gate(command)
        except (Exception, SystemExit) as error:  # a fault of the gate itself
            return crashed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        if code == USAGE:
            raise ConfigurationError(said.getvalue().strip())
        if code == CANNOT_JUDGE:
            return Answer("CANNOT JUDGE", said.getvalue().strip(), ("gate.cannot_judge",))
        verdict = read_json(out / "verdict.json")
    return _answer(verdict)


def _kept(path: Path, of: str) -> Answer | None:
    if not path.is_file():
        return None
    found = read_json(path)
    if found.pop("of") != of:
        return None
    return Answer(**found | {name: tuple(found[name]) for name in ("by", "warned", "open")})


def _answer(verdict: CaseFields) -> Answer:
    """The answer by a verdict; an unsettled comparison is not a catch, since a clean candidate may have it, too."""
    found = verdict["findings"]
    by = [f for f in found if f["outcome"] == "NOT_RUN" or (f["outcome"] == "FAIL" and f["severity"] != "warn")]
    warned = [f["rule"] for f in found if f["outcome"] == "FAIL" and f["severity"] == "warn"]
    unsettled = [f["rule"] for f in found if f["outcome"] == "INCONCLUSIVE" and f["severity"] != "warn"]
    return Answer(
        verdict["decision"], verdict["summary"], tuple(f["rule"] for f in by), tuple(warned), tuple(unsettled)
    )


def _forge(root: Path, case: CaseFields) -> Path:
    """A forge whose live.toml names a champion that is not stored."""
    forge, live = LocalForge(root), "serve/live.toml"
    champion = Bundle.load(Path(case["champion"]))
    text = with_champion(Live(), champion.version, champion.digest).to_toml()
    forge.propose("move", "a champion whose release was deleted", "", {live: text})
    forge.status("move", True, "good")
    forge.merge("move", "move")
    return root
