"""A ``--config`` file (YAML: case-name globs with parameters below them) -> parameter texts of a case.

    "*_gated":
      BATCH_SIZE: 4
    "*_amx_int8*":
      CORES_PER_INSTANCE: 14

Every matching glob applies. A later one in the file overrides an earlier one. A glob may match another platform's
cases only. A glob that matches no case of any platform is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from .. import WORKLOAD
from ..case import globs as case_globs
from ..case.case import words_choosing
from ..case.parameters import wrong_values
from ..errors import BadInput

#: The most cases that a notice names.
_MOST_NAMED = 6
#: (glob, parameter texts) in the file's order.
Rules = Sequence[tuple[str, dict[str, str]]]


def read_config(path: Path) -> Rules:
    """Read the rules. Raises BadInput with a line for each error."""
    import msgspec  # these need more than Python's own library

    from ..yaml_files import Value, decoded, load_yaml, text_of

    wanted = Annotated[dict[str, dict[str, Value]], msgspec.Meta(description="globs with parameters below them")]
    rules = []
    bad: list[str] = []
    for document in load_yaml(path):
        for glob, below in decoded(str(path), document or {}, wanted).items():
            if wrong := case_globs.refusal(glob):
                bad.append(f"{path}: {wrong}")
            texts = {name: text_of(f"{path}: [{glob!r}].{name}", value) for name, value in below.items()}
            bad += [f"{path}: [{glob!r}].{line}" for line in wrong_values(texts)]
            rules.append((glob, texts))
    if bad:
        raise BadInput(*bad)
    return rules


def texts_for(rules: Rules, option: str) -> dict[str, str]:
    """The parameter texts that the rules give a case."""
    texts: dict[str, str] = {}
    for glob, parameters in rules:
        if case_globs.matches(glob, option):
            texts |= parameters
    return texts


def config_notice(path: Path | None, rules: Rules, cases: Sequence[str]) -> str:
    """A notice on cases without a matching rule, "" if there are none."""
    meant = [name for name in cases if any(case_globs.matches(glob, name) for glob, _ in rules)]
    if path is None or len(meant) == len(cases):
        return ""
    options = [name.removeprefix(f"test_{WORKLOAD}_") for name in meant]
    alone = f"; to run only those: {words_choosing(options)}" if 0 < len(options) <= _MOST_NAMED else ""
    return f"NOTICE: {path} has parameters for {len(meant)} of the {len(cases)} cases that run{alone}"
