"""Recipes, training, export to ONNX, and proposals of models.

`from model import init` writes a recipe for a data frame (`model.new_recipe.notebook`).
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: it needs all of training, and packages that the scorer's environment does not have.
    if name == "init":
        return import_module("model.new_recipe.notebook").init
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
