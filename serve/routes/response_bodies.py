"""Bodies of answers that are the same for every model. `/openapi.json` takes their schemas from here."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, defstruct


class Tensor(Struct):
    """An input or an output of the model; -1 in its shape is the number of rows."""

    name: str
    datatype: str
    shape: list[int]


class Output(Tensor):
    """The values of an output, row after row."""

    data: list[Any]


class Wrong(Struct, kw_only=True):
    """A problem of a field; the first row has the number 0."""

    row: int | UnsetType = UNSET
    field: str
    expected: str
    got: str


class Problem(Struct):
    """Problem details (RFC 9457), with a problem for each invalid field, and the first one as `error`."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    problems: list[Wrong] | UnsetType = UNSET


Accepted = defstruct("Accepted", [("accepted", int)])
Live = defstruct("Live", [("live", bool)])
Ok = defstruct("Ok", [("ok", bool)])
Ready = defstruct("Ready", [("ready", bool)])
ModelReady = defstruct("ModelReady", [("name", str), ("ready", bool)])
State = defstruct("State", [("ready", bool), ("version", str | None), ("since", str | None)])
Server = defstruct("Server", [("name", str), ("version", str), ("extensions", list[str])])
Inferred = defstruct("Inferred", [("model_name", str), ("outputs", list[Output])])
Model = defstruct(
    "Model",
    [("name", str), ("versions", list[str]), ("platform", str), ("inputs", list[Tensor]), ("outputs", list[Tensor])],
)
FIXED = (Accepted, Inferred, Live, Model, ModelReady, Ok, Problem, Ready, Server, State)
