"""The steps of the gate that take time, of which one may end with an error without taking the verdict with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from checks.verdict import Finding

T = TypeVar("T")


class Steps:
    """Runs the steps of `measure`: one that ends with an error of any kind could not be checked, which is not a pass."""

    def __init__(self) -> None:
        self.failed: list[Finding] = []

    def run(self, name: str, step: Callable[[], T], without: Any) -> T:
        """What *step* returns, or *without* and a finding `measured.<name>` after an error."""
        try:
            return step()
        except Exception as error:  # data of any shape: the report must still say what was found
            why = "What the rules read was not measured, so nothing is known of it."
            said = f"{type(error).__name__}: {error}"
            self.failed.append(Finding(f"measured.{name}", "NOT_RUN", said, "the step must end without an error", why))
            instead: T = without
            return instead
