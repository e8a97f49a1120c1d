"""Worker folders that the nodes of a case left -> who left what, the lines that sum it up, and which is the worst."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from ...errors import Infrastructure, RunFailed
from .. import fleet_command


class Node(NamedTuple):
    """What one node left in its worker folder; None is what it did not leave."""
    folder: Path
    name: str
    status: int | None
    throughput: float | None


def read_node(folder: Path) -> Node:
    """Read ``node``, ``status`` and the newest result of a worker folder."""
    found = {path.name: path.read_text().strip() for path in (folder / "node", folder / "status") if path.exists()}
    status, throughput = int(found["status"]) if found.get("status") else None, None
    with suppress(OSError, ValueError, LookupError, TypeError):  # kpi.sh judges the result, not this summary
        newest = max(folder.glob("benchmark_*.json"), key=lambda path: path.stat().st_mtime)
        throughput = float(json.loads(newest.read_text())["statistics"]["throughput_images_per_s"])
    return Node(folder, found.get("node", folder.name), status, throughput if status == 0 else None)


def summary(nodes: Sequence[Node]) -> str:
    """One line a node: its name, status and images/s; for two or more of one case then what ``fleet`` says of them."""
    rows = [("node", "status", "images/s")] + [
        (node.name, str(node.status), f"{node.throughput:.2f}" if node.throughput else "-") for node in nodes]
    lines = [f"{name:16} {status:>6} {rate:>10}" for name, status, rate in rows]
    if len(nodes) > 1:
        for (case, unit), compared in fleet_command.gather([nodes[0].folder.parent]).items():
            lines += fleet_command.summary(case, unit, compared)
    return "\n".join(lines)


def require_replicas(nodes: Sequence[Node]) -> None:
    """Raises RunFailed where nodes that trained together did not end with the same weights."""
    digests: dict[str, list[str]] = {}
    for node in nodes:
        for path in node.folder.glob("benchmark_*.json"):
            for report in json.loads(path.read_text())["processes"]:
                for feed in report["facts"].get("data", {}).values():
                    digests.setdefault(feed["training"]["weights_sha256"], []).append(node.name)
    if len(digests) > 1:
        told = "; ".join(f"{digest[:12]} on {', '.join(sorted(set(names)))}" for digest, names in digests.items())
        raise RunFailed(f"the nodes did not learn the same model, so gradients were not exchanged: weights {told}")


def worst_of(nodes: Sequence[Node]) -> Node:
    """The node whose status counts: skipped (77) is worse than passed, any other failure is worse than skipped."""
    return max(nodes, key=lambda node: (bool(node.status), node.status != 77, node.status or 0))


def extract(stream: IO[bytes] | None, folder: Path) -> bool:
    """Plain files of the tar stream into ``folder``, by their last name only; whether ``status`` came.

    Raises Infrastructure where the disk is full.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content:
                    with (folder / os.path.basename(member.name)).open("wb") as sink:  # noqa: PTH119
                        shutil.copyfileobj(content, sink)
    except tarfile.TarError:
        pass  # an empty or cut-off stream: the caller finds out why
    except OSError as error:
        raise Infrastructure(f"the logs cannot be written to {folder}: {error.strerror}") from error
    return (folder / "status").exists()
