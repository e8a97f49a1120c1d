"""A real WSF checkout (WSF_CHECKOUT) -> a copy that an ordinary user owns, with this project in it and FAKE engines.

WSF refuses to run as root, and writes into its folders; nothing of it becomes part of this repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKLOAD = "workload/ResNet50-PyTorch-Xeon-Public"
#: Nobody's number, and not the number of ``nobody``, whose processes others may signal.
USER = 54321
#: What WSF's cmake, ctest and scripts read.
_PARTS = ("CMakeLists.txt", "script", "template", "workload/CMakeLists.txt", "workload/platforms", "workload/dummy",
          "image/CMakeLists.txt", "stack/CMakeLists.txt")
#: FAKE docker: keeps each call's words; says what WSF asks; a container passes at once and offers a log.
_DOCKER = r"""#!/usr/bin/env bash
printf '%s\0' "$@" >"$(mktemp "$FAKE_CALLS/docker-XXXXXX")"
case "$1" in
    --version) echo "Docker version 27.0.0, build fake" ;;
    build) exit "${FAKE_BUILD_STATUS:-0}" ;;
    run) # WSF's terraform container would run the case elsewhere and bring its logs back into the workspace
        for word in "$@"; do
            case "$word" in *:/opt/workspace)
                mkdir -p "${word%:*}/itr-1/worker-0-c1"
                cp "$FAKE_LOGS"/* "${word%:*}/itr-1/worker-0-c1"
                cp "${word%:*}/kpi.sh" "${word%:*}/itr-1" ;;
            esac
        done
        echo 0123456789ab ;;
    exec) tar cf - -C "$FAKE_LOGS" . ;;
    logs) cat "$FAKE_LOGS"/benchmark_*.log ;;
esac
"""
#: FAKE kubectl: keeps the manifest that it creates from; one pod, ready at once.
_KUBECTL = r"""#!/usr/bin/env bash
printf '%s\0' "$@" >"$(mktemp "$FAKE_CALLS/kubectl-XXXXXX")"
case " $* " in
    *" create -f "*) cp "$3" "$FAKE_CALLS/manifest.yaml" ;;
    *" get pod "*jsonpath*) echo resnet50-pod ;;
    *" -- cat "*) tar cf - -C "$FAKE_LOGS" . ;;
esac
"""
_LOG = """MODE: {mode}
PRECISION: avx_fp32
BATCH_SIZE: 4
CORES_PER_INSTANCE: 56
INSTANCE_NUMBER: 1
Evaluating RESNET: total Steps: 10
Throughput: 100.0 fps
Complete...
"""


@dataclass
class Checkout:
    """One configured copy of WSF; ``calls`` holds what the FAKE engines were called with since ``forget``."""

    folder: Path
    backend: str
    #: A supplementary group of the user, such as that of the docker engine's socket.
    groups: str = ""

    @property
    def build(self) -> Path:
        """WSF's build folder, in which its ctest.sh and list-kpi.sh stand."""
        return self.folder / "build"

    @property
    def cases(self) -> Path:
        """The workload's folder below it."""
        return self.build / WORKLOAD

    def sh(self, *words: object, cwd: Path | None = None, timeout: float = 120,
           **environment: str) -> subprocess.CompletedProcess[str]:
        """Run as the ordinary user; without anything of ours in the environment but what is given here."""
        own = {"PATH": f"{self.folder}/fakes:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder / "home"),
               "FAKE_CALLS": str(self.folder / "calls"), "FAKE_LOGS": str(self.folder / "logs"), "LC_ALL": "C.UTF-8"}
        groups = f"--groups={self.groups}" if self.groups else "--clear-groups"
        return subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", groups, *map(str, words)],
                              cwd=cwd or self.cases, env=own | environment, capture_output=True, text=True, check=False,
                              timeout=timeout)

    def configure(self, **settings: str) -> str:
        """WSF's cmake for this workload."""
        shutil.rmtree(self.build, ignore_errors=True)
        done = self.sh("cmake", "-S", self.folder, "-B", self.build, "-DPLATFORM=SPR", f"-DBACKEND={self.backend}",
                       "-DBENCHMARK=ResNet50-PyTorch-Xeon-Public",
                       *(f"-D{name}={text}" for name, text in settings.items()), cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def forget(self) -> None:
        """Drop the calls of before."""
        for call in (self.folder / "calls").iterdir():
            call.unlink()

    def calls(self, engine: str, word: str) -> list[list[str]]:
        """The words of each call of the engine that has ``word`` among its first two, in their order."""
        files = sorted((self.folder / "calls").glob(f"{engine}-*"), key=lambda path: path.stat().st_mtime_ns)
        read = [path.read_bytes().decode().split("\0")[:-1] for path in files]
        return [words for words in read if word in words[:2]]


@contextmanager
def copied(wsf: Path, *backends: str) -> Iterator[dict[str, Checkout]]:
    """A copy for each backend, below a folder that others may enter, as they may not enter pytest's."""
    with tempfile.TemporaryDirectory(prefix="wsf-") as folder:
        Path(folder).chmod(0o755)
        yield {backend: _copy(wsf, Path(folder) / backend, backend) for backend in backends}


def _copy(wsf: Path, target: Path, backend: str) -> Checkout:
    for part in _PARTS:
        source = wsf / part
        if source.is_dir():
            shutil.copytree(source, target / part, symlinks=True)
        elif source.exists():
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / part)
    shutil.copytree(ROOT, target / WORKLOAD, symlinks=True, ignore=shutil.ignore_patterns(
        ".git", "build", ".*cache", "__pycache__", "tests", "docs", "benchmarks"))
    for name, text in (("docker", _DOCKER), ("kubectl", _KUBECTL)):
        fake = target / "fakes" / name
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(text)
        fake.chmod(0o755)
    for folder in ("calls", "home", "logs"):
        (target / folder).mkdir()
    (target / "home/.gitconfig").write_text("[user]\n\tname = wsf-test\n")
    (target / "logs/status").write_text("0\n")
    (target / "logs/benchmark_throughput_resnet50_avx_fp32_inference_dummy_1.log").write_text(
        _LOG.format(mode="throughput"))
    for path in (target, *target.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)
    return Checkout(target, backend)
