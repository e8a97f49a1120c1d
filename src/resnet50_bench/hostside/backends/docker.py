"""The docker backend: one container for a case, its logs by the FIFO, and the container always removed."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...errors import Infrastructure, RunFailed
from . import Settings
from .client import heard_out
from .workers import extract

IMAGE = "resnet50-pytorch-intel-public-inference"
#: Prepared models outlive a container in this volume; removing it costs only the time to make them again.
MODEL_VOLUME = "resnet50-bench-models"
_LOGS = "/home/bench/logs"
_ENGINE_PATIENCE_S = 30.0
_DEATH_S, _REMOVAL_S = 5.0, 3.0
#: Nothing but NUMA memory binding needs a capability, nothing needs the network.
_CONFINED = ("--cap-drop", "ALL", "--cap-add", "SYS_NICE", "--security-opt", "no-new-privileges",
             "--network", "none", "--shm-size", "4g",
             "--mount", f"type=volume,src={MODEL_VOLUME},dst=/var/cache/resnet50-bench")


def image_name(settings: Settings) -> str:
    """The inference image's full name."""
    return f"{settings.registry}{IMAGE}{settings.release or ':latest'}"


def why_not(image: str) -> str | None:
    """Why docker cannot run the image here; None where an engine answers and it is there."""
    if not shutil.which("docker"):
        return "docker is not installed"
    engine = _docker("version", "--format", "{{.Server.Version}}")
    if engine.returncode != 0:
        return "no docker engine answers"
    if _docker("image", "inspect", image).returncode != 0:
        return f"the image {image} is not built (./build.sh)"
    return None


def make(settings: Settings) -> DockerBackend:
    """The backend. Raises Infrastructure where docker cannot run the case."""
    image = image_name(settings)
    reason = why_not(image)
    if reason:
        raise Infrastructure(f"BACKEND=docker: {reason}")
    return DockerBackend(image, tuple(shlex.split(settings.options)))


def run_command(image: str, texts: Mapping[str, str], options: tuple[str, ...]) -> list[str]:
    """The ``docker run`` words of a case; parameters are data, each a word of its own.

    The container has this host's name: the result says where it was measured, and repeated runs are of one node.
    """
    return ["docker", "run", "--detach", "--init", "--label", "resnet50-bench", "--hostname",
            socket.gethostname(), *_CONFINED, *options,
            *(word for name, text in texts.items() for word in ("--env", f"{name}={text}")), image]


class DockerBackend:
    """Runs the inference image with the user's ``--options`` (such as --cpuset-cpus=0-3)."""

    #: The container runs on this host, but its options decide which cores it gets: it validates itself.
    local = False

    def __init__(self, image: str, options: tuple[str, ...]) -> None:
        self._image, self._options = image, options

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend."""
        deadline = time.monotonic() + timeout_s
        container = _start(run_command(self._image, texts, self._options))
        try:
            with _live_logs(container):
                return self._wait(container, folder, deadline, timeout_s)
        finally:
            _remove(container)

    def _wait(self, container: str, folder: Path, deadline: float, timeout_s: float) -> int:
        """Block on the FIFO until the run is over; what logs there are come back in any case."""
        export = subprocess.Popen(["docker", "exec", container, "cat", "/export-logs"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), export.kill)
        timer.start()
        try:
            complete = extract(export.stdout, folder)
        finally:
            timer.cancel()
            export.kill()
            export.wait()
        if complete:
            return int((folder / "status").read_text())
        return self._post_mortem(container, folder, time.monotonic() >= deadline, timeout_s)

    def _post_mortem(self, container: str, folder: Path, late: bool, timeout_s: float) -> int:
        """Why the FIFO gave no logs; fetch what lies in the container."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A killed container counts as running for a moment after its exec has ended.
            subprocess.run(["docker", "wait", container], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                           timeout=0.1 if late else _DEATH_S)
        state = _state(container)
        gone_at = time.monotonic() + (0.0 if late else _REMOVAL_S)
        # Removing kills first: for a moment it looks like a container that died.
        while state and state[0] != "running" and time.monotonic() < gone_at:
            time.sleep(0.1)
            state = _state(container)
        if not state or state[0] in ("removing", "dead"):
            raise Infrastructure("the docker engine went away, or somebody removed the container")
        _copy_logs(container, folder)
        status, exit_code, oom = state
        if late:
            raise RunFailed(f"the case took longer than TIMEOUT={timeout_s:g} s and was ended")
        if status == "running":
            raise Infrastructure("the container's logs could not be read from /export-logs")
        how = "out of memory" if oom == "true" else f"exit status {exit_code}"
        raise RunFailed(f"the container died before the run was over ({how})")


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=_ENGINE_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise Infrastructure(f"the docker engine did not answer within {_ENGINE_PATIENCE_S:g} s") from error


def _start(command: list[str]) -> str:
    """The container's number; a signal in the middle leaves no container."""
    try:
        started = heard_out(command, _remove, _ENGINE_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise Infrastructure(f"the docker engine started no container within {_ENGINE_PATIENCE_S:g} s") from error
    container = started.stdout.strip()
    if started.returncode != 0:
        if container:
            _remove(container)  # made, and then it could not start
        lines = started.stderr.strip().splitlines() or ["no message"]
        raise Infrastructure(f"docker could not start the container: {lines[0]}")
    return container


def _state(container: str) -> list[str]:
    """[status, exit code, killed for memory] as the engine tells them; nothing where it does not know the container."""
    told = _docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", container)
    return told.stdout.split() if told.returncode == 0 else []


@contextlib.contextmanager
def _live_logs(container: str) -> Iterator[None]:
    """Everything that the container prints, as it prints it."""
    follower = subprocess.Popen(["docker", "logs", "--follow", container], stdin=subprocess.DEVNULL,
                                stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield
        # The run is over: ending the container ends the follower once it has printed everything.
        _docker("kill", container)
        with contextlib.suppress(subprocess.TimeoutExpired):
            follower.wait(timeout=_ENGINE_PATIENCE_S)
    finally:
        follower.kill()
        follower.wait()


def _copy_logs(container: str, folder: Path) -> None:
    copied = subprocess.Popen(["docker", "cp", f"{container}:{_LOGS}/.", "-"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    extract(copied.stdout, folder)
    copied.wait()


def _remove(container: str) -> None:
    """Remove it, running or not; once more where the engine was busy."""
    for _ in range(2):
        with contextlib.suppress(Infrastructure):
            if _docker("rm", "--force", "--volumes=false", container).returncode == 0:
                return
