"""Write a recipe for a table, from a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model.new_recipe.recipe_commit import committed
from model.new_recipe.recipe_draft import Asked, Choose, Draft, draft
from model.new_recipe.recipe_text import described, recipe_text
from model.new_recipe.source_table import SourceError, SourceTable


def refuse_to_lose(file: Path, replace: bool) -> None:
    """Raise `SourceError` if *file* has what git does not have, and is not to be replaced."""
    if file.exists() and not (replace or committed(file)):
        raise SourceError(f"{file} has changes that git does not have; commit them, or type --replace (replace=True)")


def write_recipe(
    table: SourceTable, name: str, asked: Asked, choose: Choose, file: Path, say: Callable[[str], None]
) -> Draft:
    """Write the recipe for *table* to *file*, and *say* what was decided. Raises `SourceError`."""
    found = draft(name, table, asked, choose)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(recipe_text(found), encoding="utf-8")
    for line in described(found):
        say(line)
    say(f"recipe: {file}; look over its comments")
    return found
