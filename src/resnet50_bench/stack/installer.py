"""A requirement file -> a virtual environment with just its pins, by uv, or by pip where uv cannot.

Every file that is installed has the hash that the requirement file names, but for PyTorch's CPU-only builds: where
their index answers, they are taken first, for they spare 4 GB of CUDA libraries. The image is built by this module:
``python3 -m resnet50_bench.stack.installer FOLDER REQUIREMENTS``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Infrastructure
from . import pins, say
from .native_libraries import can_install, install_packages

#: Seconds that PyTorch's CPU-only index has for its answer.
_PROBE_S = 5
_PIP_ATTEMPTS = 2
_CPU_ONLY_GB = 2.5
#: The modules that workers import, each if it is installed.
_IMPORTED = ("torch", "torchvision", "torch._inductor.compile_fx", "torchao.quantization.pt2e",
             "intel_extension_for_pytorch", "openvino", "nncf", "onnxruntime")
_IMPORT = """
import contextlib, importlib, sys
for name in sys.argv[1:]:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
"""
#: The programs of a complete virtual environment. pip is made last.
_VENV = ("python", "pip")


def install(folder: Path, name: str, needed_gb: float) -> None:
    """Make ``folder`` a virtual environment with the pins of the requirement file ``name``; what is there is kept.

    ``needed_gb`` is the disk that PyTorch's default builds take. Raises Infrastructure where that is not free, or where
    neither uv nor pip could install; what was downloaded is kept for the next time.
    """
    builds = pins.other_builds(name)
    least_gb = min(needed_gb, _CPU_ONLY_GB) if builds else needed_gb
    if not all((folder / "bin" / tool).exists() for tool in _VENV):
        _require_disk(folder, needed_gb, least_gb)
        say(f"making {folder}")
        _make_venv(folder)
    tool = _uv(folder) if _get_uv(folder) else _pip(folder)
    if not builds:
        _install_pins(folder, tool, pins.path(name))
        return
    cpu_only = _cpu_only_words(tool)
    _require_disk(folder, needed_gb, needed_gb if cpu_only is None else least_gb)
    if cpu_only is not None and _run([*tool.words, "--no-deps", *cpu_only, *builds], tool.environment):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as rest:
            rest.write(pins.without_cuda(name))
            rest.flush()
            _install_pins(folder, tool, Path(rest.name))
    else:
        if cpu_only is not None:
            say("the CPU-only builds could not be installed: taking PyTorch's default builds")
        _install_pins(folder, tool, pins.path(name))
    _compile_what_is_imported(folder)


def _compile_what_is_imported(folder: Path) -> None:
    """Compile the imported modules once, because uv leaves that to each start.

    That takes 13 to 18 s of processor time wherever the environment is not the user's to write, as in the image.
    Importing takes 26 s here (2,698 files), compiling all 9,225 files of the stack ipex 62 s. What cannot be imported
    says so where it is used.
    """
    say("compiling what is imported")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([folder / "bin/python", "-c", _IMPORT, *_IMPORTED], env=environment, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


@dataclass(frozen=True)
class _Tool:
    """An installer, uv or pip: its command line before the packages, and its variables."""

    name: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def _uv(folder: Path) -> _Tool:
    """The environment's uv, with the package indexes of pip's configuration."""
    python = folder / "bin/python"
    return _Tool("uv", [str(folder / "bin/uv"), "pip", "install", "--python", str(python)], _pips_indexes(python))


def _pip(folder: Path) -> _Tool:
    return _Tool("pip", [str(folder / "bin/python"), "-m", "pip", "install", "--no-input"])


def _install_pins(folder: Path, tool: _Tool, requirements: Path) -> None:
    words = ["--no-deps", "--require-hashes", "-r", str(requirements)]
    say(f"installing by {tool.name}: {requirements.name}")
    if tool.name == "uv":
        if _run([*tool.words, *words], tool.environment):
            return
        say("uv could not install: trying pip")
        tool = _pip(folder)
    for attempt in range(1, _PIP_ATTEMPTS + 1):
        if attempt > 1:
            say(f"attempt {attempt} of {_PIP_ATTEMPTS}")
        if _run([*tool.words, *words], tool.environment):
            return
    raise Infrastructure(f"pip could not install {requirements.name} in {_PIP_ATTEMPTS} attempts; what it downloaded "
                         "is kept: repair the network and run this again")


def _get_uv(folder: Path) -> bool:
    """Whether the environment has uv now, at the pinned version."""
    if (folder / "bin/uv").exists() and _runs(folder / "bin/uv"):
        return True
    words = [*_pip(folder).words, "--quiet", "--no-deps", "--require-hashes", "-r", str(pins.path("uv"))]
    if _run(words, {}):
        return True
    say("uv cannot be had: installing by pip, which takes longer")
    return False


def _runs(tool: Path) -> bool:
    """Whether the program is complete. A set-up may have been killed while writing it."""
    try:
        return subprocess.run([tool, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _pips_indexes(python: Path) -> dict[str, str]:
    """The package indexes that pip is configured with, in uv's words, unless uv has its own."""
    if any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CONFIG_FILE")):
        return {}
    done = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    values = {key.rpartition(".")[2]: value.strip("'\"") for key, _, value in
              (line.partition("=") for line in done.stdout.splitlines())}
    handed = {}
    if "index-url" in values:
        handed["UV_DEFAULT_INDEX"] = values["index-url"]
    more = [url for url in values.get("extra-index-url", "").split() if url.startswith("http")]
    if more:
        # A hash stands for what is taken, so any index may give it.
        handed |= {"UV_INDEX": " ".join(more), "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return handed


def _cpu_only_words(tool: _Tool) -> list[str] | None:
    """The options that select CPU-only builds of PyTorch. None if no index with them answers."""
    url = os.environ.get("RESNET50_BENCH_INDEX_URL")
    if url:
        say(f"PyTorch's builds: those of RESNET50_BENCH_INDEX_URL={url}")
        return ["--index" if tool.name == "uv" else "--index-url", url]
    if tool.name == "uv":
        words = ["--torch-backend=cpu"]
        probe = [*tool.words, *words, "--dry-run", "--no-deps", "torch"]
        limits = {"UV_HTTP_TIMEOUT": str(_PROBE_S), "UV_HTTP_RETRIES": "0"}
        try:
            done = subprocess.run(probe, env=os.environ | tool.environment | limits, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=_PROBE_S, check=False)
        except subprocess.TimeoutExpired:
            done = None
        if done is not None and done.returncode == 0:
            say("PyTorch's builds: CPU-only, of PyTorch's own index")
            return words
    say("PyTorch's builds: the default ones with CUDA libraries (PyTorch's CPU-only index does not answer)")
    return None


def _run(words: list[str], environment: dict[str, str]) -> bool:
    # Progress goes to stderr: a caller may be reading a path from our stdout.
    return subprocess.run(words, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=sys.stderr,
                          check=False).returncode == 0


def _require_disk(folder: Path, needed_gb: float, least_gb: float) -> None:
    """Raises Infrastructure below ``least_gb``, which is less than ``needed_gb`` where CPU-only builds could do."""
    free_gb = shutil.disk_usage(folder.parent).free / 1e9
    if free_gb < least_gb:
        smaller = ", or a CPU-only index by RESNET50_BENCH_INDEX_URL" if needed_gb > _CPU_ONLY_GB else ""
        raise Infrastructure(f"{folder.parent} has {free_gb:.1f} GB free, {needed_gb:.1f} GB are needed; choose "
                             f"another folder by RESNET50_BENCH_ENV{smaller}")


def _make_venv(folder: Path) -> None:
    command = [sys.executable, "-m", "venv", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and can_install():
        install_packages(["python3-venv"])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise Infrastructure(f"python3 -m venv failed: {why[0]}; sudo apt-get install python3-venv")


def install_in_image(folder: Path, name: str) -> None:
    """As ``install``, without the files that only a GPU needs."""
    install(folder, name, 0.0)
    for file in folder.glob(pins.FILES_WITHOUT_GPU):
        file.unlink()


if __name__ == "__main__":
    install_in_image(Path(sys.argv[1]), sys.argv[2])
