"""The worker folders of a case's nodes -> each node's files, summary lines, and the worst node."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import IO, NamedTuple

from ..errors import BadInput, Infrastructure, RunFailed
from ..files import read_text
from ..machine.topology import number

#: Two blocks of zeros end an archive (POSIX, pax interchange format).
_END_BYTES = 1024


class WorkerFolder(NamedTuple):
    """One node's files in its worker folder. None for a missing file."""
    folder: Path
    name: str
    status: int | None
    throughput: float | None


def read_node(folder: Path) -> WorkerFolder:
    """Read ``node``, ``status`` and the newest result of a worker folder."""
    from ..result.result import read_summary  # ctest.sh works without msgspec before the set-up

    status, throughput = read_status(folder), None
    if results := sorted(folder.glob("benchmark_*.json"), key=lambda path: path.stat().st_mtime):
        with suppress(BadInput):  # kpi.sh judges the result, not this summary
            throughput = read_summary(results[-1]).statistics.throughput_images_per_s
    return WorkerFolder(folder, read_text(folder / "node") or folder.name, status, throughput if status == 0 else None)


def summary(nodes: Sequence[WorkerFolder]) -> str:
    """One line per node: name, status and images/s. For two or more nodes, also the lines of ``fleet``."""
    lines = [f"{'node':16} {'status':>6} {'images/s':>10}"]
    lines += [f"{node.name:16} {node.status!s:>6} {f'{node.throughput:.2f}' if node.throughput else '-':>10}"
              for node in nodes]
    if len(nodes) > 1:
        from ..history import fleet  # ctest.sh works without msgspec before the set-up

        for compared in fleet.gather([nodes[0].folder.parent]):
            lines += fleet.lines(compared)
    return "\n".join(lines)


def require_replicas(nodes: Sequence[WorkerFolder]) -> None:
    """Raises RunFailed if nodes that trained together did not end with the same weights."""
    from ..result.result import read

    digests: dict[str, list[str]] = {}
    for node in nodes:
        for path in node.folder.glob("benchmark_*.json"):
            for training in read(path).trainings():
                digests.setdefault(training.weights_sha256, []).append(node.name)
    if len(digests) > 1:
        told = "; ".join(f"{digest[:12]} on {', '.join(sorted(set(names)))}" for digest, names in digests.items())
        raise RunFailed(f"the nodes did not learn the same model, so gradients were not exchanged: weights {told}")


def tell_worst(job: str, nodes: Sequence[WorkerFolder]) -> WorkerFolder:
    """Name the worst node. Skipped (77) is worse than passed, any other failure is worse than skipped."""
    worst = max(nodes, key=lambda node: (bool(node.status), node.status != 77, node.status or 0))
    if worst.status:
        print(f"{job}: node {worst.name} ended with status {worst.status}; see {worst.folder}", flush=True)
    return worst


class Stream(Enum):
    """The result of reading a tar stream. The value is the user's text."""
    WHOLE = "whole"
    CUT = "cut"
    EMPTY = "empty"


class _Watched:
    """A stream that remembers its last bytes, because tarfile accepts a stream cut between two files as complete."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._tail, self.any = stream, b"", False

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._tail = (self._tail + content[-_END_BYTES:])[-_END_BYTES:]
        self.any = self.any or bool(content)
        return content

    def is_whole(self) -> bool:
        """Whether the stream is at its end and an archive's end came last."""
        while self.read(1 << 16):
            pass
        return self._tail == bytes(_END_BYTES)


def extract(stream: IO[bytes] | None, folder: Path) -> Stream:
    """Extract a tar stream's plain files into ``folder``, by their base names. Returns whether it was complete.

    Raises Infrastructure if the disk is full.
    """
    assert stream is not None
    watched = _Watched(stream)
    try:
        with tarfile.open(fileobj=watched, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content:
                    with (folder / os.path.basename(member.name)).open("wb") as sink:  # noqa: PTH119
                        shutil.copyfileobj(content, sink)
        return Stream.WHOLE if watched.is_whole() else Stream.CUT
    except tarfile.TarError:
        return Stream.CUT if watched.any else Stream.EMPTY
    except OSError as error:
        raise Infrastructure(f"the logs cannot be written to {folder}: {error.strerror}") from error


def read_status(folder: Path) -> int | None:
    """The number in ``status``. None if the file is missing, empty or truncated."""
    return number(read_text(folder / "status"))
