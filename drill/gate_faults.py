"""Faults of the gate itself, injected while one candidate is judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from checks.rules import deepchecks_suite, registry


@contextmanager
def sabotaged(how: str) -> Iterator[None]:
    """Break one part of the gate (`crash`, `skip`, `crash_own`), or none."""
    run = deepchecks_suite.run

    def crash(evidence: Any, rules: Any, *more: Any, **named: Any) -> Any:
        class Crashes(type(rules[0].check)):  # type: ignore[misc]
            def run_logic(self, *_: Any, **__: Any) -> Any:
                raise RuntimeError("a drill")

        return run(evidence, [replace(rules[0], check=_like(Crashes, rules[0])), *rules[1:]], *more, **named)

    def skip(evidence: Any, rules: Any, *more: Any, **named: Any) -> Any:
        return run(evidence, rules[1:], *more, **named)

    if how in ("crash", "skip"):
        with patch.object(deepchecks_suite, "run", {"crash": crash, "skip": skip}[how]):
            yield
    elif how == "crash_own":

        def raises(*_: Any) -> Any:
            raise RuntimeError("a drill")

        with patch.dict(registry.RULES, {"leak.solo": raises}):
            yield
    else:
        yield


def _like(kind: Any, rule: Any) -> Any:
    check = kind()
    for condition in rule.check._conditions.values():  # noqa: SLF001 -- there is no public way
        check.add_condition(condition.name, condition.function)
    return check
