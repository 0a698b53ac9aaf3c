"""A fault: where it is injected, which rules should find it, and how variants of it are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np

from contracts.row_contract import Feature
from drill.thinned_recipe import Frame, Subject, plain, with_feature
from model.onnx_export.export import to_graph
from model.train import Fitted

Random: TypeAlias = np.random.Generator


class DoesNotApplyError(Exception):
    """The user's data cannot have this fault. The message says why."""


def _own(subject: Subject) -> SimpleNamespace:
    return subject.recipe


def _unchanged(fitted: Fitted) -> Fitted:
    return fitted


def _as_loaded(rows: Frame) -> Frame:
    return rows


@dataclass(frozen=True)
class Variant:
    """A fault with the values that were drawn: its description, and the change of loaded rows.

    A *feature* that the change adds gets its value at prediction time from *served*, a change of rows without the fault.
    """

    what: str
    change: Callable[[Frame], Frame]
    feature: Feature | None = None
    served: Callable[[Frame], Frame] = _as_loaded

    def recipe(self, subject: Subject) -> SimpleNamespace:
        """The recipe that loads the changed rows."""
        recipe = subject.recipe
        load = recipe.load
        # Each call is changed, as by a faulty source: a change that looks ahead differs with the end.
        recipe.load = lambda start, end: self.change(load(start, end))
        if self.feature is not None:
            contract = with_feature(subject.contract, self.feature)
            recipe.CONTRACT, recipe.estimator = contract, lambda: plain(contract)
        return recipe


@dataclass(frozen=True)
class Fault:
    """One fault.

    *rules* are patterns of the rules of which at least one should fail; *also* of those that may fail, too. *draw* gives
    a variant with other values; a fault without it is always the same. *needs* says which data would show a fault that
    cannot be seen in the rows alone. The other fields say where it is injected: the recipe, both fitted models of it, the
    release model alone, the graphs, the finished bundle, or the gate itself (a name of `drill.gate_faults`).
    """

    name: str
    what: str
    rules: tuple[str, ...]
    also: tuple[str, ...] = ()
    recipe: Callable[[Subject], SimpleNamespace] = _own
    fitted: Callable[[Fitted], Fitted] = _unchanged
    release: Callable[[Fitted], Fitted] = _unchanged
    convert: Callable[[Fitted], bytes] = to_graph
    bundle: Callable[[Path], Path] = lambda folder: folder
    gate: str = ""
    draw: Callable[[Random, Subject], Variant] | None = None
    served: Callable[[Frame], Frame] = _as_loaded
    feature: bool = False
    needs: str = ""

    @property
    def finished(self) -> bool:
        """Whether it is injected into the finished bundle, or later: the trained model has no fault."""
        return (self.recipe, self.fitted, self.release, self.convert) == (_own, _unchanged, _unchanged, to_graph)

    @property
    def trained(self) -> bool:
        """Whether the fitted model has the fault, so that its loss on later rows is a measure of the harm."""
        return not self.finished and self.convert is to_graph

    def injected(self, fitted: Fitted) -> Fitted:
        """The evaluation model *fitted* and its release model, each trained with the fault."""
        if (self.fitted, self.release) == (_unchanged, _unchanged):
            return fitted
        release = fitted.release
        if release is not None:  # the manifest states all rows of the window
            release = replace(self.release(self.fitted(release)), split=release.split)
        return replace(self.fitted(fitted), release=release)

    def variant(self, random: Random, subject: Subject) -> Fault:
        """The fault with values drawn from *random*: the same ones for the same state of the generator.

        Raises `DoesNotApplyError` if the subject's data cannot have it.
        """
        if self.draw is None:
            return self
        drawn = self.draw(random, subject)
        return replace(
            self,
            what=drawn.what,
            recipe=drawn.recipe,
            served=drawn.served,
            feature=drawn.feature is not None,
            draw=None,
        )


#: Rules that any damage of a model may fail: worse than the champion, than a baseline, than before, than its other fit.
COMPARISON_RULES = ("compare.*", "slice*", "model.gain", "model.degradation", "model.calibration", "release.*")
#: Rules that a change of the incoming data may fail, too.
INPUT_RULES = ("drift.*", "upstream.*", "data.rewritten", "data.lost", "contract.*")
