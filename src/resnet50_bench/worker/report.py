"""What the instances of a process measured -> its report file, from which the launcher makes a ProcessReport."""

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
from .instance import Measured
from .job import Job


def write_report(spec: Spec, job: Job, measured: Sequence[Measured], usage: Mapping[str, float]) -> None:
    """Write to ``spec.report``, and a recipe beside it. ``usage`` is what the process used while they measured."""
    write_json(Path(spec.report), {
        "process": spec.process, "pid": os.getpid(), "prepare_s": job.prepare_s, "model_cache": job.model_cache,
        "allocator": process_facts.allocator(), "kernels": job.proof.evidence.kernels(),
        "runs": [msgspec.to_builtins(one.run) for one in measured], "facts": _facts(spec, job, measured, usage)})
    if spec.process == 0 and job.recipe:
        shutil.copyfile(job.recipe, Path(spec.report).with_name("qconf_summary.json"))


def _facts(spec: Spec, job: Job, measured: Sequence[Measured], usage: Mapping[str, float]) -> dict[str, object]:
    """What a ProcessReport has in its ``facts``; what was not looked at is absent."""
    facts: dict[str, object] = {
        "layers": [vars(convolution) for convolution in job.proof.evidence.convolutions], "usage": usage,
        "agreement": job.proof.agreement, "data": {str(index): feed.record() for index, feed in job.feeds.items()},
        "omp_threads": {str(one.run.instance): one.omp_threads for one in measured},
        "memory": process_facts.memory(), **_versions()}
    if job.quantise_nodes is not None:
        facts["quantise_nodes"] = job.quantise_nodes
    local = process_facts.local_memory(node for part in spec.instances for node in part.memory_nodes)
    if local is not None and spec.memory_nodes > 1:
        facts["local_memory"] = local
    if spec.process == 0:
        facts["denormal_share"] = job.denormal_share()
    return facts


def _versions() -> dict[str, str]:
    """Of what is imported; the distributions' own words, as importing torchvision takes a second."""
    versions = {}
    for name, package, module in (("Torch_Version", "torch", "torch"),
                                  ("Torchvision_Version", "torchvision", "torch"),
                                  ("IPEX_Version", "intel-extension-for-pytorch", "intel_extension_for_pytorch._C")):
        if module in sys.modules:
            versions[name] = metadata.version(package)
    return versions
