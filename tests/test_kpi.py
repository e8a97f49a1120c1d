"""kpi.sh as users run it: under several shells and awks, on good and broken logs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import msgspec
import pytest

from resnet50_bench.ctest import logs
from resnet50_bench.history import collection, listing
from resnet50_bench.result import logfile
from resnet50_bench.result.records import Statistics
from support import documents, results
from support.kpi_logs import KPI, kpi, log, put

SHELLS = {"sh": ["sh"], "bash": ["bash"], "busybox-sh": ["busybox", "sh"]}
AWKS = {"mawk": "mawk", "gawk": "gawk", "busybox-awk": "busybox awk"}


FOREIGN = "MODE: throughput\nBATCH_SIZE: 8\nEvaluating RESNET: total Steps: 5\nComplete...\nThroughput: 7.5 fps\n" \
          "Throughput: 12.5 fps\n"


def assert_invalid(done: subprocess.CompletedProcess, why: str) -> None:
    assert done.returncode == 1
    assert f"# INVALID RESULT: {why}" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("*")]


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_and_awk(tmp_path, shell, awk):
    if not shutil.which(SHELLS[shell][0]) or not shutil.which(AWKS[awk].split()[0]):
        pytest.skip(f"{shell} or {awk} is not installed")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "awk").write_text(f'#!/bin/sh\nexec {AWKS[awk]} "$@"\n')
    (tools / "awk").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    for iteration, rate in (("itr-1", 10.0), ("itr-2", 20.0), ("itr-10", 30.0)):
        put(tmp_path / "mean" / iteration, log(rates=(rate,), Throughput_CI95=None))
    for count in (2, 3):  # what an earlier call left of two of them is not told of three
        (tmp_path / f"mean/between-{count}-iterations.txt").write_text(f"# of {count}\nSpread (%): 1.0000\n")
    done = kpi(tmp_path / "mean", shell=SHELLS[shell], PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[7:12] == ["# mean of 3 iterations", "*Throughput (samples/sec): 20.0000", "# of 3",
                                              "Spread (%): 1.0000", "Latency (ms): 12.5000"]
    put(tmp_path / "good", log())
    done = kpi(tmp_path / "good", "make_kpi_resnet50", shell=SHELLS[shell], PATH=path, LC_ALL="de_DE.UTF-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "## MODE: throughput", "## CASE_TYPE: ", "## PRECISION: amx_int8", "## BATCH_SIZE: 4",
        "## CUSTOMER_ENV: A=1 B=x:y", "## INSTANCE_NUMBER: 2", "## Torch_Version: 2.8.0",
        "*Throughput (samples/sec): 40.0000", "Throughput CI95 Low (samples/sec): 39.0000",
        "Throughput CI95 High (samples/sec): 41.0000", "Latency (ms): 12.5000", "Latency P99 (ms): 20.0000",
        "Window Overlap (%): 99.9000", "Instance 0 Throughput (samples/sec): 10.0000",
        "Instance 1 Throughput (samples/sec): 30.0000"]
    put(tmp_path / "foreign", FOREIGN, status=None)
    assert "*Throughput (samples/sec): 20.0000" in kpi(tmp_path / "foreign", shell=SHELLS[shell], PATH=path).stdout
    put(tmp_path / "dead", log(**{"Throughput#1": None}))
    assert_invalid(kpi(tmp_path / "dead", shell=SHELLS[shell], PATH=path), "1 of 2 instances reported")


@pytest.mark.parametrize(("text", "status", "why"), [
    (log(RESULT=None), "0", "the log was cut off: no RESULT line in worker-0-c0/benchmark_"),
    (log(**{"Complete...": None}), "0", "the log was cut off: no Complete..."),
    (log(RESULT="failed: instance 1 (pid 7) was killed by SIGKILL"), "1", "instance 1 (pid 7) was killed by SIGKILL"),
    (log(VERDICT="invalid: overlap: hardly together"), "0", "overlap: hardly together"),
    (log(), "137", "exit status 137"),
    (log(**{"Throughput#0": "nan fps"}), "0", "Throughput: nan"),
    (log(**{"Throughput#0": "-1 fps"}), "0", "Throughput: -1"),
    (log(Latency_P99="inf ms"), "0", "Latency_P99: inf"),
    (log(Total_Throughput="50.0 fps"), "0", "Total_Throughput 50.0 is not the sum of the instances, 40"),
    (log(mode="latency", Latency_Mean=None), "0", "a log of MODE latency without its Latency"),
    (log(mode="accuracy", rates=(), Total_Throughput=None), "0", "a log of MODE accuracy without its Accuracy"),
    (log(INSTANCE_NUMBER=None), "0", "no INSTANCE_NUMBER line"),
    (log(), "", "exit status missing"),
    (log(), "killed", "exit status killed"),
    (log(**{"Throughput#0": "0 fps"}), "0", "Throughput: 0"),
    (log(**{"Throughput#0": "fast"}), "0", "Throughput: fast"),
    (log(Window_Duration="0.000 s"), "0", "Window_Duration: 0.000"),
    (log(Throughput_CI95="nan 41 fps"), "0", "Throughput_CI95"),
    (log(Total_Throughput=" fps"), "0", "Total_Throughput: fps"),
    ("MODE: latency\nThroughput: 7.5 fps\n", "0", "no BATCH_SIZE to derive the latency from"),
    ("", "0", "no Throughput line"),
    (FOREIGN.replace("Complete...\n", ""), "0", "the log was cut off: no Complete..."),
    (FOREIGN + "INSTANCE_NUMBER: 3\n", "0", "2 of 3 instances reported"),
])
def test_what_is_not_a_whole_and_sound_run_has_no_kpi(tmp_path, text, status, why):
    put(tmp_path, text, status=status)
    assert_invalid(kpi(tmp_path), why)


def test_no_logs_and_no_folder(tmp_path):
    assert_invalid(kpi(tmp_path), "no benchmark_*.log below")


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("folders", [("amx_int8_b1_c2", "amx_int8_b2_c2"), ("1-54.77", "throughput"),
                                     ("itr-1/round-001", "itr-1/round-002"), ("older", "worker-0-c0"), ("older", "."),
                                     ("itr-1/worker-0-c0", ".")])
def test_runs_beside_each_other_are_not_added_up_as_nodes(tmp_path, folders, awk):
    if not shutil.which(AWKS[awk].split()[0]):
        pytest.skip(f"{awk} is not installed")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/awk").write_text(f'#!/bin/sh\nexec {AWKS[awk]} "$@"\n')
    (tmp_path / "tools/awk").chmod(0o755)
    for folder in folders:
        put(tmp_path / "runs", log(), worker=folder)
    done = kpi(tmp_path / "runs", PATH=f"{tmp_path}/tools:{os.environ['PATH']}")
    names = " and ".join("this folder" if folder == "." else folder for folder in folders)
    assert_invalid(done, f"{names} are not nodes (worker-*) of one run. Name the folder of one run, or list several "
                         "with list-kpi.sh")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert "*Throughput (samples/sec): 40.0000" in kpi(tmp_path, f"runs/{folders[0]}").stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_log_in_the_folder_itself_is_the_runs_one_node(tmp_path, shell):
    """As run_test.sh and the points of a sweep leave them."""
    if not shutil.which(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not installed")
    put(tmp_path, log(rates=(1.0,)), worker=".", status=None)
    put(tmp_path, log(rates=(2.0,)), worker=".", status=None, date="20260102-000000")
    put(tmp_path / "rates", log(), worker="throughput")
    for words in ((), (".",), (str(tmp_path),)):
        done = kpi(tmp_path, *words, shell=SHELLS[shell])
        assert (done.returncode, done.stderr) == (0, "") and "*Throughput (samples/sec): 2.0000\n" in done.stdout
    put(tmp_path, log(), worker=".", status="1")
    assert_invalid(kpi(tmp_path, shell=SHELLS[shell]), "exit status 1 in status\n")


@pytest.mark.parametrize("words", [("nowhere",), ("-",), ("",), ("--help",), ("a", "b"), ("file",)])
def test_a_wrong_argument_is_told_on_stderr(tmp_path, words):
    for name in "ab":
        put(tmp_path / name, log())
    (tmp_path / "file").touch()
    done = kpi(tmp_path, *words, OLDPWD=str(tmp_path / "a"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kpi.sh: ") and done.stderr.count("\n") == 1


def test_cdpath_does_not_lead_elsewhere(tmp_path):
    put(tmp_path / "here" / "logs", log(rates=(1.0,)))
    put(tmp_path / "there" / "logs", log(rates=(2.0,)))
    done = kpi(tmp_path / "here", "logs", CDPATH=str(tmp_path / "there"))
    assert "*Throughput (samples/sec): 1.0000" in done.stdout


def test_the_modes_have_their_own_primary_kpi(tmp_path):
    put(tmp_path / "l", log(mode="latency"))
    put(tmp_path / "a", log(mode="accuracy", rates=(), Total_Throughput=None, Throughput_CI95=None,
                            Accuracy="76.13", Accuracy_Top5="92.862"))
    latency, accuracy = kpi(tmp_path / "l").stdout, kpi(tmp_path / "a").stdout
    assert "\n*Latency (ms): 12.5000\n" in latency and "\nThroughput (samples/sec): 40.0000\n" in latency
    assert "\n*Accuracy (%): 76.1300\n" in accuracy and "\nAccuracy Top5 (%): 92.8620\n" in accuracy


def test_a_noisy_result_says_so_before_its_kpi(tmp_path):
    put(tmp_path, log(VERDICT="noisy: other load: 12 %"))
    done = kpi(tmp_path)
    assert done.returncode == 0
    assert done.stdout.index("# NOISY RESULT: other load: 12 %") < done.stdout.index("*Throughput")


def test_a_foreign_latency_is_derived_and_says_so(tmp_path):
    put(tmp_path, FOREIGN.replace("throughput", "latency"), status=None)
    done = kpi(tmp_path)
    assert "*Latency (ms): 800.0000" in done.stdout  # 1000 x 8 / 10 images/s of a mean instance
    assert "# Latency derived from throughput" in done.stdout


def test_the_newest_log_of_a_worker_counts_whatever_its_name_begins_with(tmp_path):
    put(tmp_path, log(rates=(1.0,)), date="20260102-000000")
    put(tmp_path, log(rates=(2.0,)), date="20260103-000000")
    put(tmp_path, log(rates=(3.0,)), date="20260101-000000")
    assert "*Throughput (samples/sec): 2.0000" in kpi(tmp_path).stdout


def test_workers_add_up_and_iterations_are_averaged(tmp_path):
    for iteration, rate in (("itr-1", 10.0), ("itr-2", 20.0)):
        put(tmp_path / iteration, log(rates=(rate,)))
        put(tmp_path / iteration, log(rates=(rate,)), worker="worker-1-c0")
    done = kpi(tmp_path)
    assert "*Throughput (samples/sec): 30.0000" in done.stdout and "# mean of 2 iterations" in done.stdout
    put(tmp_path / "itr-2", log(rates=(20.0,), RESULT="failed: no"))
    assert_invalid(kpi(tmp_path), "no\n")


@pytest.mark.parametrize("awk", AWKS)
def test_over_workers_the_extremes_are_extremes_and_a_percentile_is_the_worst_workers(tmp_path, awk):
    if not shutil.which(AWKS[awk].split()[0]):
        pytest.skip(f"{awk} is not installed")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/awk").write_text(f'#!/bin/sh\nexec {AWKS[awk]} "$@"\n')
    (tmp_path / "tools/awk").chmod(0o755)
    # iteration -> each worker's (mean, least, greatest, P99)
    for iteration, workers in (("itr-1", ((10, 9, 30, 20), (20, 8, 40, 28))),
                               ("itr-2", ((12, 7, 26, 24), (14, 9, 25, 16)))):
        for number, (mean, least, most, p99) in enumerate(workers):
            put(tmp_path / "logs" / iteration, log(mode="latency", Latency_Mean=f"{mean} ms", Latency_Min=f"{least} ms",
                Latency_Max=f"{most} ms", Latency_P99=f"{p99} ms"), worker=f"worker-{number}-c0")
    shown = kpi(tmp_path / "logs", PATH=f"{tmp_path}/tools:{os.environ['PATH']}").stdout
    assert [line for line in shown.splitlines() if "Latency" in line] == [
        "# Latency percentiles: of the worst of 2 workers", "*Latency (ms): 14.0000", "Latency Min (ms): 7.0000",
        "Latency Max (ms): 40.0000", "Latency P99 (ms): 26.0000"]


@pytest.mark.parametrize("shell", SHELLS)
def test_an_iteration_or_a_worker_that_left_no_log_is_not_averaged_away(tmp_path, shell):
    if not shutil.which(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not installed")
    put(tmp_path / "itr-1", log())
    (tmp_path / "itr-2" / "worker-0-c0").mkdir(parents=True)
    assert_invalid(kpi(tmp_path, shell=SHELLS[shell]), "no benchmark_*.log below itr-2/")
    put(tmp_path / "itr-2", log())
    assert "# mean of 2 iterations" in kpi(tmp_path, shell=SHELLS[shell]).stdout
    put(tmp_path / "itr-2", log(), worker="worker-1-c0")
    assert_invalid(kpi(tmp_path), "the iterations have different numbers of workers")


def test_the_interval_between_restarts_is_of_their_throughputs_summed_over_nodes(tmp_path):
    for iteration, rate in enumerate((5.0, 10.0, 15.0), start=1):
        for worker in (0, 1):
            results.put(tmp_path, results.synthetic(rate=rate), iteration=iteration, worker=worker)
    folder, = tmp_path.iterdir()
    logs.leave_spread(folder)
    # t * stdev / sqrt(n) = 4.303 * 10 / sqrt(3)
    assert (folder / "between-3-iterations.txt").read_text().splitlines() == [
        "# 95 % interval: between 3 iterations (restarts), by Student t", "Throughput CI95 Low (samples/sec): 0.0000",
        "Throughput CI95 High (samples/sec): 44.8414", "Throughput CV Between Iterations (%): 50.0000"]


@pytest.mark.parametrize(("second", "lines"), [
    ({"case": {"BATCH_SIZE": "8"}}, ["# no 95 % interval: the iterations differ in BATCH_SIZE"]),
    ({"placement": {"burst": 2}}, ["# no 95 % interval: runs at once are not independent of each other",
                                   "Throughput CV Between Iterations (%): 15.7135"]),
    (None, None)])
def test_what_are_no_restarts_of_one_thing_has_no_interval(tmp_path, second, lines):
    path = results.put(tmp_path, results.synthetic(rate=80.0))
    if second:
        results.put(tmp_path, results.synthetic(rate=100.0, **second), iteration=2)
    else:
        (path.parents[2] / "itr-2/worker-0-c0").mkdir(parents=True)
    folder, = tmp_path.iterdir()
    logs.leave_spread(folder)
    written = [file.read_text().splitlines() for file in folder.glob("between-*")]
    assert written == ([lines] if lines else [])


@pytest.mark.parametrize("accuracy", [None, {"top1": 76.1, "top5": 92.9, "count": 50, "top1_ci95": [70.0, 80.0]}])
def test_list_has_the_kpis_of_kpi_sh_by_the_same_names_in_the_same_order(tmp_path, accuracy):
    """kpi.sh is one file for any machine, so it has a table of its own."""
    result = documents.result(limits={"compute_utilization": 0.5, "memory_utilization": 0.25})
    result.statistics = msgspec.convert(msgspec.to_builtins(result.statistics) | {"accuracy": accuracy}, Statistics)
    measured = list(logfile.measured(result))
    put(tmp_path / "itr-1", "\n".join(["MODE: throughput", "INSTANCE_NUMBER: 2", "LOG_FORMAT: 1", "Evaluating RESNET: ",
                                       "Complete...", *measured, "VERDICT: valid", "RESULT: passed"]))
    result.write(tmp_path / "itr-1/worker-0-c0/benchmark_fake.json")
    printed = re.findall(r"^\*?([A-Z].*) \((.*)\): (.*)$", kpi(tmp_path).stdout, re.M)
    listed = listing.kpis(collection.find([tmp_path])[0], every=True)
    assert [(name, unit) for name, unit, _ in printed] == list(listed)
    assert [float(value) for *_, value in printed] == pytest.approx(list(listed.values()), abs=0.01)


def test_a_parameter_of_our_runner_and_an_engines_version_need_no_row(tmp_path):
    put(tmp_path / "ours", log().replace(
        "LOG_FORMAT", "NEW_PARAMETER: 7\nNew-Engine: x\nNewEngine_Version: 1\nLOG_FORMAT"))
    put(tmp_path / "foreign", f"WARNING: a word\nNewEngine_Version: 1\n{FOREIGN}", status=None)
    tunables = [[line for line in kpi(tmp_path / name).stdout.splitlines() if line.startswith("## ")][-3:]
                for name in ("ours", "foreign")]
    assert tunables[0][1:] == ["## NewEngine_Version: 1", "## NEW_PARAMETER: 7"]
    assert tunables[1] == ["## NewEngine_Version: 1", "## MODE: throughput", "## BATCH_SIZE: 8"]


def test_wsf_copies_it_inserts_a_line_and_runs_it_with_bash(tmp_path):
    put(tmp_path / "my logs" / "itr-1", log())
    lines = KPI.read_text().splitlines(keepends=True)
    copy = tmp_path / "my logs" / "kpi.sh"
    copy.write_text("".join([lines[0], "cd itr-1\n", *lines[1:]]))
    assert "*Throughput (samples/sec): 40.0000" in kpi(copy.parent, shell=["bash"], script=copy).stdout
    assert "*Throughput (samples/sec): 40.0000" in kpi(tmp_path, "my logs").stdout


def test_carriage_returns_do_no_harm(tmp_path):
    put(tmp_path, log().replace("\n", "\r\n"))
    assert "*Throughput (samples/sec): 40.0000" in kpi(tmp_path).stdout


def test_percentiles_of_a_latency_run_are_printed_with_their_names(tmp_path):
    names = ("Mean", "Min", "Max", "P50", "P90", "P95", "P99", "P99.9")
    put(tmp_path, log(mode="latency", **{f"Latency_{name}": f"{i + 1}.5 ms" for i, name in enumerate(names)}))
    shown = [line for line in kpi(tmp_path).stdout.splitlines() if line.lstrip("*").startswith("Latency")]
    assert shown == ["*Latency (ms): 1.5000",
                     *(f"Latency {name} (ms): {i + 2}.5000" for i, name in enumerate(names[1:]))]


def test_a_foreign_total_does_not_replace_the_sum(tmp_path):
    put(tmp_path, FOREIGN + "Total_Throughput: 99 fps\n", status=None)
    assert "*Throughput (samples/sec): 20.0000" in kpi(tmp_path).stdout


@pytest.mark.parametrize("line", ["Window_Overlap: 0.00 %", "Compute_Utilization: 0.00 %",
                                  "Throughput_CI95: 0.0000 50 fps"])
def test_what_our_runner_rounds_or_clamps_to_nought_is_no_fault(tmp_path, line):
    name, text = line.split(": ")
    put(tmp_path, log(**{name: text}))
    assert "*Throughput (samples/sec): 40.0000" in kpi(tmp_path).stdout


def test_the_first_line_is_the_shebang_alone():
    assert KPI.read_text().splitlines()[0] == "#!/bin/sh"


def test_a_log_whose_kernels_nothing_shows_is_called_unproven_and_keeps_its_kpi(tmp_path):
    put(tmp_path, log(Convolution_Kernels="unproven (ONNX Runtime names operators)"))
    shown = kpi(tmp_path)
    assert shown.returncode == 0 and "*Throughput (samples/sec): " in shown.stdout
    assert "# UNPROVEN RESULT: kernels unproven (ONNX Runtime names operators)\n" in shown.stdout
    put(tmp_path, log(Convolution_Kernels="brgconv:avx2 src:f32 53"))
    assert "UNPROVEN" not in kpi(tmp_path).stdout
