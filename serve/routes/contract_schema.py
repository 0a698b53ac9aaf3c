"""A contract as JSON Schema: the schemas of requests and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.json import schema

from contracts.row_contract import MAX_FLOAT32, MAX_TEXT_LENGTH, Contract, Feature, Label, Target
from serve.routes.tensors import columns
from serve.scoring.answer_lines import RESPONSES
from serve.scoring.validation import MAX_ID_LENGTH, takes_ids

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH, "pattern": r"^[^\u0000]+$"}
TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-23T03:17:00Z"]}
ID: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "pattern": "^[ -~]+$"}


def row(contract: Contract) -> Schema:
    """The schema of a row."""
    properties = {feature.name: value(feature) for feature in contract.features}
    properties[contract.key] = _or_null(
        TEXT | {"description": "Whose row it is: the same key gets the same variant. Without it, the id is the key."}
    )
    properties[contract.time] = _or_null(
        TIME | {"description": "The time that the row is about. Without it, the present."}
    )
    if takes_ids(contract):
        properties["id"] = _or_null(
            ID | {"description": "Your id of the row, which its outcome refers to; unique within a list."}
        )
    return {
        "type": "object",
        "description": contract.description or f"What {contract.name} looks at.",
        "required": [feature.name for feature in contract.features if not feature.nullable],
        "properties": properties,
    }


def value(feature: Feature) -> Schema:
    """The schema of a value of *feature*."""
    found: Schema = {"type": feature.kind}
    if feature.kind == "number":
        low = -MAX_FLOAT32 if feature.minimum is None else feature.minimum
        high = MAX_FLOAT32 if feature.maximum is None else feature.maximum
        found |= {"minimum": max(low, -MAX_FLOAT32), "maximum": min(high, MAX_FLOAT32)}
    elif feature.kind == "category":
        found = {"type": "string", "enum": list(feature.choices)} if feature.choices else dict(TEXT)
    unit = f" ({feature.unit})" if feature.unit else ""
    if feature.description or unit:
        found["description"] = feature.description + unit
    return _or_null(found) if feature.nullable else found


def answer(contract: Contract) -> Schema:
    """The schema of the answer to a row."""
    found: Schema = schema(RESPONSES[contract.task])["$defs"][RESPONSES[contract.task].__name__]
    properties, words = found["properties"], {"description": _words(contract.target)}
    share = {"minimum": 0, "maximum": 1}
    if contract.task == "regression":
        properties["value"] |= words
    else:
        properties["score"] |= share
        properties["label"] = label(contract.target.classes) | words
    if contract.task == "multiclass":
        properties["probabilities"]["additionalProperties"] |= share
    return found


def outcome(contract: Contract) -> Schema:
    """The schema of an outcome."""
    target = contract.target
    outcome: Schema = {"type": "number", "minimum": -MAX_FLOAT32, "maximum": MAX_FLOAT32}
    if target.classes:
        outcome = label(target.classes)
    else:
        outcome |= {} if target.minimum is None else {"minimum": target.minimum}
        outcome |= {} if target.maximum is None else {"maximum": target.maximum}
    return record(id=ID, outcome=outcome | {"description": _words(target)})


def label(classes: Sequence[Label]) -> Schema:
    """The schema of a label, one of *classes*."""
    kinds = {bool: "boolean", int: "integer", str: "string"}
    return {"type": sorted({kinds[type(each)] for each in classes}), "enum": list(classes)}


def tensors(contract: Contract) -> Schema:
    """The schema of a request of the Open Inference Protocol."""
    values = {feature.name: value(feature) for feature in contract.features}
    shape = {"type": "array", "items": {"type": "integer"}, "examples": [[1, 1]]}
    named = [
        record(
            name={"const": name},
            datatype={"type": "string", "examples": [kind]},
            shape=shape,
            data={"type": "array", "items": values.get(name, {})},
        )
        for name, kind, _ in columns(contract)
    ]
    found = record(inputs={"type": "array", "minItems": 1, "items": {"anyOf": named}})
    found["properties"] |= {
        "id": {"type": ["string", "null"]},
        "outputs": {"type": ["array", "null"], "items": record(name={"enum": ["score"]})},
    }
    return found


def record(**properties: Schema) -> Schema:
    """The schema of an object in which all *properties* are required."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _or_null(schema: Schema) -> Schema:
    found = schema | {"type": [schema["type"], "null"]}
    return found | {"enum": [*schema["enum"], None]} if "enum" in schema else found


def _words(target: Target) -> str:
    return (target.description or target.name) + (f" ({target.unit})" if target.unit else "")
