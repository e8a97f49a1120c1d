"""A runner's environment -> which of the nodes that train one model together it is on, and where they meet.

The scheduler's job starts one runner a node and says so. torchrun would do that too, but it starts the workers itself,
before anything pins them; so only its rendezvous has to be replaced, by a file that all nodes see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BadInput

#: Set together by the scheduler's job: this node's number from 0, how many there are, a file that is not there yet.
NODE, COUNT, RENDEZVOUS = "RESNET50_BENCH_NODE", "RESNET50_BENCH_NODES", "RESNET50_BENCH_RENDEZVOUS"


@dataclass(frozen=True)
class Nodes:
    """``index`` of ``count``; ``rendezvous`` is empty on a single node."""

    index: int = 0
    count: int = 1
    rendezvous: str = ""


def nodes(environment: Mapping[str, str]) -> Nodes:
    """A single node where nothing is said. Raises BadInput for what makes no sense."""
    given = {name: environment.get(name, "").strip() for name in (NODE, COUNT, RENDEZVOUS)}
    if not any(given.values()):
        return Nodes()
    index, count, rendezvous = given.values()
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count) and rendezvous.startswith("/")):
        said = " ".join(f"{name}={text}" for name, text in given.items())
        raise BadInput(f"{said}: expected a node from 0 on, how many there are, and an absolute path that all see")
    return Nodes(int(index), int(count), rendezvous) if int(count) > 1 else Nodes()
