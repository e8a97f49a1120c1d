"""What the instances of a process measured -> its ProcessReport in a file, which the launcher reads."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from ..files import write_json
from ..machine import process_facts
from ..protocol.messages import Spec
from ..result.processes import Facts, ProcessReport
from .instance import Measured
from .job import Job


def write_report(spec: Spec, job: Job, measured: Sequence[Measured], usage: Mapping[str, int | float],
                 computing: Mapping[str, list[list[int]]]) -> None:
    """Write to ``spec.report``, and a recipe beside it.

    ``usage`` is what the process used while they measured, ``computing`` the cpus of the threads that computed then.
    """
    report = ProcessReport(
        process=spec.process, pid=os.getpid(), prepare_s=job.prepare_s, model_cache=job.model_cache,
        allocator=process_facts.allocator(), kernels=job.proof.evidence.kernels(),
        runs=tuple(one.run for one in measured), facts=_facts(spec, job, measured, usage, computing))
    write_json(Path(spec.report), msgspec.to_builtins(report))
    if spec.process == 0 and job.recipe:
        shutil.copyfile(job.recipe, Path(spec.report).with_name("qconf_summary.json"))


def _facts(spec: Spec, job: Job, measured: Sequence[Measured], usage: Mapping[str, int | float],
           computing: Mapping[str, list[list[int]]]) -> Facts:
    nodes = (node for part in spec.instances for node in part.memory_nodes)
    return Facts(
        layers=list(job.proof.evidence.convolutions),
        usage=dict(usage), agreement=job.proof.agreement,
        data={str(index): feed.record() for index, feed in job.feeds.items()},
        answers={str(one.run.instance): one.answers for one in measured},
        omp_threads={str(one.run.instance): one.omp_threads for one in measured},
        computing_cpus=dict(computing), memory=process_facts.memory(),
        # The distributions' own words: importing torchvision takes a second.
        torch_version=_version("torch", "torch"), torchvision_version=_version("torchvision", "torch"),
        ipex_version=_version("intel-extension-for-pytorch", "intel_extension_for_pytorch._C"),
        quantise_nodes=job.quantise_nodes, unproven=job.proof.evidence.unproven or None,
        local_memory=process_facts.local_memory(nodes) if spec.memory_nodes > 1 else None,
        denormal_share=job.denormal_share() if spec.process == 0 else None)


def _version(package: str, module: str) -> str | None:
    """Of a package where the module that shows its use is imported."""
    return metadata.version(package) if module in sys.modules else None
