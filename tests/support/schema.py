"""docs/reference/result-schema.json, and what in a document breaks it."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from support.made_pages import SCHEMA


@functools.cache
def _validator() -> Any:
    schema = json.loads(SCHEMA.read_text())
    kind = pytest.importorskip("jsonschema").validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def violations(document: object) -> list[str]:
    """The JSON paths of what is not as the schema has it."""
    return [error.json_path for error in _validator().iter_errors(document)]
