"""The runner as a child process: run_test.sh on this host, or an image's runner by Apptainer or Enroot.

HPC sites that forbid docker and podman have Apptainer or Enroot. Both start the image's runner as a child of the
caller, with its files. NOT TRIED on a real installation: none was available. Tests check the words, which follow the
Apptainer 1.3 user guide ("Environment and Metadata", "Bind Paths and Mounts") and the Enroot 3.5 documentation
(doc/cmd/start.md).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..case.parameters import CATALOGUE
from ..checkout import ROOT
from ..errors import BadInput, Infrastructure, RunFailed
from ..signals import end_with_parent, shell_status
from ..stack import user_cache
from . import LOGS_INSIDE, TAKING_OPTIONS, Settings

#: Seconds in which the runner ends its instances.
_GRACE_S = 15.0
_RUNNER = "/opt/resnet50/run_test.sh"
_MODELS = "/var/cache/resnet50-bench"
#: A command and the variables added to its environment.
Command = tuple[list[str], dict[str, str]]


def make(settings: Settings) -> NativeBackend:
    """The backend. Raises BadInput for --options, because there is no program to give them to."""
    if settings.option_words():
        raise BadInput(f"--options={settings.options}: the case runs natively, and BACKEND=native takes no options. "
                       f"Allowed with {', '.join(TAKING_OPTIONS)}. Leave --options out, or add --backend=docker")
    return NativeBackend(settings.environment)


@dataclass(frozen=True)
class NativeBackend:
    """Runs on this host with the Python environment of scripts/setup.sh and the caller's variables."""

    environment: Mapping[str, str]
    local = True

    def cpus(self) -> Sequence[int] | None:
        """None: all CPUs that this process may use."""
        return None

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend."""
        environment = {name: text for name, text in self.environment.items() if name not in CATALOGUE} | dict(texts)
        script = ROOT / "run_test.sh"
        command = [str(script)] if script.exists() else [sys.executable, "-m", "resnet50_bench", "run"]
        return run_child(command, folder, environment, timeout_s)


def run_child(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float) -> int:
    """Run a child in ``folder`` that ends with this process. Returns its status, or 128+N if signal N ended it.

    Raises RunFailed at the time-out.
    """
    runner = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              preexec_fn=end_with_parent)
    try:
        status = runner.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"the case took longer than TIMEOUT={timeout_s:g} s and was ended") from None
    finally:
        runner.terminate()  # nothing if it has ended
        try:
            runner.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            runner.kill()
            runner.wait()
    return shell_status(status)


def apptainer(image: str, texts: Mapping[str, str], folder: Path, models: Path) -> Command:
    """Pass parameters as APPTAINERENV_<name>; --no-eval keeps shells out. --env would split values at commas.

    Raises BadInput for paths that --bind cannot pass.
    """
    binds = _binds({folder: LOGS_INSIDE, models: _MODELS}, ",:")
    return (["apptainer", "exec", "--no-eval", "--cleanenv", "--containall", "--writable-tmpfs",
             *(word for bind in binds for word in ("--bind", bind)), "--pwd", LOGS_INSIDE, image, _RUNNER],
            {f"APPTAINERENV_{name}": text for name, text in texts.items()})


def enroot(image: str, texts: Mapping[str, str], folder: Path, models: Path) -> Command:
    """Pass parameters by --env, which Enroot reads as one line each. Raises BadInput for a value of two lines, and for
    paths that --mount cannot pass."""
    bad = [f"{name}={text!r} is of two lines, which Enroot cannot pass on"
           for name, text in texts.items() if "\n" in text]
    if bad:
        raise BadInput(*bad)
    binds = _binds({folder: LOGS_INSIDE, models: _MODELS}, ": \t")
    return (["enroot", "start", *(word for bind in binds for word in ("--mount", bind)),
             *(word for name, text in texts.items() for word in ("--env", f"{name}={text}")), image, _RUNNER], {})


def _binds(places: Mapping[Path, str], forbidden: str) -> list[str]:
    bad = [f"{path}: a path with one of the characters {forbidden!r} cannot be mounted in a container; use another path"
           for path in places
           if any(letter in forbidden for letter in str(path))]
    if bad:
        raise BadInput(*bad)
    return [f"{path}:{inside}" for path, inside in places.items()]


COMMANDS: Mapping[str, Callable[[str, Mapping[str, str], Path, Path], Command]] = {
    "apptainer": apptainer, "enroot": enroot}


@dataclass(frozen=True)
class SiteBackend:
    """Runs an image file by the tool ``name``."""

    name: str
    image: str
    local = False

    def cpus(self) -> Sequence[int] | None:
        """None: all CPUs of the caller."""
        return None

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend."""
        if not shutil.which(self.name):
            raise Infrastructure(f"{self.name} is not installed on this node")
        if not Path(self.image).exists():
            raise Infrastructure(f"{self.name}: there is no image {self.image} on this node")
        models = user_cache.models()
        models.mkdir(parents=True, exist_ok=True)
        command, more = COMMANDS[self.name](self.image, texts, folder.absolute(), models.absolute())
        return run_child(command, folder, {**os.environ, **more}, timeout_s)
