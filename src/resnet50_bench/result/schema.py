"""The types of a result -> the JSON Schema (2020-12) of its file, for programs that read results."""

from __future__ import annotations

import json
from typing import Literal

import msgspec

from .result import SCHEMA_VERSION, Result


class ResultDocument(Result, kw_only=True):
    """A result file. Keys that are not named here may be added without a new ``schema_version``; what was not
    measured, or cannot be read on the machine, is absent or null. Numbers that are not finite stand as NaN."""

    # "resnet50-bench-result": result.SCHEMA, which a Literal cannot be made of
    schema: Literal["resnet50-bench-result"]
    schema_version: Literal[SCHEMA_VERSION]  # type: ignore[valid-type]


def text() -> str:
    """The schema as a JSON text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "resnet50-bench result",
              **msgspec.json.schema(ResultDocument)}
    return json.dumps(_on_one_line(schema), indent=1) + "\n"


def _on_one_line(schema: object) -> object:
    """Docstrings without their line ends and indents, which not every Python keeps."""
    if isinstance(schema, dict):
        return {key: " ".join(value.split()) if key == "description" and isinstance(value, str) else _on_one_line(value)
                for key, value in schema.items()}
    return [_on_one_line(item) for item in schema] if isinstance(schema, list) else schema
