"""A copy of this checkout whose run_test.sh is a FAKE: real ctest.sh, real ctest, real processes, no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from copy import copy
from pathlib import Path

from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.machine import machine_lock
from support.results import synthetic

ROOT = Path(__file__).parents[2]
#: What the FAKE runner does instead of passing, as a word of ``--set``: fail, run until it is ended, fail unless all of
#: a burst are there at once, fail the first time in this checkout. A parameter tells it, as nothing else comes to it.
FAILS, HANGS, MEETS, FAILS_ONCE = "WARMUP_STEPS=1", "WARMUP_STEPS=2", "WARMUP_STEPS=3", "WARMUP_STEPS=4"
#: Speaks the log's lines. Its throughput is STEPS, also in its result.
FAKE_RUNNER = f"""#!/usr/bin/env bash
FAILS={FAILS} HANGS={HANGS} MEETS={MEETS} FAILS_ONCE={FAILS_ONCE}
""" + """set -eu
exec > >(tee "benchmark_throughput_resnet50_fake_20260101-000000.log")
trap "exec >&-; wait $!" EXIT # until tee has written everything
printf '%s\\n' "FAKE: true" "MODE: throughput" "STEPS: ${STEPS-}" "INSTANCE_NUMBER: 1" "LOG_FORMAT: 1"
[ -z "${RESNET50_BENCH_BURST-}" ] || echo "BURST: $RESNET50_BENCH_BURST"
echo "Evaluating RESNET: total Steps: 1"
case WARMUP_STEPS=${WARMUP_STEPS-} in
    "$FAILS") echo "RESULT: failed: FAKE failure"; exit 1 ;;
    "$HANGS") exec sleep 1000 ;;
    "$FAILS_ONCE") mkdir "$(dirname "$0")/failed" && exit 1 ;;
    "$MEETS") touch ../../arrived-$$
       for _ in $(seq 200); do
           [ "$(ls ../../ | grep -c arrived-)" -lt "$RESNET50_BENCH_BURST" ] || break
           sleep 0.1
       done
       [ "$(ls ../../ | grep -c arrived-)" -ge "$RESNET50_BENCH_BURST" ] ;;
esac
printf '%s\\n' "Complete..." "Throughput: ${STEPS:-7} fps" "Check: [ok] FAKE: fine" "VERDICT: valid" "RESULT: passed"
result=benchmark_throughput_resnet50_fake_20260101-000000.json
sed "s/12345\\.0/${STEPS:-7}.0/g; s/54321/${RESNET50_BENCH_BURST:-1}/" "$(dirname "$0")/fake-result.json" > "$result"
"""


class Checkout:
    """The copy; ``case`` is a ctest name that this CPU runs."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(
            ".git", "build", ".*cache", "tests", "docs", "assets", "benchmarks"))  # with what Python has compiled
        (folder / "run_test.sh").write_text(FAKE_RUNNER)
        synthetic(rate=12345.0, statistics={"throughput_ci95": [12345.0, 12345.0]}, placement={"burst": 54321}).write(
            folder / "fake-result.json")
        self._is_in(folder)
        self.environment = {name: text for name, text in os.environ.items()
                            if name not in CATALOGUE and not name.startswith("RESNET50_BENCH_")} | {
            # Where a Python is named, no environment is set up; nothing here runs it.
            "BACKEND": "native", "RESNET50_BENCH_PYTHON": "/bin/true", machine_lock.FOLDER: str(folder)}
        self.case = self.run(folder / "scripts/resnet50-bench.sh", "best-case").stdout.strip()

    def ctest(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """ctest.sh to its end."""
        return self.run(self.folder / "ctest.sh", *words, **environment)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """ctest.sh, still running; its output is a pipe."""
        return subprocess.Popen([self.folder / "ctest.sh", *map(str, words)], cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def logs(self) -> list[Path]:
        """The logs folders, oldest first."""
        return sorted((self.build / "workload/ResNet50-Pytorch-Xeon-Public").glob("*-logs-*"))

    def clear(self) -> None:
        """Forget what was run."""
        for folder in (*self.logs(), self.build / "background"):
            shutil.rmtree(folder, ignore_errors=True)

    def left(self) -> list[str]:
        """Command lines and folders of processes that work below this checkout."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                place = str((process / "cwd").readlink())
            except OSError:  # it ended meanwhile
                continue
            if int(process.name) != os.getpid() and (str(self.folder) in words or str(self.folder) in place):
                found.append(f"{process.name} {words} in {place}")
        return found

    def _is_in(self, folder: Path) -> None:
        self.folder, self.build = folder, folder / "build"

    def copy(self, folder: Path) -> Checkout:
        """The same with all that was built and run in it, as ``cp -a`` makes it."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        made = copy(self)
        made._is_in(folder)
        return made

    def move(self, folder: Path) -> Checkout:
        """It somewhere else."""
        self.folder.rename(folder)
        self._is_in(folder)
        return self

    def run(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(list(map(str, words)), cwd=self.folder, env=self.environment | environment, text=True,
                              errors="replace", capture_output=True, check=False, timeout=120)


def until(condition, patience_s: float = 120.0) -> None:
    """Wait for a condition; a failure where it does not come."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
