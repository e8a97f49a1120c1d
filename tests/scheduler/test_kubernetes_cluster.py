"""The Kubernetes backend against the cluster that kubectl reaches (KUBECONFIG), real from end to end.

REGISTRY and RELEASE name the image as ctest.sh has them, KUBERNETES_OPTIONS what it gives as --options (default:
--cpus=2). The cluster needs Node Feature Discovery for the last test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.backends import Settings, kubernetes, kubernetes_state
from resnet50_bench.backends.kubectl import Kubectl, last_line
from resnet50_bench.backends.kubernetes_manifest import labels, manifest, parse_options
from resnet50_bench.errors import Infrastructure

pytestmark = pytest.mark.scheduler

ROOT = Path(__file__).parents[2]
OPTIONS = os.environ.get("KUBERNETES_OPTIONS", "--cpus=2")
PRECISION = "avx2_fp32"


@pytest.fixture(scope="module")
def kubectl() -> Kubectl:
    """kubectl in the namespace of the options."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    pytest.importorskip("jinja2")
    found = Kubectl(parse_options(OPTIONS.split()).namespace)
    asked = found.ask("get", "--raw=/version", "--request-timeout=10s")
    if asked.returncode != 0:
        pytest.skip(f"no cluster answers: {last_line(asked)}")
    return found


def run(folder: Path, options: str, timeout_s: float, **texts: str) -> int:
    settings = Settings("kubernetes", os.environ.get("REGISTRY", ""), os.environ.get("RELEASE", ""), options=options)
    worker = folder / "itr-1" / "worker-0-c0"
    worker.mkdir(parents=True)
    return kubernetes.make(settings).run(texts, worker, timeout_s)


def jobs(kubectl: Kubectl) -> str:
    asked = kubectl.ask("get", "jobs,pods", "--selector=app.kubernetes.io/name=resnet50-bench", "--output=name")
    assert asked.returncode == 0, asked.stderr
    return asked.stdout


def test_the_server_takes_our_job(kubectl):
    text = manifest("resnet50-bench-dry-run", "image:latest", "IfNotPresent", {"PRECISION": PRECISION, "STEPS": "10"},
                    parse_options(OPTIONS.split()), 60)
    for word in ("create", "apply"):
        asked = kubectl.ask(word, "--dry-run=server", "--validate=strict", "--filename=-", stdin=text)
        assert asked.returncode == 0 and "Warning" not in asked.stderr, asked.stderr


def test_the_server_takes_wsfs_job(kubectl):
    if not shutil.which("m4"):
        pytest.skip("m4 is not installed")
    text = subprocess.run(["m4", "-I", ROOT / "tests/support/wsf_stand_in", "-DK_CPUS=2",
                           ROOT / "kubernetes-config.yaml.m4"], capture_output=True, text=True, check=True).stdout
    asked = kubectl.ask("apply", "--dry-run=server", "--validate=strict", "--filename=-", stdin=text)
    assert asked.returncode == 0, asked.stderr


def test_a_label_that_no_node_has(kubectl, tmp_path, monkeypatch):
    monkeypatch.setitem(kubernetes_state.PATIENCE_S, "unschedulable", 5.0)
    before = jobs(kubectl)
    with pytest.raises(Infrastructure, match="cannot be scheduled: .*; it needs a node with the labels .*nosuch=label"):
        run(tmp_path, f"{OPTIONS} --node-selector=nosuch=label", 120)
    assert jobs(kubectl) == before


def test_a_gated_case_comes_back_with_its_result(kubectl, tmp_path):
    wanted = ",".join(f"{name}={value}" for name, value in labels(PRECISION).items())
    nodes = kubectl.ask("get", "nodes", f"--selector={wanted}", "--output=name")
    if nodes.returncode != 0 or not nodes.stdout.strip():
        pytest.skip(f"no node has Node Feature Discovery's labels {wanted}")
    before = jobs(kubectl)
    assert run(tmp_path, OPTIONS, 900, FUNCTION="inference", MODE="throughput", PRECISION=PRECISION,
               CASE_TYPE="gated", TORCH_TYPE="EAGER") == 0
    result, = (tmp_path / "itr-1/worker-0-c0").glob("benchmark_*.json")
    document = json.loads(result.read_text())
    assert document["failure"] is None and document["statistics"]["throughput_images_per_s"] > 0
    assert jobs(kubectl) == before
