"""Second looks at the verdicts of earlier nights whose missing outcomes have come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from checks.evidence import Evidence, cannot_read, gather
from checks.gate_inputs import GateInputs, PastVerdict
from checks.late_outcomes.second_look import Rule, SecondLook, late_outcomes, second_look


@dataclass(frozen=True)
class LookedAgain:
    """The second *looks* of a night, and why others could not be had."""

    looks: tuple[SecondLook, ...] = ()
    failed: tuple[str, ...] = ()


def looked_again(
    past: Sequence[PastVerdict], candidate: Bundle, rule: Callable[[GateInputs, Evidence], Rule]
) -> LookedAgain:
    """The verdicts of *past* again, with the late outcomes of tonight's *candidate*.

    *rule* is the comparison of an earlier night. What cannot be read is said, and changes nothing tonight.
    """
    looks, failed = [], []
    for each in past:
        try:
            looks.append(_look(each, candidate, rule))
        except Exception as error:  # old bundles of any shape: tonight's verdict does not depend on them
            failed.append(
                f"The verdict of {each.verdict.night[:10]} on {each.verdict.candidate} could not be looked at again: {error}."
            )
    return LookedAgain(tuple(looks), tuple(failed))


def _look(past: PastVerdict, candidate: Bundle, rule: Callable[[GateInputs, Evidence], Rule]) -> SecondLook:
    inputs, late = past.inputs, late_outcomes(candidate)
    if inputs is None or late is None:
        raise BundleError(past.why)
    if other := cannot_read(inputs.candidate.contract, candidate.contract, "judged model"):
        raise BundleError(other)
    then = gather(inputs.candidate, inputs.champion)
    if then.unreadable or not then.fresh.any():
        raise BundleError(then.unreadable or "no row of its holdout is later than all training rows")
    return second_look(past.verdict, then, late, rule(inputs, then))
