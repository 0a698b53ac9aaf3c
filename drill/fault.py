"""A fault: where it is put in, and which rules should say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from drill.thinned_recipe import Change, Subject
from model.onnx_export.export import to_graph
from model.train import Fitted


class DoesNotApplyError(Exception):
    """The user's data cannot have the fault. The message says why."""


def _own(subject: Subject) -> SimpleNamespace:
    return subject.recipe


def _unchanged(fitted: Fitted) -> Fitted:
    return fitted


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    *rules* are patterns of the rules for which it should be caught, any one of them; *also* of those
    that may fail beside, since the fault fairly concerns them. The rest says where it is put in: the
    recipe, the fitted model, its graph, the finished bundle, or the gate itself (a name of
    `drill.gate_faults`).
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
        """Whether it is put into the finished bundle, or later: what was learnt has no fault."""
        return (self.recipe, self.fitted, self.convert) == (_own, _unchanged, to_graph)


def rows(change: Change) -> Callable[[Subject], SimpleNamespace]:
    """A recipe whose rows are changed."""
    return lambda subject: subject.changed(change)


#: What anything that spoils a model may show in: worse than the champion, than guessing, than before.
WORSE = ("compare.*", "slice*", "model.gain", "model.degradation", "model.calibration")
#: What a change of the incoming data may show in besides.
MOVED = ("drift.*", "upstream.*", "data.rewritten", "data.lost", "contract.*")
