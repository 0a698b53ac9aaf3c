"""Fifty clean candidates: other seeds, windows and recipes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

from drill.thinned_recipe import Subject, again, plain

COUNT = 50
#: How many other selections of rows there are.
ROWS = 16
#: Settings of the trees of other recipes, all of them reasonable.
SETTINGS: tuple[dict[str, object], ...] = (
    {"max_iter": 60},
    {"max_iter": 120, "learning_rate": 0.06},
    {"max_leaf_nodes": 7, "max_iter": 150},
    {"max_leaf_nodes": 31, "learning_rate": 0.05},
    {"min_samples_leaf": 100},
    {"l2_regularization": 20.0},
    {"max_bins": 63},
)


def candidates(subject: Subject) -> Iterator[tuple[str, Subject, SimpleNamespace | None]]:
    """Name, subject, and recipe (None for the user's) of each: other rows, windows and settings in turn.

    Several share a salt and so their rows, so that they share a champion.
    """
    others = [replace(subject, salt=f"{subject.salt} rows {n}") for n in range(ROWS)]
    for n in range(COUNT):
        turn, kind = divmod(n, 3)
        other, settings = others[turn % ROWS], SETTINGS[turn % len(SETTINGS)]
        if kind == 0:
            yield f"other rows and seed {turn}", other, _seeded(other, turn)
        elif kind == 1:
            weeks = turn + 1
            yield f"window {weeks} weeks ago", replace(subject, today=subject.today - timedelta(days=7 * weeks)), None
        elif turn < 2 * len(SETTINGS):
            yield f"recipe: trees with {settings}, {turn}", other, _trees(other, settings)
        else:
            slow: dict[str, object] = {"max_iter": 200, "learning_rate": 0.03, "random_state": turn}
            yield f"recipe: a slow learner, {turn}", other, _trees(other, slow)


def _seeded(subject: Subject, seed: int) -> SimpleNamespace:
    recipe = subject.recipe
    make = recipe.estimator

    def estimator() -> object:
        made = make()
        made.set_params(**{name: seed for name in made.get_params() if name.endswith("random_state")})
        return made

    recipe.estimator = estimator
    return recipe


def _trees(subject: Subject, settings: dict[str, object]) -> SimpleNamespace:
    contract = again(subject.contract)
    return subject.changed(lambda frame, _: frame, estimator=lambda: plain(contract, **settings))
