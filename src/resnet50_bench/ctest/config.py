"""A ``--config`` file (YAML: case-name globs with parameters below them) -> parameter texts of a case.

    "*_gated":
      BATCH_SIZE: 4
    "*_amx_int8*":
      CORES_PER_INSTANCE: 14

Every glob that matches a case applies; a later one in the file beats an earlier one.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from ..case.parameters import CATALOGUE, nearest
from ..errors import BadInput
from ..stack.yaml_files import load_yaml

#: (glob, parameter texts) in the file's order.
Rules = Sequence[tuple[str, dict[str, str]]]


def read_config(path: Path) -> Rules:
    """The file's rules. Raises BadInput for anything but globs with parameters below them."""
    rules = []
    for document in load_yaml(path):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise BadInput(f"{path}: globs with parameters below them are expected, not a {type(document).__name__}")
        rules += [(str(glob), _texts(path, str(glob), parameters)) for glob, parameters in document.items()]
    return rules


def _texts(path: Path, glob: str, parameters: object) -> dict[str, str]:
    if not isinstance(parameters, dict):
        raise BadInput(f"{path}: below {glob!r} NAME: VALUE lines are expected")
    bad = [f"{path}: {name} below {glob!r} is not a parameter{nearest(str(name), tuple(CATALOGUE))}"
           for name in parameters if name not in CATALOGUE]
    bad += [f"{path}: {name} below {glob!r} has no single value" for name, value in parameters.items()
            if isinstance(value, list | dict)]
    if bad:
        raise BadInput(*bad)
    return {name: text_of(value, f"{path}: {name} below {glob!r}") for name, value in parameters.items()}


def text_of(value: object, place: str) -> str:
    """A YAML scalar as a parameter's text; nothing is the default. Raises BadInput for a number without end."""
    try:
        return "" if value is None else str(value)
    except ValueError as error:  # CPython refuses to write integers of more than 4,300 digits
        raise BadInput(f"{place} has no usable value: {error}") from error


def texts_for(rules: Rules, case_name: str) -> dict[str, str]:
    """The parameter texts that the rules give a case; ``case_name`` as ctest lists it."""
    short = case_name.removeprefix("test_")
    texts: dict[str, str] = {}
    for glob, parameters in rules:
        if fnmatch.fnmatchcase(case_name, glob) or fnmatch.fnmatchcase(short, glob):
            texts |= parameters
    return texts
