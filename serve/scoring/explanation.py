"""`python -m serve explain ID`: why an answer has its score, computed again from journal and store.

The journal has the row, the model's score, the returned score and the correction that was used; the store has the model.
Answers in Parquet files are found where pandas and pyarrow are installed, which the scorer's environment does not have.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from contracts.live_config import BUNDLES
from online.correction import Correction
from serve.routes.typical_row import typical_row

OK, DIFFERS, USAGE = 0, 1, 2
#: Features that are listed.
MOST = 8
Line = Mapping[str, Any]


class ExplainError(ValueError):
    """An answer cannot be explained; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Print the explanation of the answer with the id; 1 if the returned score is not what is computed."""
    parser = argparse.ArgumentParser("python -m serve explain", description="why an answer has its score")
    parser.add_argument("id", help="the id of the answer")
    parser.add_argument("--store", type=Path, required=True, help="folder with live.toml and bundles/")
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journal")
    args = parser.parse_args(arguments)
    try:
        text, equal = explained(args.id, args.store, args.journal)
    except ExplainError as error:
        print(f"error: {error}")
        return USAGE
    print(text)
    return OK if equal else DIFFERS


def explained(id_: str, store: Path, journal: Path) -> tuple[str, bool]:
    """The explanation of the first answer with the id, and whether its score could be computed again, to the bit.

    Raises `ExplainError`.
    """
    answer = next((line for line in _lines(journal, "answers") if line.get("id") == id_), None)
    if answer is None:
        raise ExplainError(f"{journal} has no answer with the id {id_}{_unread(journal)}")
    row, returned = answer["row"], answer["score"]
    plain = answer.get("plain", returned)
    found = [
        f"answer {id_}, given {answer.get('at')} by {answer.get('version')} ({answer.get('arm')})",
        f"row: {json.dumps(row, ensure_ascii=False)}",
        f"plain score: {_shown(plain)}",
    ]
    equal = True
    if "correction" in answer:
        lines, equal = _corrected(_correction(answer, store, journal), answer)
        found += lines
    else:
        found.append("correction: none; the returned score is the model's")
    found.append(f"returned score: {_shown(returned)}")
    return "\n".join([*found, *_by_the_model(answer, plain, store)]), equal


def _corrected(correction: Correction, answer: Line) -> tuple[list[str], bool]:
    """Each term, and whether the returned score is what they give."""
    plain, returned, row = answer["plain"], answer["score"], answer["row"]
    columns = {name: [row.get(name)] for name in correction.slices}
    (again,) = correction.correct(np.asarray([plain], dtype=float), columns).tolist()
    equal = bool(again == returned)
    found = [f"correction: {correction.digest}, made {correction.made}, with outcomes up to {correction.until}"]
    found += [f"  {amount:+.6f}  {term}" for term, amount in correction.explain(plain, row)]
    how = "equal, bit for bit" if equal else "NOT EQUAL to what was returned"
    return [*found, f"computed again: {_shown(again)}, {how}"], equal


def _correction(answer: Line, store: Path, journal: Path) -> Correction:
    """The correction that the answer names, from the journal, or else from the store."""
    version, digest = str(answer["version"]), answer["correction"]
    texts = (line.get("content") for line in _lines(journal, "corrections") if line.get("correction") == digest)
    for text in (*texts, _text(store / "online" / f"{Path(version).name}.json")):
        try:
            found = Correction.from_json(json.loads(text or ""))
        except (ValueError, TypeError):
            continue
        if (found.version, found.digest) == (version, digest):
            return found
    raise ExplainError(f"neither {journal} nor {store} has the correction {digest} of {version}{_unread(journal)}")


def _by_the_model(answer: Line, plain: Any, store: Path) -> list[str]:
    """The score that the model gives again, and the features that move it most against a typical row."""
    row, version = answer["row"], Path(str(answer["version"])).name
    try:
        bundle = Bundle.load(store / BUNDLES / version)
    except BundleError as error:
        return [f"features: not compared, the model is not in the store: {error}"]
    contract = bundle.contract
    if missing := [name for name in contract.feature_names if name not in row]:
        return [f"features: not compared, the journal has no {', '.join(missing)} (private fields are not written)"]
    again = bundle.score([row]).tolist()[0]
    typical = typical_row(contract, bundle.manifest)
    others = bundle.score([{**row, name: typical[name]} for name in contract.feature_names]).tolist()
    top = int(np.argmax(again)) if isinstance(again, list) else None
    scale = _logit if contract.task == "binary" else float
    moved = [
        (scale(_one(again, top)) - scale(_one(other, top)), name)
        for name, other in zip(contract.feature_names, others, strict=True)
    ]
    moved.sort(key=lambda each: -abs(each[0]))
    unit = "on the logit" if contract.task == "binary" else "of the score"
    close = np.allclose(again, plain, rtol=1e-5, atol=1e-7)
    found = [f"the model gives {_shown(again)} for this row alone{'' if close else ', NOT what is in the journal'}"]
    found.append(f"against the typical value of each feature by itself ({unit}):")
    return [
        *found,
        *(
            f"  {amount:+.4f}  {name} = {json.dumps(row[name], ensure_ascii=False)} (typical:"
            f" {json.dumps(typical[name], ensure_ascii=False)})"
            for amount, name in moved[:MOST]
        ),
    ]


def _one(score: Any, top: int | None) -> float:
    return float(score if top is None else score[top])


def _logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


def _shown(score: Any) -> str:
    return json.dumps(score)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


class _Every(frozenset[str]):
    """All columns."""

    def __contains__(self, _: object) -> bool:
        return True


def _lines(journal: Path, kind: str) -> Iterator[Line]:
    """The whole lines of *kind*, in segments, and in Parquet files if they can be read here."""
    for path in sorted(journal.glob(f"{kind}-*.jsonl")):
        with path.open("rb") as file:
            yield from _parsed(file)
    if any(journal.glob("day=*")) and not _unread(journal):
        from contracts.journal_format import Folder, lines, parts  # noqa: PLC0415  # the scorer has no pyarrow

        place = Folder(journal)
        for part in parts(place, kind):
            if part.day:
                yield from (line for line in lines(place, part, _Every()) if line is not None)


def _unread(journal: Path) -> str:
    """What to type where the journal has Parquet files, and this environment cannot read them."""
    if any(journal.glob("day=*")) and not importlib.util.find_spec("pyarrow"):
        return "; its Parquet files are read in the environment work: .venv/work/bin/python -m serve explain …"
    return ""


def _parsed(file: Iterable[bytes]) -> Iterator[Line]:
    for line in file:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
