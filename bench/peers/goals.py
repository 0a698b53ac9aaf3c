"""The goals, and whether each is met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.peers.server_results import Results

#: Why answers are slower during a swap of models.
SWAPPING = (
    "; a model is verified in a separate process, but its session is created in the worker:"
    " answers wait while that holds the interpreter"
)
#: Why a shadow still has an effect.
SHADOW = "; it scores in a separate process of the lowest priority, on the same two cores, caches and memory"


@dataclass(frozen=True)
class Goal:
    """A figure with a lower or an upper bound."""

    what: str
    found: float | None
    wanted: float
    unit: str
    at_least: bool = False
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it is met; None if it was not measured."""
        if self.found is None:
            return None
        return self.found >= self.wanted if self.at_least else self.found <= self.wanted

    def row(self) -> str:
        """A row of the table."""
        bound = f"{'at least' if self.at_least else 'at most'} {_shown(self.wanted, self.unit)}"
        if self.found is None:
            return f"| {self.what} | {bound} | not measured | | {self.why} |"
        off = abs(self.found / self.wanted - 1)
        words = "met" if self.met else f"**missed** by {off:.0%}"
        return f"| {self.what} | {bound} | {_shown(self.found, self.unit)} | {words} | {self.why} |"


def goals(results: Results) -> list[Goal]:
    """Every goal, as decided in docs/explanation/decisions/http-server.md."""
    ours = results.cpu("ours")
    best_scikit = results.best(("scikit-learn", "untuned"))
    best_onnx = results.best(("onnx",))
    bare = results.best(("floor",))
    floor = results.floor_one + bare[1] if bare else None
    return [
        Goal(
            f"CPU µs of the best server of the scikit-learn model ({_name(best_scikit)}), over ours",
            _over(best_scikit, ours),
            40,
            "times",
            at_least=True,
            why="the best at 8 connections of all, those with one OpenMP thread included",
        ),
        Goal(
            f"CPU µs of the best Python server of the same ONNX file ({_name(best_onnx)}), over ours",
            _over(best_onnx, ours),
            1.5,
            "times",
            at_least=True,
            why="each of ours is received, checked, journalled, counted and sent, which is mostly Python",
        ),
        Goal(
            "CPU µs of ours, over the cheaper bare server and one `InferenceSession.run` of the released graph",
            ours / floor if ours and floor else None,
            2,
            "times",
            why=_sum(results),
        ),
        Goal(
            "CPU µs of a list of 1,000 rows, over a run of the released graph beside it",
            results.extra.get("lists"),
            2,
            "times",
            why=results.notes.get("lists", ""),
        ),
        Goal(
            "installed size (`du` of the scorer's environment)",
            results.extra.get("installed"),
            175,
            "MB",
            why=results.notes.get("installed", ""),
        ),
        Goal("start until `/ready` says yes (median)", results.extra.get("ready"), 1, "s"),
        Goal(
            "memory of a worker after the load (RSS)",
            results.extra.get("resident"),
            90,
            "MB",
            why="the largest worker, shared pages counted in full",
        ),
        Goal(
            "p50 at 8 connections with a shadow, over that without",
            results.extra.get("shadow"),
            1.1,
            "times",
            why=results.notes.get("shadow", "") + SHADOW,
        ),
        Goal(
            "p99 with 50 swaps under load, over the quiet p99",
            results.extra.get("swaps"),
            3,
            "times",
            why=results.notes.get("swaps", "") + SWAPPING,
        ),
    ]


def table(found: Iterable[Goal]) -> list[str]:
    """The lines of the goals' table."""
    head = ["| goal | wanted | found | | |", "|---|---|---:|---|---|"]
    return head + [goal.row() for goal in found]


def _over(best: tuple[str, float] | None, ours: float | None) -> float | None:
    return best[1] / ours if best and ours else None


def _name(best: tuple[str, float] | None) -> str:
    return f"{best[0]}, {best[1]:,.0f}" if best else "none was measured"


def _sum(results: Results) -> str:
    best, ours = results.best(("floor",)), results.cpu("ours")
    if not best or not ours:
        return ""
    bare = best[1]
    words = f"{ours:.0f} over {bare:.0f} + {results.floor_one:.0f}"
    core = results.floor.get("core 1")
    if core:
        words += f"; with the run of the faster core ({core['cpu']:.0f}) it would be"
        words += f" {ours / (bare + core['cpu']):.1f} times"
    return words


def _shown(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"
    return f"{number} {unit}"
