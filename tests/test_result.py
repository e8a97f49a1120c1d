"""A result and a process's report: written, read back, of older and newer schemas, damaged. FAKE results, no torch."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from resnet50_bench.errors import BadInput
from resnet50_bench.history import collection
from resnet50_bench.result.processes import ProcessReport
from resnet50_bench.result.result import SCHEMA_VERSION, Result, read
from support import documents

LOADER = {"decoded": 4, "bad": [["a.jpg", "no image"]], "animated": 0, "decode_s": 1.5, "wait_s": 0.5,
          "loader_images_per_s": 40.0, "loader_workers": 2}
TRAINING = {"losses": [1.5, 0.5], "began_at": 0, "steps": 2, "total_steps": 2, "rank": 0, "world": 1,
            "backend": "gloo", "top1": 0.5, "weights_sha256": "0"}
FACTS = {"layers": [{"kernel": "k", "source_type": "u8", "shape": "mb1", "time_ms": 0.5}],
         "usage": {"ru_minflt": 5, "ru_majflt": 0, "ru_utime": 1.5},
         "agreement": {"images": 4, "top1_agreement": 1.0, "largest_logit_difference": 0.5, "logit_spread": 2.0},
         "data": {"0": {**LOADER, "pool_batches": 3}, "1": {**LOADER, "counts": {"count": 4, "top1": 3, "top5": 4}},
                  "2": {**LOADER, "training": TRAINING}},
         "omp_threads": {"0": 1}, "memory": {"rss_bytes": 2, "pss_bytes": 1}, "Torch_Version": "2.8.0",
         "Torchvision_Version": "0.23.0", "IPEX_Version": "2.8.0", "quantise_nodes": 0, "local_memory": 1.0,
         "denormal_share": 0.25}


def test_a_workers_report_loses_nothing_on_its_way_into_the_result():
    report = documents.plain(documents.process(documents.run(), {"k src:u8": 53}, FACTS))
    kept = json.loads(json.dumps(msgspec.to_builtins(msgspec.convert(report, ProcessReport))))
    assert kept == json.loads(json.dumps(report))


def test_a_whole_result_reads_back_as_it_was_written(tmp_path):
    made = documents.result()
    made.write(tmp_path / "benchmark_x.json")
    assert read(tmp_path / "benchmark_x.json") == made


def test_an_older_result_is_read_and_what_is_not_known_in_it_passed_over(tmp_path):
    document = documents.document() | {"schema_version": 1, "invented": {"later": [1]}}
    del document["inputs"], document["limits"]
    document["statistics"]["window"] |= {"invented": 1}
    path = tmp_path / "benchmark_x.json"
    path.write_text(json.dumps(document))
    assert read(path).runs() == documents.result().runs()
    assert collection.find([path])[0].primary


def test_a_newer_schema_is_refused_with_both_versions(tmp_path):
    path = tmp_path / "benchmark_x.json"
    path.write_text(json.dumps(documents.document() | {"schema_version": 99, "statistics": "of another kind"}))
    with pytest.raises(BadInput, match=f"schema version 99.* up to {SCHEMA_VERSION}"):
        read(path)


def test_a_training_that_diverged_can_be_read(tmp_path):
    document = documents.document()
    document["processes"][0]["facts"]["data"] = {"0": {"training": {"losses": [1.0, float("nan")],
                                                                    "weights_sha256": "0"}}}
    made = msgspec.convert(document, Result)
    made.write(tmp_path / "benchmark_x.json")
    training, = read(tmp_path / "benchmark_x.json").trainings()
    assert training.losses[0] == 1.0 and math.isnan(training.losses[1])
    assert collection.find([tmp_path])[0].primary


@pytest.mark.parametrize(("change", "place"), [
    (lambda d: d["processes"][0]["runs"][0].update(pid="x"), "$.processes[0].runs[0].pid"),
    (lambda d: d["counters"].update(online={"before": "0"}), "$.counters.online"),
    (lambda d: d.pop("case"), "case"),
    (lambda d: d["case"].update({"\udcff": "x"}), "can't decode byte 0xff")])
def test_a_damaged_result_is_refused_with_its_place(tmp_path, change, place):
    document = documents.document()
    change(document)
    path = tmp_path / "benchmark_x.json"
    path.write_text(json.dumps(document, ensure_ascii=False), errors="surrogateescape")
    with pytest.raises(BadInput) as caught:
        read(path)
    assert str(path) in str(caught.value) and place in str(caught.value)
