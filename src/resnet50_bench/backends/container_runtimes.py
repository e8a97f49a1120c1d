"""A container runtime as a value: which command it is, and the few words in which podman differs from docker."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Infrastructure

PATIENCE_S = 30.0


@dataclass(frozen=True)
class ContainerRuntime:
    """``alive`` are the words that fail where no container could be started; ``remove`` ends a container and removes
    it, without a grace."""

    name: str
    alive: Sequence[str]
    remove: Sequence[str]

    def ask(self, *words: str, patience_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """One command, heard out. Raises Infrastructure where it does not answer."""
        try:
            return subprocess.run([self.name, *words], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                                  errors="replace", check=False, timeout=patience_s, start_new_session=True)
        except subprocess.TimeoutExpired as error:
            raise Infrastructure(f"{self.name} did not answer within {patience_s:g} s: {words[0]}") from error

    def open(self, *words: str, stdout: int | None = None, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """A command that runs on beside us; Ctrl-C does not reach it."""
        return subprocess.Popen([self.name, *words], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                start_new_session=True)

    def why_silent(self) -> str | None:
        """Why it does not answer; None where it does."""
        if not shutil.which(self.name):
            return f"{self.name} is not installed"
        told = self.ask(*self.alive)
        if told.returncode != 0:
            return f"no {self.name} engine answers" + (f" ({line})" if (line := last_line(told.stderr)) else "")
        return None

    def why_not(self, image: str) -> str | None:
        """Why it cannot run the image here; None where it can. Raises Infrastructure where it does not answer."""
        if why := self.why_silent():
            return why
        if self.ask("image", "inspect", image).returncode != 0:
            prefix = "" if self is DOCKER else f"BACKEND={self.name} "
            return f"{self.name} has no image {image} ({prefix}./build.sh)"
        return None


def last_line(text: str) -> str:
    """The reason stands last; what is nothing but a warning is no reason."""
    lines = [line for line in text.strip().splitlines() if "level=warning" not in line]
    return lines[-1] if lines else ""


DOCKER = ContainerRuntime("docker", ("version", "--format", "{{.Server.Version}}"),
                          ("rm", "--force", "--volumes=false"))
#: It has no server that could answer: `info` sets up the user's namespace and storage, as running a container does.
#: `rm --force` first waits 10 s for an end by itself.
PODMAN = ContainerRuntime("podman", ("info", "--format", "{{.Host.OCIRuntime.Name}}"),
                ("rm", "--force", "--time=0", "--volumes=false"))
#: In the order in which `auto` asks them.
RUNTIMES = {engine.name: engine for engine in (DOCKER, PODMAN)}
