"""docs/result-schema.json, and what in a document breaks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "docs/result-schema.json"


def violations(document: object) -> list[str]:
    """The JSON paths of what is not as the schema has it."""
    schema = json.loads(FILE.read_text())
    validators = pytest.importorskip("jsonschema").validators
    kind = validators.validator_for(schema)
    kind.check_schema(schema)
    return [error.json_path for error in kind(schema).iter_errors(document)]
