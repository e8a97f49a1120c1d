"""MODE=server: the pipe, what LoadGen logged, the search for a rate, the checks, LoadGen's core, what is printed."""

from __future__ import annotations

import io
import json
import os
import struct
import threading
from pathlib import Path

import msgspec
import pytest

from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.errors import BadInput, Infrastructure, RunFailed
from resnet50_bench.history import collection, plausibility
from resnet50_bench.launch.placement import place
from resnet50_bench.launch.plan import least_queries
from resnet50_bench.launch.rates import PRECISION, RateSearch
from resnet50_bench.protocol.messages import Pipes
from resnet50_bench.report import points
from resnet50_bench.result import logfile, measurement, server
from resnet50_bench.result.card import Commands, card
from resnet50_bench.result.checks import overall, result_checks
from resnet50_bench.result.ended import Ended
from resnet50_bench.result.kpi import primary
from resnet50_bench.result.processes import FeedRecord
from resnet50_bench.result.result import FRESH, Result
from resnet50_bench.result.server import RATES, Search, Served
from resnet50_bench.worker.serving import QueryFeed
from resnet50_bench.worker.stepper import Feed
from support import documents
from support.fakes import machine, topology
from support.kpi_logs import kpi

#: Two instances: 100 single queries, 50 batches of three and 25 of four.
SERVED = {0: Served(0, 10**10, {"1": 60, "3": 50}), 1: Served(0, 10**10, {"1": 40, "4": 25})}
QUERIES = 60 + 150 + 40 + 100


def write_log(folder: Path, **changes: object) -> None:
    """As LoadGen 6.0.17 writes it, without what nobody reads."""
    values = {"loadgen_version": "6.0.17 @ d6147c7eb7", "effective_target_qps": 35, "result_validity": "VALID",
              "effective_target_latency_ns": 15_000_000, "effective_target_latency_percentile": 0.99,
              "result_perf_constraints_met": True, "result_min_duration_met": True, "result_min_queries_met": True,
              "early_stopping_met": True, "result_query_count": QUERIES, "result_overlatency_query_count": 3,
              "result_completed_samples_per_sec": 34.5, "result_min_latency_ns": 2_000_000,
              "result_max_latency_ns": 30_000_000, "result_mean_latency_ns": 5_000_000}
    values |= {f"result_{p:.2f}_percentile_latency_ns": int(p * 100_000) for p in (50, 90, 95, 99, 99.9)}
    lines = [":::MLLOG " + json.dumps({"key": key, "value": value, "time_ms": 1.0})
             for key, value in (values | changes).items() if value is not None]
    (folder / server.DETAIL).write_text("\n".join(lines) + "\n")


def result(folder: Path, case: dict[str, str] | None = None, search: Search | None = None, **log: object) -> Result:
    write_log(folder, **log)
    runs = [documents.run(0, steps=110), documents.run(1, steps=65)]
    statistics = measurement.server_statistics(runs, SERVED, server.read(folder), 4, search)
    texts = {"FUNCTION": "inference", "MODE": "server", "PRECISION": "amx_int8", "BATCH_SIZE": "4",
             "CORES_PER_INSTANCE": "1", "TORCH_TYPE": "IPEX", "TARGET_QPS": "auto", "STEPS": "100",
             "CUSTOMER_ENV": "", "WEIGHTS": ""}
    return documents.result(*runs, case=texts | (case or {}), statistics=statistics)


@pytest.mark.parametrize(("most", "sizes"), [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (6, (1, 2, 4, 6))])
def test_batches_are_padded_to_the_next_prepared_size(most, sizes):
    assert server.prepared_sizes(most) == sizes
    assert [server.padded_to(sizes, count) for count in sizes] == list(sizes)


def test_the_figures_are_loadgens_and_the_batches_are_the_instances(tmp_path):
    found = result(tmp_path)
    known = found.statistics.server
    assert (known.valid, known.completed_queries_per_s, known.late, known.bound) == (True, 34.5, 3, "15 ms at P99")
    assert known.mean_batch == QUERIES / 175
    assert known.padding == pytest.approx(1 - QUERIES / (60 + 50 * 4 + 40 + 100))
    assert found.statistics.latency_ms.percentiles["99"] == 9.9
    assert [primary(found)[0].name, primary(found)[1]] == ["Server Rate", 34.5]


@pytest.mark.parametrize("missing", ["result_validity", "result_99.00_percentile_latency_ns"])
def test_a_log_that_was_cut_off_is_the_disks_fault(tmp_path, missing):
    write_log(tmp_path, **{missing: None})
    with pytest.raises(Infrastructure, match=r"mlperf_log_detail.txt is not whole.*disk full"):
        server.read(tmp_path)


def test_queries_that_no_instance_answered_are_no_result(tmp_path):
    with pytest.raises(RunFailed, match=f"LoadGen counts 9 queries, the instances answered {QUERIES}"):
        result(tmp_path, result_query_count=9)


def test_loadgens_invalid_is_invalid(tmp_path):
    found = result(tmp_path, result_validity="INVALID", result_perf_constraints_met=False, early_stopping_met=False)
    verdict, reasons = overall(result_checks(found))
    assert verdict == "invalid" and reasons[0].startswith("LoadGen: not met: the bound, early stopping")
    assert not [line for line in logfile.measured(found) if line.startswith("Server_Rate")]


@pytest.mark.parametrize(("own", "verdict", "where"), [
    (None, "note", "the instances' cores"), (7, "ok", "cpu 7, which it has alone")])
def test_what_loadgen_took_is_a_reading_and_no_other_load(tmp_path, own, verdict, where):
    found = result(tmp_path)
    found.placement.loadgen_cpu = own
    instances = found.counters.processes
    took = type(instances["100"])(cpu_s=0.2, run_queue_wait_s=1.0)
    for process in instances.values():
        process.run_queue_wait_s = 0.1  # while LoadGen ran in their place
        process.cpu_s = 1.9
    found.counters.processes = {**instances, "99": took}
    checks = {check.name: check for check in result_checks(found)}
    assert checks["LoadGen's share"].verdict.value == verdict and where in checks["LoadGen's share"].reading
    beside = "ok" if own is None else "noisy"  # with a core of its own, what they waited for was something else
    assert checks["waiting for a core"].verdict.value == beside
    assert checks["other load"].verdict.value == beside


class Pool(Feed):
    example = range(4)

    def batches(self):
        return iter([(self.example, None)] * 100)

    def record(self):
        return FeedRecord(pool_batches=1)


def test_an_instance_takes_what_waits_and_answers_it_until_loadgen_is_gone(tmp_path):
    pipes = Pipes(str(tmp_path / "queries"), str(tmp_path / "answers"))
    for path in (pipes.queries, pipes.answers):
        os.mkfifo(path)
    queries, answers = os.open(pipes.queries, os.O_RDWR), os.open(pipes.answers, os.O_RDWR)
    os.write(queries, struct.pack("7Q", *range(7)))
    feed, sizes = QueryFeed(Pool(), pipes), []
    assert [len(feed.warm_batch()) for _ in range(4)] == [1, 2, 4, 1]

    def serve() -> None:
        for images, ids in feed.batches():
            sizes.append(len(images))
            feed.after(None, ids)
        feed.close()

    instance = threading.Thread(target=serve)
    instance.start()
    answered: list[int] = []
    while len(answered) < 7:
        data = os.read(answers, 4096)
        answered += struct.unpack(f"{len(data) // 8}Q", data)
    os.close(queries)
    instance.join(10)
    os.close(answers)
    assert not instance.is_alive() and answered == list(range(7)) and sizes == [4, 4]
    served = feed.record().served
    assert served.batches == {"3": 1, "4": 1} and served.queries == 7 and served.began_ns < served.ended_ns


def search(folder: Path, highest: float, **words: object) -> RateSearch:
    """On FAKE instances that reach 200 images/s and keep to the bound up to ``highest`` queries/s."""
    case = resolve([Layer("flag", {"MODE": "server", "PRECISION": "avx2_fp32"})], machine(folder / "machine"))

    def run(tried, own_folder: Path, workers: str, known: Search) -> Result:
        (own_folder / "mark").write_text(f"{tried.tried_rate} {workers}")
        if tried.mode == "throughput":
            return documents.synthetic(200.0)
        limit = words.get("fresh", highest) if workers == FRESH else highest
        valid = tried.tried_rate <= limit and folder / RATES / words.get("disturbed", "") != own_folder
        fastest = words.get("fastest_ns", 2_000_000)
        return result(folder, search=known, result_validity="VALID" if valid else "INVALID",
                      result_min_latency_ns=fastest, **words.get("log", {}))

    return RateSearch(case, folder, run, words.get("say", lambda line: None))


@pytest.mark.parametrize("highest", [190.0, 137.0, 40.0, 7.0])
def test_the_highest_valid_rate_is_found_to_three_percent(tmp_path, highest):
    searched = search(tmp_path, highest)
    searched.find()
    rates = [rate.queries_per_s for rate in searched.tried]
    assert highest * (1 - PRECISION) <= rates[-1] <= highest and searched.throughput == 200.0
    assert (tmp_path / "mark").read_text() == f"{rates[-1]} fresh", "the confirmed run is the case's"
    assert all((tmp_path / rate.folder / "mark").exists() for rate in searched.tried[:-1])


def test_a_disturbed_rate_is_tried_once_more_and_one_that_is_too_high_is_not(tmp_path):
    searched = search(tmp_path / "disturbed", 150.0, disturbed="1-100.00")
    searched.find()
    assert [rate.queries_per_s for rate in searched.tried[:2]] == [100.0, 100.0]
    assert [rate.valid for rate in searched.tried[:2]] == [False, True] and searched.tried[-1].queries_per_s > 145
    searched = search(tmp_path / "too high", 50.0, log={"result_50.00_percentile_latency_ns": 16_000_000})
    searched.find()
    rates = [rate.queries_per_s for rate in searched.tried[:-1]]
    assert len(rates) == len(set(rates))


def test_a_rate_that_fresh_processes_do_not_confirm_is_lowered(tmp_path):
    said: list[str] = []
    searched = search(tmp_path, 100.0, fresh=96.0, say=said.append)
    searched.find()
    assert 96.0 * (1 - PRECISION) <= searched.tried[-1].queries_per_s <= 96.0
    assert sum(", new processes: " in line for line in said) >= 2


def test_where_no_rate_is_valid_the_search_says_so(tmp_path):
    with pytest.raises(RunFailed, match="no rate is valid: LoadGen finds .* queries/s INVALID"):
        search(tmp_path, 0.0).find()
    searched = search(tmp_path, 0.0, fastest_ns=16_000_000)
    with pytest.raises(RunFailed, match="nothing meets LATENCY_BOUND_MS=15: the fastest query took 16.00 ms"):
        searched.find()
    assert len(searched.tried) == 1, "no lower rate could be valid"


@pytest.mark.parametrize(("cores", "each", "own", "instances"), [
    (2, 1, None, 2), (28, 4, None, 7), (32, 4, 28, 7), (30, 4, 28, 7), (3, 2, 2, 1)])
def test_loadgen_gets_an_idle_core_or_that_of_the_eighth_instance(tmp_path, cores, each, own, instances):
    shape = topology(tmp_path, sockets=1, cores_per_node=cores)
    placed, notices = place(shape, each, "flex", False, True)
    assert (placed.loadgen_cpu, len(placed.instances)) == (own, instances)
    assert any("LoadGen" in notice for notice in notices)
    assert own not in placed.idle_cpus and place(shape, each, "flex", False)[0].loadgen_cpu is None


def test_parameters_of_server_are_refused_elsewhere_and_large_batches_there(tmp_path):
    with pytest.raises(BadInput, match="TARGET_QPS is for MODE=server only"):
        resolve([Layer("flag", {"TARGET_QPS": "10"})], machine(tmp_path))
    with pytest.raises(BadInput, match="BATCH_SIZE=513 is too large with MODE=server"):
        resolve([Layer("flag", {"MODE": "server", "BATCH_SIZE": "513"})], machine(tmp_path))
    case = resolve([Layer("flag", {"MODE": "server", "TARGET_QPS": "12.5"})], machine(tmp_path))
    assert case.queries_per_s == 12.5 and not case.seeks_rate and case.batch_size == 4
    assert least_queries(case) == 460, "0.99 ** 459 is just below 1 %"


def test_a_search_whose_limit_was_disturbed_each_time_is_noisy(tmp_path):
    def tried(*noise: str) -> Search:
        invalid = server.Rate(queries_per_s=80, valid=False, latency_ms=16.0, folder="", why="early stopping")
        rates = [msgspec.structs.replace(invalid, noise=name) for name in noise]
        valid = server.Rate(queries_per_s=70, valid=True, latency_ms=14.0, folder="")
        return Search((msgspec.structs.replace(valid, valid=False), valid, *rates), 200.0)

    def check(search: Search):
        return next(one for one in result_checks(result(tmp_path, search=search)) if one.name == "search")

    disturbed = check(tried("steal time", "other load"))
    assert disturbed.verdict.value == "noisy" and "80.00 queries/s INVALID P99 16.00 ms" in disturbed.message
    assert "not met: early stopping; noisy: other load" in disturbed.message
    assert check(tried("steal time", "")).verdict.value == "ok" == check(tried()).verdict.value


def test_the_card_says_rate_bound_and_how_far_below_throughput(tmp_path):
    found = result(tmp_path, search=Search((), 46.0))
    lines = card(Ended("case", 0, iterations=[[found]]), Commands("again"))
    assert any("34.50 queries/sec within 15 ms at P99, 25 % below the throughput of 46.00 images/s" in line
               for line in lines)
    assert any("P50 5.00, P90 9.00, P99 9.90" in line for line in lines)


def test_rates_of_nodes_add_up(tmp_path):
    found = result(tmp_path)
    sink = io.StringIO()
    sink.write("MODE: server\nINSTANCE_NUMBER: 2\nLOG_FORMAT: 1\nEvaluating RESNET: total Steps: 100\nComplete...\n")
    sink.write("\n".join(logfile.measured(found)) + "\nVERDICT: valid\nRESULT: passed\n")
    for node in (0, 1):
        (tmp_path / f"itr-1/worker-{node}-c0").mkdir(parents=True)
        (tmp_path / f"itr-1/worker-{node}-c0/benchmark_server_20260101-000000.log").write_text(sink.getvalue())
    printed = kpi(tmp_path).stdout
    assert "*Server Rate (queries/sec): 69.0000" in printed and "Server Batch (queries): 2.0000" in printed


def test_rates_within_different_bounds_have_a_best_each(tmp_path):
    for bound in ("15", "150"):
        case = {"LATENCY_BOUND_MS": bound, "LATENCY_PERCENTILE": "99"}
        result(tmp_path, case).write(tmp_path / f"benchmark_{bound}.json")
    rows = points.best(points.points(collection.find([tmp_path])))
    assert [winner.facts["LATENCY_BOUND_MS"] for winner, _, _ in rows] == ["15", "150"]


def test_equal_rates_of_two_precisions_are_not_implausible(tmp_path):
    for number, precision in enumerate(("avx_fp32", "amx_int8")):
        folder = tmp_path / f"2026010{number}-000000-logs-case_{precision}/itr-1/worker-0-c0"
        folder.mkdir(parents=True)
        result(folder, {"PRECISION": precision}).write(folder / "benchmark_server.json")
    assert list(plausibility.lines(folder.parents[1])) == []


def test_restarts_of_a_search_show_how_far_they_differ(tmp_path):
    runs = [[result(tmp_path, result_completed_samples_per_sec=rate)] for rate in (33.0, 34.0, 35.0)]
    lines = card(Ended("case", 0, iterations=runs), Commands("again"))
    assert any("34.00 queries/sec within 15 ms at P99, 95 % interval 31.52 to 36.48 between 3 restarts" in line
               for line in lines)
