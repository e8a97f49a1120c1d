"""Nothing outlives a killed host side for long, and 200 hostile values arrive inside as they are; docker and podman."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from resnet50_bench.backends import container
from resnet50_bench.backends.container import RUNTIMES
from support.aside import PASSIVE
from support.docker_images import ROOT, docker, until
from support.hostile import values as hostile
from support.images import FP32
from support.rootless import as_user, environment, podman

BACKEND = """
import sys; from pathlib import Path; from resnet50_bench.backends import Settings, choose
backend, _ = choose(Settings(sys.argv[1], release=":container-test"))
texts = dict(STEPS=sys.argv[2], BATCH_SIZE="1", WARMUP_STEPS="0", MIN_DURATION="0", PRECISION=sys.argv[3],
             CUSTOMER_ENV=sys.argv[5])
sys.exit(backend.run(texts, Path(sys.argv[4]), 120.0))
"""


def engine_command(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return docker(*words) if name == "docker" else podman(*words)


def ours(name: str) -> list[str]:
    return engine_command(name, "ps", "--all", "--quiet", "--filter", f"label={container.OWNER_LABEL}").stdout.split()


def start(name: str, steps: str, folder: Path) -> subprocess.Popen[str]:
    """The host side of a case: what ctest starts, without ctest."""
    words = ["/usr/bin/env", f"PYTHONPATH={ROOT / 'src'}", "python3", "-c", BACKEND, name, steps, FP32, str(folder),
             PASSIVE]
    return subprocess.Popen(words if name == "docker" else as_user(*words), text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
                            env=dict(os.environ) if name == "docker" else environment())


@pytest.mark.parametrize("name", ["docker", pytest.param("podman", marks=pytest.mark.slow)])
def test_nothing_is_left_after_three_killed_host_sides_and_a_start(image, build, name):
    logs = build
    assert ours(name) == []
    for kills in range(1, 4):
        before = set(ours(name))
        with start(name, "1000000", logs) as running:
            until(lambda before=before: any("preparing the model" in engine_command(name, "logs", one).stdout
                              for one in set(ours(name)) - before))
            os.killpg(running.pid, signal.SIGKILL)  # not what it has started in sessions of their own
        assert len(ours(name)) == 1, f"after kill {kills} there is the last one's, and no earlier one's"
    with start(name, "2", logs) as last:
        said, _ = last.communicate(timeout=120)
    assert last.returncode == 0, said
    assert said.count("was left by a case that was killed, and is removed") == 1
    assert ours(name) == []
    until(lambda: not clients(name), "the clients of the killed ones end with their containers")


def clients(name: str) -> list[str]:
    found = subprocess.run(["pgrep", "-af", f"^{name} (exec|logs) .*resnet50-bench-"], capture_output=True, text=True,
                           check=False)
    return found.stdout.splitlines()


def test_a_container_whose_host_side_lives_is_left_alone(image, tmp_path):
    with start("docker", "1000000", tmp_path) as first:
        until(lambda: len(ours("docker")) == 1)
        one = ours("docker")
        until(lambda: docker("inspect", "--format", "{{len .ExecIDs}}", *one).stdout.strip() not in ("", "0"))
        docker("pause", *one)  # once its host side listens to it: two that measure on the same cores take minutes
        with start("docker", "2", tmp_path) as second:
            said, _ = second.communicate(timeout=120)
        assert second.returncode == 0 and "was left by" not in said
        assert ours("docker") == one
        first.send_signal(signal.SIGKILL)
        docker("unpause", *one)
        docker("rm", "--force", *one)  # what still reads its log would wait for its deadline
        first.communicate()


def test_a_container_ends_by_its_own_deadline(image):
    words = container.run_command(RUNTIMES["docker"], image, {"STEPS": "1000000"}, (), "resnet50-bench-deadline", 5)
    subprocess.run(words, check=True, capture_output=True)
    try:
        began = time.monotonic()
        until(lambda: docker("inspect", "--format", "{{.State.Status}}", "resnet50-bench-deadline").stdout
              == "exited\n")
        assert time.monotonic() - began < 40
    finally:
        docker("rm", "--force", "resnet50-bench-deadline")


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_two_hundred_hostile_values_arrive_as_they_are(image, name):
    texts = {f"{variable}_{number}": value for variable in ("CUSTOMER_ENV", "DATASET")
             for number, value in enumerate(hostile())}
    words = container.run_command(RUNTIMES[name], image, texts, ("--rm",), f"resnet50-bench-hostile-{name}", 60)
    words.remove("--detach")
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    words += ["/opt/venv/bin/python", "-c", dump]
    done = subprocess.run(words if name == "docker" else as_user(*words), capture_output=True, check=True, cwd="/",
                          env=dict(os.environ) if name == "docker" else environment())
    inside = json.loads(done.stdout)
    assert {variable: inside.get(variable) for variable in texts} == texts
