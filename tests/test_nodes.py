"""Which node of a training a runner is told to be, and what happens where nodes did not learn the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet50_bench.backends.workers import WorkerFolder, require_replicas
from resnet50_bench.errors import BadInput, RunFailed
from resnet50_bench.launch.surroundings import COUNT, NODE, RENDEZVOUS, Surroundings
from resnet50_bench.protocol.messages import Group
from resnet50_bench.result.processes import FeedRecord, Training
from support import documents


def test_a_scheduler_says_which_node_it_is():
    assert Surroundings.of({}).nodes is None
    assert Surroundings.of({NODE: "1", COUNT: "3", RENDEZVOUS: "/shared/x"}).nodes == Group(1, 3, "/shared/x")
    alone = Surroundings.of({NODE: "0", COUNT: "1", RENDEZVOUS: "/shared/x"})
    assert alone.nodes is None, "one node meets nobody"


@pytest.mark.parametrize("said", [{NODE: "1"}, {NODE: "3", COUNT: "3", RENDEZVOUS: "/x"},
                                  {NODE: "-1", COUNT: "3", RENDEZVOUS: "/x"}, {NODE: "0", COUNT: "2", RENDEZVOUS: "x"}])
def test_nonsense_is_refused(said):
    with pytest.raises(BadInput, match="expected are a node number from 0 on"):
        Surroundings.of(said)


def left_by(folder: Path, name: str, digest: str) -> WorkerFolder:
    (folder / name).mkdir()
    result = documents.result()
    result.processes[0].facts.data["0"] = FeedRecord(training=Training(weights_sha256=digest))
    result.write(folder / name / "benchmark_x.json")
    return WorkerFolder(folder / name, name, 0, 1.0)


def test_nodes_that_learnt_different_models_fail(tmp_path):
    one, same, other = left_by(tmp_path, "n1", "aa"), left_by(tmp_path, "n2", "aa"), left_by(tmp_path, "n3", "bb")
    require_replicas([one, same])
    with pytest.raises(RunFailed, match="weights aa on n1, n2; bb on n3"):
        require_replicas([one, same, other])
