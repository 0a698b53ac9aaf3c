"""Prometheus' text format, version 0.0.4: families of samples as the text that it scrapes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Family:
    """Series of one name. A histogram's values are its buckets, what is above them, and the sum."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()
    samples: list[Sample] = field(default_factory=list)

    def add(
        self, value: float | Sequence[float], *labels: str, bounds: Sequence[float] = ()
    ) -> None:
        """One more series, with the values of its labels."""
        values = tuple(value) if isinstance(value, Sequence) else (value,)
        self.samples.append(Sample(labels, tuple(values), tuple(bounds)))


@dataclass(frozen=True)
class Sample:
    """One series of a family."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    bounds: tuple[float, ...] = ()


def exposed(families: Iterable[Family]) -> str:
    """The text; a family without samples is left out."""
    return "".join(line + "\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterable[str]:
    if not family.samples:
        return
    yield f"# HELP {family.name} {_escaped(family.says)}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in sorted(family.samples, key=lambda one: one.labels):
        labels = dict(zip(family.labels, sample.labels, strict=True))
        if family.kind != "histogram":
            yield _line(family.name, labels, sample.values[0])
            continue
        *buckets, total = sample.values
        below = 0.0
        for bound, count in zip([*sample.bounds, math.inf], buckets, strict=True):
            below += count
            yield _line(family.name + "_bucket", {**labels, "le": _number(bound)}, below)
        yield _line(family.name + "_sum", labels, total)
        yield _line(family.name + "_count", labels, below)


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{label}="{_escaped(text, quoted=True)}"' for label, text in labels.items())
    return f"{name}{{{said}}} {_number(value)}" if said else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    text = text.replace('"', '\\"') if quoted else text
    return text.encode("utf-8", "replace").decode()
