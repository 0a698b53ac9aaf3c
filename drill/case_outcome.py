"""The gate's answer to a case, and whether it found the fault. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

CaseFields = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """The result of a case: the decision, the rules that failed, those that only warned, the inconclusive ones."""

    decision: str
    said: str
    by: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def outcome(case: CaseFields, answer: Answer, usual: Collection[str] = ()) -> dict[str, Any]:
    """Whether a fault was caught by one of its rules, and which unrelated rules failed.

    *usual* are the rules that fail for the unchanged candidate; they do not count. *named*: whether the verdict's first
    sentence begins with one of the fault's rules.
    """
    by = [rule for rule in answer.by if rule not in usual]
    own = [rule for rule in by if _among(rule, case["rules"])]
    beyond = [rule for rule in by if not _among(rule, (*case["rules"], *case["also"]))]
    warned = [rule for rule in answer.warned if _among(rule, case["rules"])]
    return {
        "family": case["family"],
        "name": case["name"],
        "what": case["what"],
        "decision": answer.decision,
        "caught": bool(own),
        "own": own,
        "also": [rule for rule in by if rule not in own],
        "beyond": beyond,
        "warned": warned,
        "open": list(answer.open),
        "named": (first := answer.said.split(" ")[0]) not in usual and _among(first, case["rules"]),
        "harm": case.get("harm"),
        "needs": case.get("needs", ""),
        "said": answer.said[:400],
    }


def _among(rule: str, patterns: Any) -> bool:
    return any(fnmatch(rule, pattern) for pattern in patterns)
