"""Recipes, training, export to ONNX, and proposals of models.

`from model import init` writes a recipe for a data frame (`model.new_recipe.notebook`).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: it needs all of training.
    if name == "init":
        from model.new_recipe.notebook import init  # noqa: PLC0415

        return init
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
