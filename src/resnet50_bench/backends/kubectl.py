"""kubectl commands and their answers; and the two streams of a pod: its live output, and its logs at the end."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import BenchError, Infrastructure
from . import LOGS_INSIDE
from .workers import Stream, extract, read_status

RETRY_S = 10.0  # between attempts to read an interrupted stream
_PATIENCE_S = 30.0


class Kubectl:
    """kubectl in one namespace. Without a name it is that of the current context."""

    def __init__(self, namespace: str = "") -> None:
        self._words = ["kubectl", *([f"--namespace={namespace}"] if namespace else [])]

    def ask(self, *words: str, stdin: str = "", patience_s: float = _PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run one command. A command that hangs fails with status 124."""
        command = [*self._words, *words]
        try:
            return subprocess.run(command, input=stdin, capture_output=True, encoding="utf-8", errors="replace",
                                  check=False, timeout=patience_s, start_new_session=True)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", f"no answer within {patience_s:g} s")

    def open(self, *words: str, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a command whose output is read as it comes. Ctrl-C does not reach it."""
        return subprocess.Popen([*self._words, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=errors, start_new_session=True)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """kubectl's error message, which follows its warnings."""
    return (done.stderr.strip().splitlines() or ["kubectl did not say why"])[-1].removeprefix("error: ")


class PodStreams:
    """Copies a pod's output to stdout and ``pod.log``, and its logs into ``folder``, on two threads.

    Sets ``changed`` when the logs have arrived or cannot be read, so that nobody has to poll.
    """

    def __init__(self, kubectl: Kubectl, pod: str, folder: Path, prefix: str, changed: threading.Event) -> None:
        self._kubectl, self._pod, self._folder, self._prefix = kubectl, pod, folder, prefix
        self._changed, self._stopped, self._lock = changed, threading.Event(), threading.Lock()
        self._open: set[subprocess.Popen[bytes]] = set()
        self._ended = False  # a command opened from now on ends at once
        self.complete = False
        self.error: BenchError | None = None
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._follow, self._fetch)]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def rescue(self, patience_s: float) -> None:
        """Fetch the existing logs of a pod whose run is not over."""
        if not self.complete:
            timer = threading.Timer(patience_s, self._end_processes)
            timer.start()
            with suppress(Infrastructure):
                self._read("tar", "cf", "-", "-C", LOGS_INSIDE, ".")
            timer.cancel()

    def stop(self, patience_s: float) -> None:
        """End both threads. The live one gets ``patience_s`` to finish the pod's output."""
        self._stopped.set()
        self._threads[0].join(patience_s)
        self._end_processes()
        for thread in self._threads:
            thread.join()

    def _end_processes(self) -> None:
        with self._lock:
            self._ended = self._stopped.is_set()
            for process in self._open:
                process.kill()

    @contextmanager
    def _running(self, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """A context with (a running command, its stderr). The command is ended afterwards."""
        with tempfile.TemporaryFile() as errors, self._kubectl.open(*words, errors=errors) as process:
            with self._lock:
                self._open.add(process)
                if self._ended:
                    process.kill()
            try:
                yield process, errors
            except BaseException:
                process.kill()
                raise
            finally:
                process.wait()
                with self._lock:
                    self._open.discard(process)

    def _follow(self) -> None:
        """Print every line once, however often the stream is interrupted."""
        printed = 0
        while True:
            with (self._running("logs", "--follow", self._pod) as (process, _),
                  (self._folder / "pod.log").open("ab") as log):
                for number, line in enumerate(process.stdout or (), start=1):
                    if number > printed:
                        printed = number
                        log.write(line)
                        text = line.decode(errors="replace").removesuffix("\n")
                        print(f"{self._prefix}{text}\n", end="", flush=True)  # one write: pods' lines do not mix
            if self._stopped.wait(RETRY_S):
                return

    def _fetch(self) -> None:
        """Read the logs. The FIFO gives them once, at the end of the run. If that is interrupted, read their folder."""
        try:
            self.complete = self._read("cat", "/export-logs")
            while not self.complete:
                self._changed.set()
                if self._stopped.wait(RETRY_S):
                    return
                self.complete = self._read("tar", "cf", "-", "-C", LOGS_INSIDE, ".")
        except Infrastructure as error:
            self.error = error
        self._changed.set()

    def _read(self, *words: str) -> bool:
        """Whether all of the logs came, and the run is over."""
        with self._running("exec", self._pod, "--", *words) as (process, errors):
            came = extract(process.stdout, self._folder)
            status = process.wait()
            errors.seek(0)
            why = errors.read().decode(errors="replace").strip()
        if status != 0 and "forbidden" in why.lower():
            raise Infrastructure(f"kubectl exec is not allowed, so no logs come back: {why.splitlines()[-1]}")
        return came is Stream.WHOLE and status == 0 and read_status(self._folder) is not None
