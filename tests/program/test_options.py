"""--loop, --run and --burst: what is run how often, what runs at once, and what a burst's number is called."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import signal
import time
from pathlib import Path

import pytest

from resnet50_bench.backends import Settings
from resnet50_bench.cli.tree import main
from resnet50_bench.ctest import at_once, case_run, options
from resnet50_bench.errors import BadInput, Infrastructure
from resnet50_bench.history import collection, comparability
from resnet50_bench.launch.surroundings import BURST_VARIABLE, Surroundings
from support import documents
from support.fake_checkout import FAILS, HANGS, MEETS, Checkout, until
from support.kpi_logs import kpi, log
from support.kpi_logs import put as put_log
from support.results import put, synthetic

needs_cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")


def steps(*words: str) -> str:
    return " ".join(point.get("STEPS", "-") for point in options.parse(words).runs())


@pytest.mark.parametrize(("words", "expected"), [
    (["--run", "3"], "- - -"),
    (["--set", "STEPS=1 2", "--run", "2"], "1 1 2 2"),
    (["--set", "STEPS=1 2 3", "--loop", "2", "--run", "2"], "1 1 2 2"),
    (["--burst", "3"], "- - -"),
    (["--set", "STEPS=1 2 3", "--burst", "2"], "1 2 3 1"),
    (["--set", "STEPS=1 2 3", "--burst", "6"], "1 2 3 1 2 3"),
    (["--set", "STEPS=1 2 3", "--burst", "2", "--loop", "1"], "1 2"),
    (["--set", "STEPS=1 2 3 4", "--burst", "2", "--run", "2"], "1 2 1 2 3 4 3 4"),
])
def test_run_repeats_values_and_burst_enumerates_them(words, expected):
    assert steps(*words) == expected


@pytest.mark.parametrize(("words", "why"), [
    (["--run", "0"], "--run: 0 is too small"), (["--burst", "-1"], "--burst: -1 is too small"),
    (["--status", "-1"], "--status: -1 is too small"), (["--run", "two"], "--run: 'two' is not a whole number"),
    (["--loop", "1000", "--burst", "1000", "--run", "1000"], "are 1000000000 runs; at most 10000"),
    (["--nohup", "--daemon"], "exclude each other"), (["--testset", "x.yaml", "--testcase", "y"], "exclude each other"),
    (["--options=--cpus='2"], "--options=--cpus='2 cannot be read as options: No closing quotation"),
])
def test_what_cannot_be_is_refused(words, why):
    with pytest.raises(BadInput, match=re.escape(why)):
        options.parse(words)


@needs_cmake
def test_a_ctest_that_a_signal_ends_has_a_shells_status(tmp_path):
    """As in ``ctest.sh -N | head``."""
    checkout = Checkout(tmp_path / "checkout")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    fake = bin_folder / "ctest"
    fake.write_text(f'#!/bin/sh\ncase " $* " in *" -N "*) kill -PIPE $$ ;; esac\nexec {shutil.which("ctest")} "$@"\n')
    fake.chmod(0o755)
    done = checkout.ctest("-N", PATH=f"{bin_folder}:{os.environ['PATH']}")
    assert done.returncode == 128 + signal.SIGPIPE, done.stdout + done.stderr


def test_a_burst_is_not_gated(tmp_path):
    with pytest.raises(BadInput, match="say nothing about a regression"):
        options.parse(["--burst", "2", "--gate", "references.yaml"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("options") / "checkout")


@pytest.fixture
def checkout(shared) -> Checkout:
    shared.clear()
    return shared


@needs_cmake
def test_run_is_that_many_iterations_of_each_value_and_their_mean(checkout):
    done = checkout.ctest("-V", "--testcase", checkout.case, "--set", "STEPS=10 20", "--run", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    logs, = checkout.logs()
    found = [re.search("^STEPS: (.*)", path.read_text(), re.M).group(1)
             for path in sorted(logs.glob("itr-*/worker-0-c0/benchmark_*.log"))]
    assert found == ["10", "10", "20", "20"]
    assert "# mean of 4 iterations" in done.stdout and "*Throughput (samples/sec): 15.0000" in done.stdout
    assert "BURST" not in done.stdout


@needs_cmake
def test_a_burst_runs_at_once_in_folders_of_its_own_and_says_what_it_is(checkout):
    done = checkout.ctest("-VV", "--testcase", checkout.case, "--burst", "3", "--set", "STEPS=10 20 30",
                          "--set", MEETS)
    assert done.returncode == 0, done.stdout + done.stderr
    logs, = checkout.logs()
    assert [path.read_text() for path in sorted(logs.glob("itr-*/worker-0-c0/status"))] == ["0\n"] * 3
    assert "[itr-2] STEPS: 20\n" in done.stdout and "run at once, each placed on the same cores" in done.stdout
    assert "## BURST: 3\n" in done.stdout
    assert "# BURST RESULT: 3 runs at once on the same cores; not the number of a run alone" in done.stdout
    assert "*Throughput (samples/sec): 20.0000" in done.stdout and "CI95" not in done.stdout
    assert "# no 95 % interval: runs at once are not independent" in done.stdout
    assert '"3"' in re.search("RESNET50_BENCH_BURST: .*", (logs / "workload-config.yaml").read_text()).group()


@needs_cmake
def test_one_failure_in_a_burst_fails_it_and_the_others_end_as_they_would(checkout):
    done = checkout.ctest("-V", "--testcase", checkout.case, "--burst", "2", "--set", f"{FAILS} 0")
    assert done.returncode == 1
    assert "# INVALID RESULT: FAKE failure" in done.stdout and "*Throughput" not in done.stdout
    logs, = checkout.logs()
    assert [path.read_text() for path in sorted(logs.glob("itr-*/worker-0-c0/status"))] == ["1\n", "0\n"]


@needs_cmake
def test_a_signal_ends_every_run_of_a_burst(checkout):
    running = checkout.start("-V", "--testcase", checkout.case, "--burst", "3", "--set", HANGS)
    until(lambda: len(list(checkout.build.glob("workload/*/*/itr-*/worker-0-c0/benchmark_*.log"))) == 3)
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 143, out
    assert "# INVALID RESULT" in out and "*Throughput" not in out
    assert "\n   Verdict     ended by signal 15" in out, "the card is there however a run ends"
    until(lambda: not checkout.left())


@needs_cmake
def test_runs_of_a_burst_end_with_the_case_that_was_killed(checkout):
    running = checkout.start("-V", "--testcase", checkout.case, "--burst", "2", "--set", HANGS)
    until(lambda: len(list(checkout.build.glob("workload/*/*/itr-*/worker-0-c0/benchmark_*.log"))) == 2)
    cases = [int(line.split()[0]) for line in checkout.left() if "resnet50_bench case" in line]
    assert len(cases) == 3, "the case and its two runs"
    os.kill(min(cases), signal.SIGKILL)
    out, _ = running.communicate(timeout=30)
    assert running.returncode != 0 and "*Throughput" not in out
    until(lambda: not checkout.left())


@pytest.mark.parametrize(("backend", "texts", "why"), [
    ("native", {"CHECKPOINT": "/x.pt"}, "would write the same file"), ("slurm", {}, "Slurm gives each job nodes"),
    ("kubernetes", {}, "Kubernetes gives each job nodes")])
def test_a_burst_is_refused_where_it_cannot_be(backend, texts, why):
    with pytest.raises(BadInput, match=why):
        case_run.as_burst([texts], Settings(backend), 2)


def test_what_a_backend_refuses_is_said_by_the_case_with_its_status(checkout):
    done = checkout.ctest("-V", "--testcase", checkout.case, BACKEND="kubernetes")
    assert done.returncode == 2 and "arguments are required: --cpus; expected: --options=" in done.stdout


def job(status=0, error=None):
    def run() -> int:
        print("one\ntwo", end="")
        if error:
            raise error
        return status
    return run


def test_statuses_come_in_their_order_and_lines_with_names(capfd):
    assert at_once.at_once([("a", job(3)), ("b", job()), ("c", job(error=Infrastructure("no disk")))]) == [3, 0, 3]
    lines = capfd.readouterr().out.splitlines()
    assert sorted(lines) == ["[a] one", "[a] two", "[b] one", "[b] two", "[c] one", "[c] twoerror: no disk"]


def test_a_defect_in_a_job_is_a_failure_not_a_second_parent(capfd):
    assert at_once.at_once([("a", job(error=ZeroDivisionError())), ("b", job())]) == [1, 0]
    assert "ZeroDivisionError" in capfd.readouterr().out


def test_where_one_cannot_be_started_the_others_are_ended(monkeypatch):
    pids = []

    def fork() -> int:
        if pids:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        pids.append(real_fork())
        return pids[0]

    real_fork = os.fork
    monkeypatch.setattr(os, "fork", fork)
    began = time.monotonic()
    with pytest.raises(Infrastructure, match="cannot start another run of the burst: Resource temporarily unavailable"):
        at_once.at_once([("a", lambda: time.sleep(60) or 0), ("b", job())])
    assert time.monotonic() - began < 30, "it was ended, not waited for"
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), "signals come through again"


def measuring(folder: Path, begin: int, end: int) -> None:
    run = documents.run(starts_ns=(begin, 5), ends_ns=(5, end))
    synthetic(processes=documents.plain([documents.process(run, {})])).write(folder / f"benchmark_{begin}.json")


def test_the_share_in_which_all_were_measuring(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    assert at_once.overlap(folders[:1]) is None, "a run that failed left no result"
    measuring(folders[0], 0, 100)
    measuring(folders[1], 20, 90)
    measuring(folders[2], 200, 210)
    assert at_once.overlap(folders[:2]) == 0.7
    assert at_once.overlap(folders) == 0


def test_a_burst_is_a_number_of_runs():
    assert Surroundings.of({}).burst == 1 and Surroundings.of({BURST_VARIABLE: ""}).burst == 1
    assert Surroundings.of({BURST_VARIABLE: "4"}).burst == 4
    for text in ("0", "-1", "x", "²", "9" * 5000):
        with pytest.raises(BadInput, match="is not a number of concurrent runs"):
            Surroundings.of({BURST_VARIABLE: text})


def test_kpi_calls_a_burst_by_its_name(tmp_path):
    for iteration, rate in (("itr-1", 10.0), ("itr-2", 20.0)):
        put_log(tmp_path / iteration, log(rates=(rate,), BURST="2", Throughput_CI95=None))
    done = kpi(tmp_path)
    assert done.returncode == 0 and "*Throughput (samples/sec): 15.0000" in done.stdout
    assert "## BURST: 2" in done.stdout and "# BURST RESULT: 2 runs at once" in done.stdout


def disturbed(count: int = 2, **changes):
    made = synthetic(**changes)
    made.placement.burst = count
    return made


def test_nobody_takes_a_burst_for_a_run_alone(tmp_path, capsys):
    pytest.importorskip("yaml")
    alone = put(tmp_path / "a", synthetic())
    together = put(tmp_path / "b", disturbed())
    assert main(["compare", str(alone), str(together)]) == 2
    shown = capsys.readouterr()
    assert "placement burst: (absent) -> 2" in shown.out and "burst must be equal" in shown.err
    assert main(["compare", str(together), str(put(tmp_path / "c", disturbed()))]) == 0
    assert main(["list", str(together)]) == 0
    assert "# BURST RESULT: one of 2 runs at once on the same cores" in capsys.readouterr().out
    assert main(["reference", str(tmp_path / "b")]) == 2
    assert "left out: one of 2 runs at once" in capsys.readouterr().err
    assert main(["rerun", str(together)]) == 2
    assert "to repeat it: ctest.sh --burst" in capsys.readouterr().err
    references = tmp_path / "r.yaml"
    references.write_text("systems:\n - cpu: '*'\n   cases:\n    '*': {throughput: {value: 1000, tolerance: 5 %}}\n")
    assert main(["gate", str(together), "--references", str(references)]) == 1
    assert "references are for single runs" in capsys.readouterr().out
    assert main(["gate", str(together)]) == 0, "no file promised a comparison"
    entry, = collection.find([together])
    assert comparability.things(entry.result, synthetic()) == {"burst"}


@needs_cmake
@pytest.mark.parametrize("loud", [(), ("-V",)])
def test_a_run_ends_with_its_card_and_without_its_log(checkout, loud):
    done = checkout.ctest(*loud, "--testcase", checkout.case, "--steps=10")
    card = done.stdout[done.stdout.index("\n-- ") + 1:].splitlines()
    assert done.returncode == 0 and len(card) <= 10
    assert card[0] == f"-- {checkout.case.partition('public_')[2]}"
    assert "   Throughput  10.00 samples/sec, 95 % interval 10.00 to 10.00" in card[1] and "between steps" in card[1]
    assert "   Verdict     valid" in card and card[-1].startswith("   Next ")
    assert "STEPS: 10" not in done.stdout and ("1 check ok" in done.stdout) == bool(loud)
    log, = checkout.logs()[-1].glob("itr-1/*/*.log")
    assert "STEPS: 10\n" in log.read_text(), "the log file stays whole"
    kept = (checkout.build / "Testing/Temporary/LastTest.log").read_text()
    assert "STEPS: 10\n" in kept, "and so does what ctest keeps"


@needs_cmake
def test_a_failed_run_has_a_card_and_several_cases_have_a_table(checkout):
    done = checkout.ctest("--testcase", checkout.case, "--set", FAILS)
    assert done.returncode == 1 and "   Verdict     failed: FAKE failure\n" in done.stdout
    assert re.search(r"^   Next        less \S+/benchmark_\S+\.log$", done.stdout, re.M)
    done = checkout.ctest("-R", "inference_throughput_avx2.*gated|inference_throughput_amx_int8_gated",
                          "--platform=MILAN", "--steps=10")
    rows = done.stdout[done.stdout.index("\ncase ") + 1:].splitlines()
    assert len(rows) == 4 and all("10.00 samples/sec" in row and "valid" in row for row in rows[1:-1])
    assert rows[-1].startswith("Next ")
    assert "case " not in checkout.ctest("--testcase", checkout.case, "--dry-run").stdout.partition("tests passed")[2]
    refused = checkout.ctest("--testcase", checkout.case, "--dry-run", "--options=--cpus=2")
    assert refused.returncode == 2 and "   Verdict     refused: --options=--cpus=2: " in refused.stdout


@needs_cmake
def test_the_next_command_repeats_the_case_with_the_parameters_that_it_had(checkout, tmp_path):
    rules = tmp_path / "c.yaml"
    rules.write_text("'*':\n  BATCH_SIZE: 2\n  STEPS: 3\n")
    checkout.clear()
    running = checkout.start("--testcase", checkout.case, "--set", f"{HANGS}/STEPS=8 9", "--config", rules, "--VERBOSE",
                             "--customer_env=A=1 B=2")
    until(lambda: [*checkout.build.glob("workload/*/*/itr-1/worker-0-c0/benchmark_*.log")])
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=30)
    first, = checkout.logs()
    wanted = sorted((first / "workload-config.yaml").read_text().splitlines())
    backend, script, *words = shlex.split(next(line for line in out.splitlines() if line.startswith("   Next "))[12:])
    assert (backend, script) == ("BACKEND=native", "./ctest.sh") and words == [
        "--testcase", checkout.case, "--set", f"{HANGS}/STEPS=8 9", "--config", str(rules), "--VERBOSE",
        "--customer_env=A=1 B=2"]
    checkout.clear()
    assert checkout.ctest(*words, "--dry-run").returncode == 0
    second, = checkout.logs()
    assert sorted((second / "workload-config.yaml").read_text().splitlines()) == wanted


@needs_cmake
def test_a_gate_over_no_case_does_not_pass(checkout, tmp_path):
    (tmp_path / "references.yaml").write_text("systems: []")
    done = checkout.ctest("-R", "setup_environment", "--gate", tmp_path / "references.yaml")
    assert done.returncode == 1 and "no case was run" in done.stderr
