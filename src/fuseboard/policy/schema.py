"""The JSON Schema of a policy file, from the same tables that the loader reads by.

It is for editors: what it refuses the loader refuses too, and it cannot say everything that the
loader says (contradictions, the largest duration, the inside of a condition).
"""

from typing import Any

from fuseboard.policy.loader import FILE
from fuseboard.policy.shapes import Either, Items, Open, Section, Shape, Value


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of the document that YAML makes of a policy file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Fuseboard policy",
        "minProperties": 1,
        **_schema(FILE, "#"),
    }


def _schema(shape: Shape, at: str) -> dict[str, Any]:
    """The schema of a shape; `at` is the pointer at which it stands."""
    schema = _bare(shape, at)
    about = shape.about
    if isinstance(shape, Value):
        about = f"{about} Written as {shape.unit.says}.".strip()
    return {"description": about, **schema} if about else schema


def _bare(shape: Shape, at: str) -> dict[str, Any]:
    if isinstance(shape, Value):
        return shape.unit.schema
    if isinstance(shape, Items):
        return {
            "type": "array",
            "items": _schema(shape.item, f"{at}/items"),
            "minItems": shape.least,
            "maxItems": shape.most,
        }
    if isinstance(shape, Open):
        return {
            "type": "object",
            "additionalProperties": _schema(shape.value, f"{at}/additionalProperties"),
            "maxProperties": shape.most,
        }
    if isinstance(shape, Either):
        ways = [part for part in (shape.word, shape.items, shape.keys) if part is not None]
        return {"anyOf": [_schema(way, f"{at}/anyOf/{turn}") for turn, way in enumerate(ways)]}
    return _section(shape, at)


def _section(shape: Section, at: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    once: list[dict[str, Any]] = []
    for key, below in shape.keys.items():
        place = f"{at}/properties/{key}"
        properties[key] = _schema(below, place)
        properties.update({alias: {"$ref": place} for alias in below.aliases})
        spelled = [{"required": [spelling]} for spelling in (key, *below.aliases)]
        if key in shape.required:
            once.append({"oneOf": spelled})
        elif below.aliases:
            # At most one of the spellings.
            once.append({"oneOf": [*spelled, {"not": {"anyOf": spelled}}]})
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "allOf": once} if once else schema
