"""The published description of the API.

Bodies are read strictly by hand and answers leave as bytes, so the framework does not know their schemas;
they are put into the document here, from the same pydantic models that check them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.problem import Problem
from service.problems import MEDIA_TYPE

Document = dict[str, Any]

_REF = "#/components/schemas/{model}"
_PROBLEM = {"$ref": _REF.format(model="Problem")}
_BODIES: dict[str, type[BaseModel]] = {}


def body_of(schema: type[BaseModel]) -> Document:
    """A required JSON body of this schema, for a route's `openapi_extra`."""
    _BODIES[schema.__name__] = schema
    content = {"application/json": {"schema": {"$ref": _REF.format(model=schema.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def registration_body() -> Document:
    """The multipart body of a registration."""
    part = {"type": "string", "format": "binary"}
    schema = {
        "type": "object",
        "required": ["manifest", "artifact", "reference"],
        "properties": {
            "manifest": {**part, "description": "manifest, version 1, as JSON or YAML"},
            "artifact": {**part, "description": "the model's own file"},
            "reference": {**part, "description": "CSV or Parquet, one column per feature"},
        },
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def describe(app: FastAPI) -> Document:
    """The whole document; every operation may also answer with a problem."""
    document: Document = get_openapi(
        title="Ofrecord",
        version="1",
        summary="Explanations of record: exact reasons and counterfactuals, committed to a provable log.",
        routes=app.routes,
    )
    bodies: list[type[BaseModel]] = [*_BODIES.values(), Problem]
    _, definitions = models_json_schema([(schema, "validation") for schema in bodies], ref_template=_REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components.update(definitions.get("$defs", {}))
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    for operation in _operations(document):
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = {
            "description": "a problem document (RFC 9457)",
            "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
        }
    return document


def written(document: Document) -> bytes:
    """The document as it is kept in `docs/`: one line per path and schema, so that a change shows as one."""
    lines = [b"{"]
    rest = {name: value for name, value in document.items() if name not in ("paths", "components")}
    lines += [_member(name, rest[name]) + b"," for name in sorted(rest)]
    lines += [b'"paths":{', *_members(document["paths"]), b"},"]
    lines += [
        b'"components":{"securitySchemes":'
        + _sorted(document["components"]["securitySchemes"])
        + b',"schemas":{'
    ]
    lines += [*_members(document["components"]["schemas"]), b"}}", b"}", b""]
    return b"\n".join(lines)


def _members(value: Document) -> list[bytes]:
    members = [_member(name, value[name]) for name in sorted(value)]
    return [member + b"," for member in members[:-1]] + members[-1:]


def _member(name: str, value: object) -> bytes:
    return orjson.dumps(name) + b":" + _sorted(value)


def _sorted(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _operations(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        yield from path.values()
