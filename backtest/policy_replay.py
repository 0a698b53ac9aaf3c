"""Replay the nights under several policies at once: each verdict is asked for once, whichever policies need it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backtest.night_judgement import Judgement, Question
from backtest.policies import Policy

#: What a policy does with a night's candidate, where the gate gives no verdict.
LAND, KEEP, NO_MODEL = "LAND", "KEEP", "NO MODEL"
#: The policy, the night, the champion's night, and the policy's notes so far -> what the gate is asked.
Ask = Callable[[Policy, int, int, tuple[str, ...]], Question]
Answer = Callable[[Sequence[Question]], Sequence[Judgement]]


@dataclass(frozen=True)
class Step:
    """What a policy did on a night: the *champion* until then and the model that is *live* after it, by their nights.

    *stopping* are the rules that rejected or held the candidate, *summary* is the verdict's.
    """

    night: int
    champion: int
    live: int
    decision: str
    summary: str = ""
    stopping: tuple[str, ...] = ()

    @property
    def landed(self) -> bool:
        """Whether the night's candidate replaced the champion."""
        return self.live != self.champion


@dataclass
class PolicyPath:
    """What a policy did so far. Every policy begins with the first night's model, which stays its anchor."""

    policy: Policy
    first: int
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def champion(self) -> int:
        """The night of the model that is live."""
        return self.steps[-1].live if self.steps else self.first

    @property
    def live(self) -> list[int]:
        """For each period from the first night on, the night of the model that served."""
        return [self.first, *(step.live for step in self.steps)]


def replay(
    policies: Sequence[Policy],
    models: Sequence[bool],
    monthly: Sequence[bool],
    ask: Ask,
    answer: Answer,
    progress: Callable[[str], None] = lambda _: None,
) -> list[PolicyPath]:
    """The path of each policy over the nights.

    *models* says which nights have a model (the first must), *monthly* which are the first of a month.
    """
    paths = [PolicyPath(policy, 0) for policy in policies]
    for night in range(1, len(models)):
        asking = [path for path in paths if path.policy.kind == "gate"] if models[night] else []
        questions = {id(path): ask(path.policy, night, path.champion, tuple(path.notes)) for path in asking}
        distinct = {question.key: question for question in questions.values()}
        answers = dict(zip(distinct, answer([*distinct.values()]), strict=True))
        for path in paths:
            question = questions.get(id(path))
            judgement = answers[question.key] if question else None
            path.steps.append(_step(path, night, models[night], monthly[night], judgement))
            path.notes += judgement.notes if judgement else ()
        decided = ", ".join(f"{path.policy.name} {path.steps[-1].decision}" for path in paths if path in asking)
        progress(decided or "no verdict is needed")
    return paths


def _step(path: PolicyPath, night: int, model: bool, monthly: bool, judgement: Judgement | None) -> Step:
    champion = path.champion
    if not model:
        return Step(night, champion, champion, NO_MODEL)
    if judgement:
        live = night if judgement.decision == "PROMOTE" else champion
        return Step(night, champion, live, judgement.decision, judgement.summary, tuple(judgement.stopping))
    land = {"never": False, "always": True, "monthly": monthly}[path.policy.kind]
    return Step(night, champion, night if land else champion, LAND if land else KEEP)
