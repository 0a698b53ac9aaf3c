"""Faults -> bundles, in the environment that trains. What training refuses has no bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

from drill.clean import candidates
from drill.fault import DoesNotApplyError, Fault
from drill.faults import FAMILIES
from drill.score import AS_IT_IS, CLEAN
from drill.subject import Subject
from model.contract import ContractError
from model.data import DataError
from model.export import ExportError
from model.parity import ParityError
from model.train import RecipeError

#: Who refused before there was a bundle, by what was raised.
REFUSED = {
    ContractError: "train.contract",
    DataError: "train.data",
    RecipeError: "train.recipe",
    ExportError: "export.graph",
    ParityError: "export.parity",
}


@dataclass(frozen=True)
class Case:
    """One thing to judge.

    *refused* says which rule left no bundle, *raw* where the rows are then; *left_out* why there is
    no case.
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
    faults = [(family, n, fault.name) for family, each in FAMILIES.items() for n, fault in enumerate(each)]  # fmt: skip
    found = [(CLEAN, 0, ""), *faults, *((CLEAN, n, "") for n in range(1, clean + 1))]
    return [
        (family, n)
        for family, n, name in found
        if not only
        or any(each in f"{family}: {name}" for each in only)
        or (family, n) == (CLEAN, 0)
    ]


def make(subject: Subject, family: str, number: int, into: Path) -> Case:
    """The case, its bundle and its champion in *into*. Kept: what is there is not made again."""
    folder = into / f"{family}-{number}"
    told = folder / "case.json"
    if told.is_file():
        return read(told)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case = (
        _clean(subject, number, folder)
        if family == CLEAN
        else _faulty(subject, FAMILIES[family][number], family, folder)
    )
    told.write_text(json.dumps(asdict(case), indent=1, ensure_ascii=False), encoding="utf-8")
    return case


def read(path: Path) -> Case:
    """The case that `make` wrote."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return Case(**told | {name: tuple(told[name]) for name in ("rules", "also")})


def _faulty(subject: Subject, fault: Fault, family: str, folder: Path) -> Case:
    case = Case(fault.name, family, fault.what, fault.rules, fault.also, fault.gate)
    try:
        recipe = fault.recipe(subject)
    except DoesNotApplyError as why:
        return replace(case, left_out=str(why))
    try:
        bundle = fault.bundle(_made(fault, recipe, subject, folder / "made"))
    except DoesNotApplyError as why:
        return replace(case, left_out=str(why))
    except (ContractError, DataError, RecipeError, ExportError, ParityError) as error:
        if isinstance(error.__cause__, DoesNotApplyError):
            return replace(case, left_out=str(error.__cause__))
        raw = _raw(recipe, subject, folder / "raw")
        return replace(case, refused=REFUSED[type(error)], said=str(error)[:500], raw=str(raw))
    return replace(case, bundle=str(bundle), champion=str(subject.champion(folder.parent)))


def _made(fault: Fault, recipe: SimpleNamespace, subject: Subject, into: Path) -> Path:
    """The bundle with the *fault*; where that is put into a finished one, a copy of the plain one."""
    if fault.finished:
        plain = subject.plain(into.parent.parent, subject.today)
        return Path(shutil.copytree(plain, into / plain.name))
    return subject.make(recipe, into, convert=fault.convert, fitted=fault.fitted)


def _raw(recipe: SimpleNamespace, subject: Subject, folder: Path) -> Path:
    """The rows as they came, where no bundle holds them: for those who look at rows alone."""
    folder.mkdir()
    start, end = recipe.window(subject.today)
    rows = recipe.load(start, end)
    rows = rows.sort_values(recipe.CONTRACT.time, ignore_index=True)
    late = rows[recipe.CONTRACT.time] >= subject.since
    for name, part in (("train", rows[~late]), ("holdout", rows[late])):
        part.reset_index(drop=True).to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def _clean(subject: Subject, number: int, folder: Path) -> Case:
    """The candidate as it is, or one of the fifty; its champion learnt by the user's own recipe."""
    name, other, recipe = [(AS_IT_IS, subject, None), *candidates(subject)][number]
    try:
        champion = other.champion(folder.parent)
        bundle = (
            other.make(recipe, folder / "made")
            if recipe
            else other.plain(folder.parent, other.today)
        )
    except DataError as error:
        return Case(name, CLEAN, left_out=str(error)[:300])
    return Case(name, CLEAN, bundle=str(bundle), champion=str(champion))
