"""The docker and podman backends: one container for each case. Its logs come by a FIFO, and it is always removed.

A ContainerRuntime is the command and the few words in which podman and docker differ.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Infrastructure, RunFailed
from ..machine.topology import parse_cpulist
from . import LOGS_INSIDE, Settings, require_utf8
from .owner import MARK, heard_out, is_gone, owner
from .workers import Stream, extract, read_status

IMAGE = "resnet50-pytorch-intel-public-inference"
#: The volume that keeps prepared models between containers. Without it they are made again.
MODEL_VOLUME = "resnet50-bench-models"
OWNER_LABEL = f"{MARK}.owner"
#: The extra seconds after which a container ends itself (scripts/container-main.sh).
DEADLINE = "RESNET50_BENCH_DEADLINE_S"
#: It is later than this host's deadline, so it matters only if the host side was killed.
DEADLINE_MARGIN_S = 60
_NAME_AND_OWNER = '{{.Name}} {{index .Config.Labels "' + OWNER_LABEL + '"}}'
PATIENCE_S, _DEATH_S, _REMOVAL_S = 30.0, 5.0, 3.0
_REMOVE_ATTEMPTS = 3
#: Only NUMA memory binding needs a capability. Nothing needs the network.
_CONFINED = ("--cap-drop", "ALL", "--cap-add", "SYS_NICE", "--security-opt", "no-new-privileges",
             "--network", "none", "--shm-size", "4g",
             "--mount", f"type=volume,src={MODEL_VOLUME},dst=/var/cache/resnet50-bench")


@dataclass(frozen=True)
class ContainerRuntime:
    """A container runtime. ``alive`` are the words that fail if no container can be started. ``remove`` kills and
    removes a container at once."""

    name: str
    alive: Sequence[str]
    remove: Sequence[str]

    def ask(self, *words: str, patience_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run one command to its end. Raises Infrastructure if it does not answer in ``patience_s``."""
        try:
            return subprocess.run([self.name, *words], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                                  errors="replace", check=False, timeout=patience_s, start_new_session=True)
        except subprocess.TimeoutExpired as error:
            raise Infrastructure(f"{self.name} did not answer within {patience_s:g} s: {words[0]}") from error

    def open(self, *words: str, stdout: int | None = None, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a command in the background. Ctrl-C does not reach it."""
        return subprocess.Popen([self.name, *words], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                start_new_session=True)

    def why_silent(self) -> str | None:
        """The reason why it does not answer, or None if it does."""
        if not shutil.which(self.name):
            return f"{self.name} is not installed"
        told = self.ask(*self.alive)
        if told.returncode == 0:
            return None
        lines = without_warnings(told.stderr)
        return f"{self.name} is installed but does not answer" + (f" ({lines[-1]})" if lines else "")

    def why_not(self, image: str) -> str | None:
        """The reason why it cannot run the image here, or None. Raises Infrastructure if it does not answer."""
        if why := self.why_silent():
            return why
        if self.ask("image", "inspect", image).returncode != 0:
            prefix = "" if self is DOCKER else f"BACKEND={self.name} "
            return f"{self.name} has no image {image}; to build it: {prefix}./build.sh"
        return None


def without_warnings(text: str) -> list[str]:
    """The lines of ``text`` without warnings."""
    return [line for line in text.strip().splitlines() if "level=warning" not in line]


DOCKER = ContainerRuntime("docker", ("version", "--format", "{{.Server.Version}}"),
                          ("rm", "--force", "--volumes=false"))
#: podman has no server. `info` sets up the user's namespace and storage, as running a container does.
#: `rm --force` first waits 10 s for an end by itself.
PODMAN = ContainerRuntime("podman", ("info", "--format", "{{.Host.OCIRuntime.Name}}"),
                          ("rm", "--force", "--time=0", "--volumes=false"))
#: In the order in which `auto` tries them.
RUNTIMES = {runtime.name: runtime for runtime in (DOCKER, PODMAN)}


def image_name(settings: Settings) -> str:
    """The full name of the inference image."""
    return f"{settings.registry}{IMAGE}{settings.release or ':latest'}"


def make(settings: Settings) -> ContainerBackend:
    """Make the backend. Raises Infrastructure if its runtime cannot run the case, BadInput for wrong options."""
    runtime, image, options = RUNTIMES[settings.backend], image_name(settings), settings.option_words()
    if reason := runtime.why_not(image):
        raise Infrastructure(f"BACKEND={runtime.name}: {reason}")
    return ContainerBackend(runtime, image, options)


def run_command(runtime: ContainerRuntime, image: str, texts: Mapping[str, str], options: Sequence[str], name: str,
                deadline_s: int) -> list[str]:
    """The ``run`` command of a case. Each parameter is a word of its own, so no shell interprets it.

    The container has this host's name, so that the result names the host and repeated runs are of one node.
    Raises BadInput for texts that the container runtime would change.
    """
    require_utf8(texts, runtime.name)
    environment = {**texts, DEADLINE: str(deadline_s)}
    return [runtime.name, "run", "--detach", "--init", "--name", name, "--label", MARK, "--label",
            f"{OWNER_LABEL}={owner()}", "--hostname", socket.gethostname(), *_CONFINED, *options,
            *(word for variable, text in environment.items() for word in ("--env", f"{variable}={text}")), image]


@dataclass(frozen=True)
class ContainerBackend:
    """Runs the inference image with the user's ``--options`` (such as --cpuset-cpus=0-3)."""

    runtime: ContainerRuntime
    image: str
    options: Sequence[str] = ()
    #: The container runs on this host, but its options decide its cores, so it validates the case itself.
    local = False

    def cpus(self) -> Sequence[int] | None:
        """The logical CPUs that the container may use. None: all."""
        words = "\n".join(self.options)
        asked = re.findall(r"^--cpuset-cpus[=\n]([0-9,-]+)$", words, re.M)
        return parse_cpulist(asked[-1]) if asked else None

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend."""
        deadline = time.monotonic() + timeout_s
        name = f"{MARK}-{secrets.token_hex(5)}"
        command = run_command(self.runtime, self.image, texts, self.options, name, int(timeout_s) + DEADLINE_MARGIN_S)
        remove_orphans(self.runtime)
        try:  # a signal or a slow container runtime leaves no container
            _start(self.runtime, command)
            with _live_logs(self.runtime, name):
                return self._wait(name, folder, deadline, timeout_s)
        finally:
            _remove(self.runtime, name)

    def _wait(self, container: str, folder: Path, deadline: float, timeout_s: float) -> int:
        """Block on the FIFO until the run is over. Fetches the existing logs in any case."""
        came = self._receive(folder, deadline - time.monotonic(), "exec", container, "cat", "/export-logs")
        status = read_status(folder) if came is Stream.WHOLE else None
        if status is not None:
            return status
        return self._post_mortem(container, folder, came, time.monotonic() >= deadline, timeout_s)

    def _receive(self, folder: Path, patience_s: float, *words: str) -> Stream:
        """Extract a command's tar stream into ``folder``. Kills a command that takes longer than ``patience_s``."""
        source = self.runtime.open(*words, stdout=subprocess.PIPE)
        timer = threading.Timer(max(0.0, patience_s), source.kill)
        timer.start()
        try:
            return extract(source.stdout, folder)
        finally:
            timer.cancel()
            source.kill()
            source.communicate()

    def _post_mortem(self, container: str, folder: Path, came: Stream, late: bool, timeout_s: float) -> int:
        """Find out why the FIFO gave no complete logs, and fetch the container's files."""
        with contextlib.suppress(Infrastructure):
            # A killed container is still listed as running for a moment after its exec has ended.
            self.runtime.ask("wait", container, patience_s=0.1 if late else _DEATH_S)
        state = self._state(container)
        gone_at = time.monotonic() + (0.0 if late else _REMOVAL_S)
        # Removal kills first: for a moment the container looks as if it had died.
        while state and state[0] != "running" and time.monotonic() < gone_at:
            time.sleep(0.1)
            state = self._state(container)
        if not state or state[0] in ("removing", "dead"):
            raise Infrastructure(f"{self.runtime.name} stopped, or somebody removed the container")
        # A hanging container runtime must not block the case.
        copied = self._receive(folder, PATIENCE_S, "cp", f"{container}:{LOGS_INSIDE}/.", "-")
        run_status = read_status(folder) if copied is Stream.WHOLE else None
        status, exit_code, oom = state
        if late:
            raise RunFailed(f"the case took longer than TIMEOUT={timeout_s:g} s and was ended")
        if status == "running":
            if run_status is not None:  # it exists once the run is over
                print(f"NOTICE: the stream of logs from {container} was {came.value}: the logs were copied instead",
                      file=sys.stderr, flush=True)
                return run_status
            raise Infrastructure(f"the stream of logs from the container's /export-logs was {came.value}, and the "
                                 "logs could not be copied")
        how = "out of memory" if oom == "true" else f"exit status {exit_code}"
        raise RunFailed(f"the container died before the run was over ({how})")

    def _state(self, container: str) -> list[str]:
        """[status, exit code, killed for memory] from the container runtime. Empty if it knows no such container."""
        told = self.runtime.ask("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}",
                               container)
        return told.stdout.split() if told.returncode == 0 else []


def _start(runtime: ContainerRuntime, command: Sequence[str]) -> None:
    try:
        started = heard_out(command, PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise Infrastructure(f"{runtime.name} started no container within {PATIENCE_S:g} s") from error
    if started.returncode != 0:
        lines = [*without_warnings(started.stderr), "no message"]
        raise Infrastructure(f"{runtime.name} could not start the container: {lines[0]}")


@contextlib.contextmanager
def _live_logs(runtime: ContainerRuntime, container: str) -> Iterator[None]:
    """Print the container's output as it comes, while the body runs."""
    follower = runtime.open("logs", "--follow", container, stderr=subprocess.STDOUT)
    try:
        yield
        # The run is over. Ending the container ends the follower after it has printed everything.
        with contextlib.suppress(Infrastructure, subprocess.TimeoutExpired):  # slow is not an error: the run has passed
            runtime.ask("kill", container)
            follower.wait(timeout=PATIENCE_S)
    finally:
        follower.kill()
        follower.wait()


def _remove(runtime: ContainerRuntime, container: str) -> None:
    """Remove it, running or not. If the container runtime is too busy, prints a notice and the outcome stays: the
    container ends at its own deadline, and the next start removes it."""
    why = "it did not answer"
    for _ in range(_REMOVE_ATTEMPTS):
        with contextlib.suppress(Infrastructure):
            told = runtime.ask(*runtime.remove, container)
            why = told.stderr.strip()
            if told.returncode == 0 or "no such container" in why.lower() or "no container with" in why.lower():
                return
            if "already in progress" in why:
                time.sleep(1)
    print(f"error: {runtime.name} has not removed {container} ({why}); to end it: {runtime.name} rm --force "
          f"{container}", file=sys.stderr, flush=True)


def remove_orphans(runtime: ContainerRuntime) -> None:
    """Remove the containers whose host side was killed. Leaves those of cases that still run."""
    ours = runtime.ask("ps", "--all", "--quiet", "--filter", f"label={OWNER_LABEL}").stdout.split()
    told = runtime.ask("inspect", "--type", "container", "--format", _NAME_AND_OWNER, *ours).stdout if ours else ""
    for line in told.splitlines():
        container, _, whose = line.removeprefix("/").partition(" ")
        if is_gone(whose):
            print(f"NOTICE: {container} was left by a case that was killed, and is removed", file=sys.stderr,
                  flush=True)
            _remove(runtime, container)
