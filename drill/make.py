"""Faults -> bundles, in the environment that trains. What training refuses has no bundle."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

from contracts.row_contract import ContractError
from drill.clean_candidates import candidates
from drill.fault import DoesNotApplyError, Fault
from drill.faults import FAMILIES
from drill.score import AS_IT_IS, CLEAN
from drill.thinned_recipe import Subject
from model.data import DataError
from model.onnx_export.export import ExportError
from model.onnx_export.parity import ParityError
from model.train import RecipeError, training_window

#: Who refused before there was a bundle, by what was raised.
REFUSED: Mapping[type[Exception], str] = {
    ContractError: "train.contract",
    DataError: "train.data",
    RecipeError: "train.recipe",
    ExportError: "export.graph",
    ParityError: "export.parity",
}


@dataclass(frozen=True)
class Case:
    """One thing to judge.

    *refused* says which of the fault's own rules left no bundle, *raw* where the rows are then;
    *left_out* why there is no case: the fault does not apply to this recipe.
    """

    name: str
    family: str
    what: str = ""
    rules: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    gate: str = ""
    bundle: str = ""
    champion: str = ""
    refused: str = ""
    said: str = ""
    left_out: str = ""
    raw: str = ""


def asked(clean: int, only: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Every case by family and number: the candidate as it is, the faults, *clean* with nothing wrong.

    *only* are parts of families' or faults' names; all without.
    """
    faults = [(family, n, fault.name) for family, each in FAMILIES.items() for n, fault in enumerate(each)]
    found = [(CLEAN, 0, ""), *faults, *((CLEAN, n, "") for n in range(1, clean + 1))]
    return [
        (family, n)
        for family, n, name in found
        if not only or any(each in f"{family}: {name}" for each in only) or (family, n) == (CLEAN, 0)
    ]


def make(subject: Subject, family: str, number: int, into: Path) -> Case:
    """The case, its bundle and its champion in *into*. Kept: what is there is not made again."""
    folder = into / f"{family}-{number}"
    written = folder / "case.json"
    if written.is_file():
        return read(written)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case = (
        _clean(subject, number, folder)
        if family == CLEAN
        else _faulty(subject, FAMILIES[family][number], family, folder)
    )
    return _write(case, folder)


def lost(subject: Subject, family: str, number: int, into: Path) -> Case:
    """The case whose process was ended while it was made."""
    name = _clean_ones(subject)[number][0] if family == CLEAN else FAMILIES[family][number].name
    why = "the process that made it was ended, for want of memory perhaps"
    return _write(Case(name, family, left_out=why), into / f"{family}-{number}")


def _write(case: Case, folder: Path) -> Case:
    draft = folder / ".case.json"
    draft.write_text(
        json.dumps(asdict(case), indent=1, ensure_ascii=False), encoding="utf-8", errors="backslashreplace"
    )
    draft.replace(folder / "case.json")
    return case


def read(path: Path) -> Case:
    """The case that `make` wrote."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return Case(**told | {name: tuple(told[name]) for name in ("rules", "also")})


def _faulty(subject: Subject, fault: Fault, family: str, folder: Path) -> Case:
    case = Case(fault.name, family, fault.what, fault.rules, fault.also, fault.gate)
    try:
        recipe = fault.recipe(subject)
        try:
            bundle = fault.bundle(_made(fault, recipe, subject, folder / "made"))
        except tuple(REFUSED) as error:
            rule = _refusal(error)
            if not any(fnmatch(rule, each) for each in fault.rules) or _does_not_apply(error):
                raise
            raw = _raw(recipe, subject, folder / "raw")
            return replace(case, refused=rule, said=str(error)[:500], raw=raw)
        return replace(case, bundle=str(bundle), champion=str(subject.champion(folder.parent)))
    except (Exception, SystemExit) as error:  # whatever the recipe and its libraries raise
        return replace(case, left_out=_why(error))


def _refusal(error: BaseException) -> str:
    return next((rule for kind, rule in REFUSED.items() if isinstance(error, kind)), "")


def _does_not_apply(error: BaseException) -> str:
    """What the error, or one that led to it, says of why the fault cannot be had; "" if nothing."""
    while error:
        if isinstance(error, DoesNotApplyError):
            return str(error)
        error = error.__cause__  # type: ignore[assignment]
    return ""


def _why(error: BaseException) -> str:
    """Why a case cannot be made. A refusal for another reason than the fault's is said to be one."""
    if said := _does_not_apply(error):
        return said
    words = " ".join(str(error).split())[:300]
    if rule := _refusal(error):
        return f"refused before there is a bundle, for another reason than the fault's ({rule}): {words}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {words} ({Path(last.filename).name}:{last.lineno})"


def _made(fault: Fault, recipe: SimpleNamespace, subject: Subject, into: Path) -> Path:
    """The bundle with the *fault*; where that is put into a finished one, a copy of the plain one."""
    if fault.finished:
        plain = subject.plain(into.parent.parent, subject.today)
        return Path(shutil.copytree(plain, into / plain.name))
    return subject.make(recipe, into, convert=fault.convert, fitted=fault.fitted)


def _raw(recipe: SimpleNamespace, subject: Subject, folder: Path) -> str:
    """The folder with the rows as they came, where no bundle holds them; "" if they cannot be had.

    It is for those who look at rows alone.
    """
    folder.mkdir()
    try:
        start, end = training_window(recipe, subject.today)
        rows = recipe.load(start, end)
        rows = rows.sort_values(recipe.CONTRACT.time, ignore_index=True)
        late = rows[recipe.CONTRACT.time] >= subject.since
        for name, part in (("train", rows[~late]), ("holdout", rows[late])):
            part.reset_index(drop=True).to_parquet(folder / f"{name}.parquet", index=False)
    except Exception:  # the rows are spoilt: in which way, the refusal says
        return ""
    return str(folder)


def _clean(subject: Subject, number: int, folder: Path) -> Case:
    """The candidate as it is, or one of the fifty; its champion trained by the user's own recipe."""
    name, other, recipe = _clean_ones(subject)[number]
    try:
        champion = other.champion(folder.parent)
        bundle = other.make(recipe, folder / "made") if recipe else other.plain(folder.parent, other.today)
    except (Exception, SystemExit) as error:  # as in _faulty
        return Case(name, CLEAN, left_out=_why(error))
    return Case(name, CLEAN, bundle=str(bundle), champion=str(champion))


def _clean_ones(subject: Subject) -> list[tuple[str, Subject, SimpleNamespace | None]]:
    return [(AS_IT_IS, subject, None), *candidates(subject)]
