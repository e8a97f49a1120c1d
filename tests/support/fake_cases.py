"""FAKE runs of cases for ``versus`` and ``engines``: nothing is measured, their results are written."""

from __future__ import annotations

from pathlib import Path

from resnet50_bench.errors import Interrupted
from resnet50_bench.launch import versions
from resnet50_bench.result.result import Result
from support.documents import decoded

_PROCESS = {"process": 0, "pid": 1, "prepare_s": 2.5, "model_cache": "hit", "allocator": "jemalloc", "runs": [],
            "kernels": {"brgconv:avx2 src:f32": 53}}


class FakeCases:
    """Takes the place of ``run_case``: the run number ``ends_at`` is interrupted."""

    def __init__(self, cpu: str, ends_at: int = 0) -> None:
        self.cpu, self.ends_at, self.measured = cpu, ends_at, []

    def run_case(self, case, found, topology, python, folder: Path, *more, echo) -> Result:
        if len(self.measured) + 1 == self.ends_at:
            raise Interrupted(2, "ended by SIGINT")
        self.measured.append("/".join(folder.parts[-3:]))
        result = decoded({"case": case.texts(), "started_at": f"2026-01-01T00:00:{len(self.measured):02}",
                          "system": {"cpu": self.cpu}, "software": versions.software_record(python),
                          "topology": topology, "placement": {}, "verdict": "valid", "processes": [_PROCESS],
                          "statistics": {"throughput_images_per_s": 100.0 + len(self.measured) % 7}})
        result.write(folder / "benchmark_x.json")
        return result
