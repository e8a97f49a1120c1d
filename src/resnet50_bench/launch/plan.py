"""What a launch needs beside the Case and its Placement, and who is told how it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..protocol.messages import Data, Progress
from . import burst
from .nodes import Nodes, nodes
from .progress import TERMINAL_VARIABLE


@dataclass(frozen=True)
class Surroundings:
    """What the environment of a runner says of its run, beside the parameters.

    ``burst`` runs share its cores at once, this one counted; ``nodes`` train one model together.
    """

    variables: Mapping[str, str]
    burst: int = 1
    nodes: Nodes = Nodes()

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Surroundings:
        """Raises BadInput for what makes no sense."""
        return cls(variables, burst.copies(variables), nodes(variables))

    @property
    def terminal(self) -> str | None:
        """That of ctest.sh; of runs at once None: their live views would overwrite each other."""
        return None if self.burst > 1 else self.variables.get(TERMINAL_VARIABLE)


@dataclass(frozen=True)
class LaunchPlan:
    """Where and with what workers run."""

    python: Path
    #: Where the instances' logs go; the files that are exchanged are gone afterwards.
    folder: Path
    #: Of prepared models.
    cache_dir: Path
    #: Paths of allocators, as ``stack.native_libraries`` gives them.
    libraries: Mapping[str, str]
    data: Data
    #: NUMA nodes that have memory.
    memory_nodes: int
    surroundings: Surroundings
    #: Idle cpus that decode images, by instance.
    loader_cpus: Mapping[int, Sequence[int]] = field(default_factory=dict)
    #: Floats of the arrays by which an instance measures its bandwidth, by instance; else the worker's default.
    stream_floats: Mapping[int, int] = field(default_factory=dict)
    #: Every this many seconds (0: never) instances say where they stand.
    progress_s: float = 0.0


class LaunchObserver(Protocol):
    """Is told how a launch goes, in the launcher's thread."""

    def say(self, line: str) -> None:
        """One line for the log."""

    def started(self, pids: Sequence[int]) -> None:
        """The workers, by their process ids, are warm; just before the first measured step."""

    def progressed(self, state: Progress) -> None:
        """An instance says where it stands."""

    def second_passed(self) -> None:
        """About once a second while instances measure: what is read now is gone afterwards."""

    def ended(self, pids: Sequence[int]) -> None:
        """Just after the last measured step; the workers are still there."""
