"""The environment's RESNET50_BENCH_* variables: which there are; one that is mistyped is refused, not passed over."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import BadInput
from .spelling import nearest

PREFIX = "RESNET50_BENCH_"
#: What users set: docs/setup.md, docs/engines.md.
FOR_USERS = tuple(f"{PREFIX}{name}" for name in (
    "STACK", "ENV", "INDEX_URL", "PYTHON", "CACHE", "BUILD", "LOCK_FOLDER"))
#: What one of our processes hands to the next.
_OUR_OWN = tuple(f"{PREFIX}{name}" for name in (
    "BURST", "DEADLINE_S", "NODE", "NODES", "OVERRIDES", "RENDEZVOUS", "TERMINAL"))
KNOWN = (*FOR_USERS, *_OUR_OWN)


def refuse_unknown(names: Iterable[str]) -> None:
    """Raises BadInput with a line for each name with our prefix that nothing reads."""
    bad = [f"the environment's {name} is no variable of this program{nearest(name, FOR_USERS)}; there are "
           f"{', '.join(FOR_USERS)}: unset it" for name in names if name.startswith(PREFIX) and name not in KNOWN]
    if bad:
        raise BadInput(*bad)
