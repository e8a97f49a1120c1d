"""The environment's RESNET50_BENCH_* variables: which there are; one that is mistyped is refused, not passed over."""

from __future__ import annotations

import re
from collections.abc import Collection

from .errors import BadInput
from .spelling import nearest

PREFIX = "RESNET50_BENCH_"
#: What users set: docs/reference/parameters.md.
FOR_USERS = tuple(f"{PREFIX}{name}" for name in (
    "STACK", "ENV", "INDEX_URL", "PYTHON", "CACHE", "BUILD", "LOCK_FOLDER"))
#: What one of our processes hands to the next.
_OUR_OWN = tuple(f"{PREFIX}{name}" for name in (
    "BURST", "DEADLINE_S", "NODE", "NODES", "OVERRIDES", "PROGRESS", "RENDEZVOUS", "SKIP_WITHOUT_INPUTS", "TERMINAL"))
KNOWN = (*FOR_USERS, *_OUR_OWN)
#: What Kubernetes puts into every container beside a service called resnet50-bench-...
_SERVICE_LINK = re.compile(f"{PREFIX}(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_[0-9].*)")


def refuse_unknown(names: Collection[str]) -> None:
    """Raises BadInput with a line for each name with our prefix that nothing reads."""
    in_a_pod = "KUBERNETES_SERVICE_HOST" in names
    bad = [f"the environment variable {name} does not exist{_nearest(name)}. Unset it. Allowed are "
           f"{', '.join(FOR_USERS)}" for name in names if name.startswith(PREFIX) and name not in KNOWN
           and not (in_a_pod and _SERVICE_LINK.fullmatch(name))]
    if bad:
        raise BadInput(*bad)


def _nearest(name: str) -> str:
    """By what stands behind the prefix, which alone makes all of them alike."""
    return nearest(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in FOR_USERS], PREFIX)
