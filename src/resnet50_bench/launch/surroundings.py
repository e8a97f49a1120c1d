"""A runner's environment variables that are not parameters: its burst, its nodes, and the terminal to report to.

Uses the standard library only: ctest.sh sets these variables before the set-up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BadInput

if TYPE_CHECKING:
    from ..protocol.messages import Group

#: Set by ``ctest.sh --burst N``: how many runs share the cores.
BURST_VARIABLE = "RESNET50_BENCH_BURST"
#: ctest.sh passes its terminal to the cases, because their own output goes through a pipe.
TERMINAL_VARIABLE = "RESNET50_BENCH_TERMINAL"
#: The file in which ctest.sh reads the progress of the instances.
STATE_VARIABLE = "RESNET50_BENCH_PROGRESS"
#: The scheduler's job sets all three and starts one runner per node: this node's number from 0, the number of nodes,
#: and a file that does not exist yet, on a file system that all nodes see. Not torchrun: it starts workers before
#: they can be pinned.
NODE, COUNT, RENDEZVOUS = "RESNET50_BENCH_NODE", "RESNET50_BENCH_NODES", "RESNET50_BENCH_RENDEZVOUS"


@dataclass(frozen=True)
class Surroundings:
    """``burst`` runs share the cores at once, this one counted; ``nodes``, where there are more, train one model."""

    variables: Mapping[str, str]
    burst: int = 1
    nodes: Group | None = None

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Surroundings:
        """Raises BadInput for what makes no sense."""
        return cls(variables, _burst(variables), _nodes(variables))

    @property
    def terminal(self) -> str | None:
        """That of ctest.sh; of runs at once None: their live views would overwrite each other."""
        return None if self.burst > 1 else self.variables.get(TERMINAL_VARIABLE)


def _burst(variables: Mapping[str, str]) -> int:
    text = variables.get(BURST_VARIABLE) or "1"
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise BadInput(f"{BURST_VARIABLE}={text!r} is not a number of concurrent runs: 1, 2, 3 ... are allowed; "
                       "ctest.sh --burst sets it")
    return int(text)


def _nodes(variables: Mapping[str, str]) -> Group | None:
    texts = {name: variables.get(name, "").strip() for name in (NODE, COUNT, RENDEZVOUS)}
    if not any(texts.values()):
        return None
    index, count, rendezvous = texts.values()
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count) and rendezvous.startswith("/")):
        said = " ".join(f"{name}={text}" for name, text in texts.items())
        raise BadInput(f"{said}: expected are a node number from 0 on, the number of nodes, and an absolute path "
                       "that all nodes can read")
    from ..protocol.messages import Group  # with msgspec, which a run has and ctest.sh need not have

    return Group(int(index), int(count), rendezvous) if int(count) > 1 else None
