"""The native backend: run_test.sh as a child process on this host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..case.parameters import CATALOGUE
from ..checkout import ROOT
from ..errors import RunFailed
from ..signals import end_with_parent, shell_status
from . import Settings

#: The runner reaps its instances within this.
_GRACE_S = 15.0


def make(settings: Settings) -> NativeBackend:
    """The backend."""
    return NativeBackend(settings.environment)


@dataclass(frozen=True)
class NativeBackend:
    """Runs on this host with the Python environment that scripts/setup.sh made, and in the variables of its caller."""

    environment: Mapping[str, str]
    local = True

    def cpus(self) -> Sequence[int] | None:
        """All that this process may use."""
        return None

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend."""
        environment = {name: text for name, text in self.environment.items() if name not in CATALOGUE} | dict(texts)
        script = ROOT / "run_test.sh"
        command = [str(script)] if script.exists() else [sys.executable, "-m", "resnet50_bench", "run"]
        return run_child(command, folder, environment, timeout_s)


def run_child(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float) -> int:
    """Run it in ``folder`` as a child that ends with this process; its status, 128+N where a signal ended it.

    Raises RunFailed at the time-out.
    """
    runner = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              preexec_fn=end_with_parent)
    try:
        status = runner.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"the case took longer than TIMEOUT={timeout_s:g} s and was ended") from None
    finally:
        if runner.poll() is None:
            _end(runner)
    return shell_status(status)


def _end(runner: subprocess.Popen[bytes]) -> None:
    runner.terminate()
    try:
        runner.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        runner.kill()
        runner.wait()
