"""Make a bundle for each fault, in the training environment. What training refuses has no bundle."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from contracts.row_contract import ContractError
from drill.clean_candidates import candidates
from drill.fault import DoesNotApplyError, Fault
from drill.faults import FAMILIES
from drill.next_month import harm
from drill.rounds import Round
from drill.score import CLEAN, UNCHANGED
from drill.stored_json import read_json, write_json
from drill.thinned_recipe import Subject
from model.data import DataError
from model.onnx_export.export import ExportError
from model.onnx_export.parity import ParityError
from model.train import Fitted, RecipeError, training_window

#: exception -> the rule that refused a case before there was a bundle
REFUSED: Mapping[type[Exception], str] = {
    ContractError: "train.contract",
    DataError: "train.data",
    RecipeError: "train.recipe",
    ExportError: "export.graph",
    ParityError: "export.parity",
}


@dataclass(frozen=True)
class Case:
    """One case to judge.

    *refused*: the rule by which training refused it; then *raw* is the folder of its rows. *left_out*: why the fault
    does not apply to this recipe. *harm*: by how much the next month's loss is worse than a clean candidate's, None if
    it was not measured. *needs*: which data would show a fault that cannot be seen in the rows alone.
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
    harm: float | None = None
    needs: str = ""


def cases_of(clean: int, only: Sequence[str] = (), faults: int | None = None, seed: int = 0) -> list[tuple[str, int]]:
    """All cases of a round by family and number: the unchanged candidate, the faults, *clean* clean candidates.

    *only*: texts of which one must occur in the family or name; empty for all. *faults*: at most so many, drawn by
    *seed*.
    """
    named = [(family, n, fault.name) for family, each in FAMILIES.items() for n, fault in enumerate(each)]
    wanted = [(f, n) for f, n, name in named if not only or any(each in f"{f}: {name}" for each in only)]
    if faults is not None and faults < len(wanted):
        kept = np.random.default_rng(seed).permutation(len(wanted))[:faults]
        wanted = [wanted[n] for n in sorted(kept)]
    return [(CLEAN, 0), *wanted, *((CLEAN, n) for n in range(1, clean + 1))]


def make(of: Round, family: str, number: int, into: Path) -> Case:
    """The case, with its bundle and champion in *into*. An existing case is not made again."""
    folder = into / f"{family}-{number}"
    written = folder / "case.json"
    if written.is_file():
        return read(written)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case = _clean(of, number, folder) if family == CLEAN else _drawn(of, FAMILIES[family][number], family, folder)
    return _write(case, folder)


def lost(of: Round, family: str, number: int, into: Path) -> Case:
    """The case whose process was killed while it was made."""
    name = _clean_ones(of.subject)[number][0] if family == CLEAN else FAMILIES[family][number].name
    why = "the process that made it was killed, possibly for lack of memory"
    return _write(Case(of.named(name), family, left_out=why), into / f"{family}-{number}")


def _write(case: Case, folder: Path) -> Case:
    write_json(folder / "case.json", asdict(case))
    return case


def read(path: Path) -> Case:
    """The case written by `make`."""
    fields = read_json(path)
    return Case(**fields | {name: tuple(fields[name]) for name in ("rules", "also")})


def _drawn(of: Round, fault: Fault, family: str, folder: Path) -> Case:
    """The case of a variant of *fault*."""
    try:
        drawn = fault.variant(of.random(fault.name), of.subject)
        return _faulty(of.subject, replace(drawn, name=of.named(fault.name)), family, folder)
    except (Exception, SystemExit) as error:  # anything that the recipe raises when its rows are loaded
        return Case(of.named(fault.name), family, fault.what, fault.rules, fault.also, left_out=_why(error))


def _faulty(subject: Subject, fault: Fault, family: str, folder: Path) -> Case:
    case = Case(fault.name, family, fault.what, fault.rules, fault.also, fault.gate, needs=fault.needs)
    try:
        recipe = fault.recipe(subject)
        try:
            fitted = None if fault.finished else fault.injected(subject.fit(recipe))
            bundle = fault.bundle(_made(fault, fitted, subject, folder / "made"))
        except tuple(REFUSED) as error:
            rule = _refusal(error)
            if not any(fnmatch(rule, each) for each in fault.rules) or _does_not_apply(error):
                raise
            raw = _raw(recipe, subject, folder / "raw")
            return replace(case, refused=rule, said=str(error)[:500], raw=raw)
        champion = subject.champion(folder.parent)
        harmed = harm(fault, fitted, subject) if fitted and fault.trained else None
        return replace(case, bundle=str(bundle), champion=str(champion), harm=harmed)
    except (Exception, SystemExit) as error:  # anything that the recipe or its libraries raise
        return replace(case, left_out=_why(error))


def _refusal(error: BaseException) -> str:
    return next((rule for kind, rule in REFUSED.items() if isinstance(error, kind)), "")


def _does_not_apply(error: BaseException) -> str:
    """Why the fault does not apply, by the error or one of its causes; "" if it applies."""
    while error:
        if isinstance(error, DoesNotApplyError):
            return str(error)
        error = error.__cause__  # type: ignore[assignment]
    return ""


def _why(error: BaseException) -> str:
    """Why a case cannot be made; marked if training refused it for another reason than the fault."""
    if said := _does_not_apply(error):
        return said
    words = " ".join(str(error).split())[:300]
    if rule := _refusal(error):
        return f"training refused it for another reason than the fault ({rule}): {words}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {words} ({Path(last.filename).name}:{last.lineno})"


def _made(fault: Fault, fitted: Fitted | None, subject: Subject, into: Path) -> Path:
    """The bundle with the *fault*; a copy of the plain one if the fault is injected into a finished bundle."""
    if fitted is None:
        plain = subject.plain(into.parent.parent, subject.today)
        return Path(shutil.copytree(plain, into / plain.name))
    return subject.export(fitted, into, convert=fault.convert)


def _raw(recipe: SimpleNamespace, subject: Subject, folder: Path) -> str:
    """The folder with the loaded rows, for peers' suites, where there is no bundle; "" if they cannot be loaded."""
    folder.mkdir()
    try:
        start, end = training_window(recipe, subject.today)
        rows = recipe.load(start, end)
        rows = rows.sort_values(recipe.CONTRACT.time, ignore_index=True)
        late = rows[recipe.CONTRACT.time] >= subject.since
        for name, part in (("train", rows[~late]), ("holdout", rows[late])):
            part.reset_index(drop=True).to_parquet(folder / f"{name}.parquet", index=False)
    except Exception:  # the rows cannot be used, as the refusal says
        return ""
    return str(folder)


def _clean(of: Round, number: int, folder: Path) -> Case:
    """The unchanged candidate, or a clean one; the champion is trained by the user's recipe."""
    name, other, recipe = _clean_ones(of.subject)[number]
    name = of.named(name)
    try:
        champion = other.champion(folder.parent)
        bundle = other.make(recipe, folder / "made") if recipe else other.plain(folder.parent, other.today)
    except (Exception, SystemExit) as error:  # as in _faulty
        return Case(name, CLEAN, left_out=_why(error))
    return Case(name, CLEAN, bundle=str(bundle), champion=str(champion))


def _clean_ones(subject: Subject) -> list[tuple[str, Subject, SimpleNamespace | None]]:
    return [(UNCHANGED, subject, None), *candidates(subject)]
