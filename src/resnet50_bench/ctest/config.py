"""A ``--config`` file (YAML: case-name globs with parameters below them) -> parameter texts of a case.

    "*_gated":
      BATCH_SIZE: 4
    "*_amx_int8*":
      CORES_PER_INSTANCE: 14

Every glob that matches a case applies; a later one in the file beats an earlier one. A glob may be for another
platform's cases, but one that matches no case of any is a mistyped one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import WORKLOAD
from ..case import globs as case_globs
from ..case.case import words_choosing
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..spelling import nearest

#: How many cases a notice names.
_MOST_NAMED = 6
#: (glob, parameter texts) in the file's order.
Rules = Sequence[tuple[str, dict[str, str]]]


def read_config(path: Path) -> Rules:
    """The file's rules. Raises BadInput with a line for each thing that is wrong."""
    from ..stack.yaml_files import load_yaml  # these need more than Python's own library
    from .typed import decoded

    rules = []
    bad: list[str] = []
    for document in load_yaml(path):
        if document is None:
            continue
        globs = decoded(str(path), document, dict[object, object], "globs with parameters below them")
        for glob, below in globs.items():
            if wrong := case_globs.refusal(str(glob)):
                bad.append(f"{path}: {wrong}")
            try:
                rules.append((str(glob), _texts(f"{path}: below {str(glob)!r}", below)))
            except BadInput as error:
                bad += error.violations
    if bad:
        raise BadInput(*bad)
    return rules


def _texts(place: str, below: object) -> dict[str, str]:
    from .typed import Scalar, decoded, text_of

    parameters: dict[object, object] = decoded(place, below, dict[object, object], "NAME: VALUE lines")
    texts: dict[str, str] = {}
    bad: list[str] = []
    for name, value in parameters.items():
        if name not in CATALOGUE:
            bad.append(f"{place}: {name} is not a parameter{nearest(str(name), CATALOGUE)}")
            continue
        try:
            text = text_of(f"{place}: {name}", decoded(f"{place}: {name}", value, Scalar, "a single value"))
            texts[str(name)] = text
            if text:
                CATALOGUE[str(name)].parse(text)
        except BadInput as error:
            bad += error.violations
        except ValueError as error:
            bad.append(f"{place}: {name}={text!r} {error}")
    if bad:
        raise BadInput(*bad)
    return texts


def texts_for(rules: Rules, option: str) -> dict[str, str]:
    """The parameter texts that the rules give a case."""
    texts: dict[str, str] = {}
    for glob, parameters in rules:
        if case_globs.matches(glob, option):
            texts |= parameters
    return texts


def config_notice(path: Path | None, rules: Rules, cases: Sequence[str]) -> str:
    """A line on cases that run although the file has nothing for them; empty if there are none."""
    meant = [name for name in cases if any(case_globs.matches(glob, name) for glob, _ in rules)]
    if path is None or len(meant) == len(cases):
        return ""
    alone = f"; to run only those: {words_choosing(options)}" if (options := [
        name.removeprefix(f"test_{WORKLOAD}_") for name in meant]) and len(options) <= _MOST_NAMED else ""
    return f"NOTICE: {path} has parameters for {len(meant)} of the {len(cases)} cases that run{alone}"
