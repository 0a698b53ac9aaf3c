"""A fault: where it is injected, and which rules should find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from drill.thinned_recipe import Change, Subject
from model.onnx_export.export import to_graph
from model.train import Fitted


class DoesNotApplyError(Exception):
    """The user's data cannot have this fault. The message says why."""


def _own(subject: Subject) -> SimpleNamespace:
    return subject.recipe


def _unchanged(fitted: Fitted) -> Fitted:
    return fitted


@dataclass(frozen=True)
class Fault:
    """One fault.

    *rules* are patterns of the rules of which at least one should fail; *also* of those that may fail, too. The other
    fields say where it is injected: the recipe, the fitted model, its graph, the finished bundle, or the gate itself (a
    name of `drill.gate_faults`).
    """

    name: str
    what: str
    rules: tuple[str, ...]
    also: tuple[str, ...] = ()
    recipe: Callable[[Subject], SimpleNamespace] = _own
    fitted: Callable[[Fitted], Fitted] = _unchanged
    convert: Callable[[Fitted], bytes] = to_graph
    bundle: Callable[[Path], Path] = lambda folder: folder
    gate: str = ""

    @property
    def finished(self) -> bool:
        """Whether it is injected into the finished bundle, or later: the trained model has no fault."""
        return (self.recipe, self.fitted, self.convert) == (_own, _unchanged, to_graph)


def rows(change: Change) -> Callable[[Subject], SimpleNamespace]:
    """A recipe whose rows are changed."""
    return lambda subject: subject.changed(change)


#: Rules that any damage of a model may fail: worse than the champion, than a baseline, than before.
WORSE = ("compare.*", "slice*", "model.gain", "model.degradation", "model.calibration")
#: Rules that a change of the incoming data may fail, too.
MOVED = ("drift.*", "upstream.*", "data.rewritten", "data.lost", "contract.*")
