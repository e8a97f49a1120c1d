"""Commands whose programs see AMX: the CPU's own, or the emulator's on a CPU with AVX-512 alone.

``RESNET50_TEST_AMX=emulated`` takes the emulator on a CPU that has AMX, too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnet50_bench.machine.cpu import read_cpu
from support import amx_emulator
from support.amx_emulator import Emulator
from support.engine import ROOT, logs_folders, result_of
from support.stack import chosen

CHOICE = "RESNET50_TEST_AMX"
#: Emulated steps take a second, and more of them prove no more.
FEW_STEPS = {"STEPS": "4"}


def is_real() -> bool:
    """Whether the tests use the CPU's AMX. AssertionError for a choice that is none."""
    chosen = os.environ.get(CHOICE) or ("real" if "amx_tile" in read_cpu().flags else "emulated")
    assert chosen in ("real", "emulated"), f"{CHOICE}={chosen} is not known. Use real or emulated."
    return chosen == "real"


@dataclass(frozen=True)
class Amx:
    """``emulator`` is None where the CPU's AMX is used."""

    emulator: Emulator | None

    @property
    def kind(self) -> str:
        return "emulated" if self.emulator else "real"

    def run(self, words: Sequence[str | Path], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in ``folder``."""
        command = self.emulator.command(words) if self.emulator else [str(word) for word in words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False,
                              env=os.environ | variables)

    def case(self, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        """run_test.sh with flags."""
        return self.run([ROOT / "run_test.sh", *flags], folder)

    def ctest(self, build: Path, *words: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], Path | None]:
        """ctest.sh with words, and the worker's folder of the case that ran."""
        done = self.run([ROOT / "ctest.sh", *words], ROOT,
                        **{"RESNET50_BENCH_BUILD": str(build), "BACKEND": "native"} | variables)
        logs = logs_folders(build)
        return done, logs[-1] / "itr-1/worker-0-c0" if logs else None

    def proven(self, done: subprocess.CompletedProcess[str], folder: Path | None, kernels: int = 53) -> dict:
        """The result of a run that passed, each convolution by an AMX kernel, with a verdict that fits the CPU."""
        assert done.returncode == 0 and folder, done.stdout + done.stderr
        result = result_of(folder)
        names = result["processes"][0]["kernels"]
        assert sum(names.values()) == kernels and all("amx" in name for name in names), names
        if self.emulator:
            self.emulator.assert_used()
            assert result["system"]["cpu"] == amx_emulator.NAME
            assert result["verdict"] == "noisy" and any(why.startswith("emulation: ") for why in result["reasons"])
        else:
            assert result["verdict"] in ("valid", "noisy") and "EMULATED" not in result["system"]["cpu"]
        return result


def made(folder: Path, stack: str | None = None) -> Amx:
    """AMX for programs of a stack, else of the default one. Raises amx_emulator.Unavailable."""
    return Amx(None if is_real() else amx_emulator.emulator(folder, [chosen().folder(stack)]))
