"""What a dying process says -> cause, remedy, status. The texts are as torch 2.8, glibc and libgomp give them."""

from __future__ import annotations

import signal

import pytest

from resnet50_bench.errors import RunFailed
from resnet50_bench.result import causes
from resnet50_bench.worker.measurement import failure

NOEXEC = ("backend='inductor' raised:\nOSError: /tmp/x/torchinductor_root/fk/a.main.so: failed to map segment from "
          "shared object.  The most common reason\n\nSet TORCHDYNAMO_VERBOSE=1 for the internal stack trace")
NO_COMPILER = ("backend='inductor' raised:\nInvalidCxxCompiler: No working C++ compiler found in "
               "torch._inductor.config.cpp.cxx: (None, 'g++')\n\nSet TORCHDYNAMO_VERBOSE=1")


@pytest.mark.parametrize(("error", "remedy", "told", "status"), [
    (RuntimeError(NOEXEC), "TMPDIR", "/tmp/x/torchinductor_root", 3),
    (ImportError("libtorch_cuda.so: failed to map segment from shared object"), "ulimit -v", "libtorch_cuda.so", 3),
    (RuntimeError(NO_COMPILER), "apt-get install g++", "(None, 'g++')", 3),
    (RuntimeError("can't start new thread"), "--pids-limit", "RuntimeError: can't start new thread", 3),
    (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), "--shm-size", "pid(s) 7", 3),
    (OSError(24, "Too many open files"), "ulimit -n", "Errno 24", 3),
    (MemoryError(), "smaller BATCH_SIZE", "MemoryError()", 1),
    (ValueError("\x1b[31mit is\x1b[0m:\n\n  a fault\nof ours"), "", "ValueError: it is: a fault", 1),
    (OSError(5, "Input/output error"), "", "Errno 5", 3),
    (RunFailed("53 convolutions"), "", "53 convolutions", 1)])
def test_what_an_instance_dies_of_is_told_with_what_helps(error, remedy, told, status):
    said = failure(error)
    assert remedy in said.why and told in said.why and said.status == status
    assert "\n" not in said.why and "TORCHDYNAMO" not in said.why and "\x1b" not in said.why


@pytest.mark.parametrize(("last", "remedy"), [
    ("libgomp: Thread creation failed: Resource temporarily unavailable", "ulimit -u"),
    ("OSError: [Errno 28] No space left on device", "free space")])
def test_the_last_words_of_a_process_are_explained(last, remedy):
    assert remedy in causes.explained(f"a\nb\n{last}", last) and last in causes.explained(last, last)
    assert causes.explained("no more of this", "no more of this") == "no more of this"


def test_signals_that_end_processes_have_a_remedy():
    for signum in (signal.SIGILL, signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL):
        assert causes.of_signal(signum)
    assert causes.of_signal(signal.SIGRTMAX) == ""
