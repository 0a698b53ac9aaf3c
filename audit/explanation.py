"""Why an answer has its score, computed again from journal and store.

The journal has the row, the model's score, the returned score and the correction that was used; the store has the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from audit.erasure.receipts import receipts
from audit.journal_lines import Line, files, lines, unread
from bundles.bundle import Bundle
from bundles.manifest import BundleError
from online.correction import Correction
from serve.routes.typical_row import typical_row

#: Features that are listed.
MAX_FEATURES = 8


class ExplainError(ValueError):
    """An answer cannot be explained; the message says why."""


#: Loads a version's bundle. Raises `BundleError` with why it cannot be found or read.
Load = Callable[[str], Bundle]


@dataclass(frozen=True)
class Explanation:
    """The text, and the answer's line; *equal* if what could be computed again is what was returned."""

    text: str
    answer: Line
    equal: bool


def explained(id_: str, store: Path, journal: Path, load: Load) -> Explanation:
    """The explanation of the first answer with the id; the *store* has the correction if the *journal* has not.

    Raises `ExplainError`.
    """
    answer, request = _request_of(id_, journal)
    row, returned = answer["row"], answer["score"]
    plain = answer.get("plain", returned)
    found = [
        f"answer {id_}, given {answer.get('at')} by {answer.get('version')} ({answer.get('arm')})",
        f"row: {json.dumps(row, ensure_ascii=False)}",
        f"plain score: {_shown(plain)}",
    ]
    equal = True
    if "correction" in answer:
        terms, equal = _corrected(_correction(answer, store, journal), answer)
        found += terms
    else:
        found.append("correction: none; the returned score is the model's")
    found.append(f"returned score: {_shown(returned)}")
    by_model, close = _by_the_model(answer, request, load)
    return Explanation("\n".join([*found, *by_model]), answer, equal and close)


def _request_of(id_: str, journal: Path) -> tuple[Line, list[Line]]:
    """The answer with the id, and the answers that were computed together with it, itself included."""
    for file in files(journal, "answers"):
        for _, group in groupby(file, lambda line: (line.get("at"), line.get("version"), line.get("arm"))):
            together = [*group]
            for line in together:
                if line.get("id") == id_:
                    return line, together
    if erased := next((each for each in receipts(journal) if each.has_id(id_)), None):
        raise ExplainError(
            f"the answer {id_} was erased on request at {erased.at}: nothing of it can be computed again"
        )
    raise ExplainError(f"{journal} has no answer with the id {id_}{unread(journal)}")


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
    texts = (line.get("content") for line in lines(journal, "corrections") if line.get("correction") == digest)
    for text in (*texts, _text(store / "online" / f"{Path(version).name}.json")):
        try:
            found = Correction.from_json(json.loads(text or ""))
        except (ValueError, TypeError):
            continue
        if (found.version, found.digest) == (version, digest):
            return found
    raise ExplainError(f"neither {journal} nor {store} has the correction {digest} of {version}{unread(journal)}")


def _by_the_model(answer: Line, request: Sequence[Line], load: Load) -> tuple[list[str], bool]:
    """The score that the model gives again, and the features that move it most against a typical row.

    False if the score is another one than in the journal.
    """
    row, version = answer["row"], Path(str(answer["version"])).name
    try:
        bundle = load(version)
    except BundleError as error:
        return [f"features: not compared, there is no model to compute with: {error}"], True
    contract = bundle.contract
    if missing := [name for name in contract.feature_names if name not in row]:
        why = f"the journal has no {', '.join(missing)} (private fields are not written)"
        return [f"features: not compared, {why}"], True
    (again,) = bundle.score_each([row]).tolist()
    how, close = _agreement(bundle, answer, request, again)
    found = [f"the model gives {_shown(again)} for this row alone: {how}"]
    if bundle.core:
        found.append(f"computed by the full graph: {bundle.core}")
    typical = typical_row(contract, bundle.manifest)
    others = bundle.score_each([{**row, name: typical[name]} for name in contract.feature_names]).tolist()
    top = int(np.argmax(again)) if isinstance(again, list) else None
    scale = _logit if contract.task == "binary" else float
    moved = [
        (scale(_one(again, top)) - scale(_one(other, top)), name)
        for name, other in zip(contract.feature_names, others, strict=True)
    ]
    moved.sort(key=lambda each: -abs(each[0]))
    unit = "on the logit" if contract.task == "binary" else "of the score"
    found.append(f"against the typical value of each feature by itself ({unit}):")
    found += [
        f"  {amount:+.4f}  {name} = {json.dumps(row[name], ensure_ascii=False)} (typical:"
        f" {json.dumps(typical[name], ensure_ascii=False)})"
        for amount, name in moved[:MAX_FEATURES]
    ]
    return found, close


def _agreement(bundle: Bundle, answer: Line, request: Sequence[Line], again: Any) -> tuple[str, bool]:
    """How *again* compares with the score in the journal, and whether it is the same but for rounding.

    The rows of one request are scored together, and a sum over several rows may be rounded in another order.
    """
    plain = answer.get("plain", answer["score"])
    if again == plain:
        return "equal, bit for bit", True
    place = next(n for n, line in enumerate(request) if line is answer)
    if len(request) > 1 and bundle.score([line["row"] for line in request]).tolist()[place] == plain:
        return f"equal, bit for bit, among the {len(request)} rows of its request", True
    if np.allclose(again, plain, rtol=1e-5, atol=1e-7):
        return "equal but for rounding: another processor, or rows that were scored together", True
    return "NOT what is in the journal", False


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
