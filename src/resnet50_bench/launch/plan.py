"""A Case and a process of its Placement -> the command, environment and Spec of its worker."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..case import dataset
from ..case.case import Case
from ..case.dataset import DataSet
from ..case.inputs import Inputs
from ..machine.topology import format_cpulist
from ..protocol.messages import Data, Group, Part, Pipes, ServerSpec, Spec
from ..result.placement import PlacedProcess
from ..stack import user_cache
from .surroundings import Surroundings

#: int8: the number of images that calibrate the scales. Their histograms take about a second for each image.
CALIBRATION_IMAGES = 32
AGREEMENT_IMAGES = 128
#: Seeds that choose the calibration images and the images compared with fp32, so that runs are repeatable.
CALIBRATION_SEED, AGREEMENT_SEED = 1, 2
#: The only variables of the user's environment that reach an instance. Others (OMP_*, KMP_*, LD_PRELOAD ...) could
#: change a measurement unnoticed.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LD_LIBRARY_PATH",
              "XDG_CACHE_HOME", "VIRTUAL_ENV")
#: Keeps freed memory mapped. Otherwise each step pays page faults for its activations again. No background thread:
#: without decay it has nothing to do, and it woke up 20 times in each step of batch 1.
JEMALLOC_CONF = "oversize_threshold:1,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"


@dataclass(frozen=True)
class LaunchPlan:
    """The folders, libraries, cpus and memory that the workers of a Case use."""

    python: Path
    #: Folder of the instances' logs. Files exchanged with the workers are removed after the run.
    folder: Path
    #: Cache folder of prepared models.
    cache_dir: Path
    #: Paths of memory allocators by name, from ``stack.native_libraries``.
    libraries: Mapping[str, str]
    data: Data
    #: NUMA nodes that have memory.
    memory_nodes: int
    surroundings: Surroundings
    #: The idle cpus that decode images, by instance.
    loader_cpus: Mapping[int, Sequence[int]] = field(default_factory=dict)
    #: By instance: floats in each array of its bandwidth measurement. Without an entry, the worker's default.
    stream_floats: Mapping[int, int] = field(default_factory=dict)
    #: The cpus of LoadGen (MODE=server): a core of its own, or all cores of the instances.
    loadgen_cpus: Sequence[int] = ()
    #: Instances report their progress every this many seconds. 0: never.
    progress_s: float = 0.0

    @property
    def rendezvous(self) -> Path:
        """The file by which the training processes of one node find each other."""
        return self.folder / f".rendezvous-{os.getpid()}"

    @property
    def pipes(self) -> Pipes:
        """The pipes between LoadGen and the instances (MODE=server)."""
        return Pipes(str(self.folder / ".server.queries"), str(self.folder / ".server.answers"))


@dataclass(frozen=True)
class Setup:
    """The properties that a worker process cannot change. ``unbound``: why its memory is not bound, or None."""

    command: list[str]
    environment: dict[str, str]
    cpus: list[tuple[int, ...]]
    unbound: str | None


def setup(case: Case, process: PlacedProcess, plan: LaunchPlan) -> Setup:
    """How to start the process. Append the spec file and the channel's file descriptor to its command."""
    binding, unbound = memory_binding(process, plan.memory_nodes)
    cpus = [instance.cpus for instance in process.instances]
    return Setup([*binding, str(plan.python), "-m", "resnet50_bench.worker.main"],
                 worker_environment(case, cpus, plan.libraries, plan.surroundings.variables), cpus, unbound)


def memory_binding(process: PlacedProcess, memory_nodes: int) -> tuple[list[str], str | None]:
    """Return (``numactl --membind`` words, None), or ([], why memory is not bound), or ([], None) if there is
    nothing to bind: the instances use all nodes with memory, or one of their nodes has none.
    """
    nodes = {node for instance in process.instances for node in instance.memory_nodes}
    if len(nodes) >= memory_nodes or not all(instance.memory_nodes for instance in process.instances):
        return [], None
    numactl = shutil.which("numactl")
    if not numactl:
        return [], "memory is not bound to its NUMA nodes: numactl is not installed"
    words = [numactl, f"--membind={format_cpulist(nodes)}"]
    allowed = subprocess.run([*words, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if allowed.returncode != 0:
        return [], ("memory is not bound to its NUMA nodes: the kernel refused numactl (in a container add "
                    "--cap-add SYS_NICE)")
    return words, None


def worker_environment(case: Case, instances: list[tuple[int, ...]], libraries: Mapping[str, str],
                       outer: Mapping[str, str]) -> dict[str, str]:
    """The complete environment of a process with these instances (each a tuple of its cpus).

    ``libraries`` has the paths of ``jemalloc`` and ``tcmalloc`` if they were found. CUSTOMER_ENV overrides all others.
    """
    environment = {name: outer[name] for name in _PASSED_ON if name in outer}
    environment |= {
        # PyTorch reads both, and otherwise fails for a user id without an entry in /etc/passwd.
        "HOME": str(user_cache.home()), "USER": outer.get("USER") or user_cache.user_name(),
        "PYTHONPATH": os.pathsep.join(filter(None, (outer.get("PYTHONPATH"), str(user_cache.import_path())))),
        "PYTHONUNBUFFERED": "1",
        "ONEDNN_MAX_CPU_ISA": case.arithmetic.isa_cap,
        "OMP_NUM_THREADS": str(len(instances[0])),
        "OMP_DYNAMIC": "FALSE",
    }
    if len(instances) == 1:
        # OpenMP's places are one list for the whole process. Several instances in one process are
        # therefore bound by their thread's mask, which their OpenMP threads inherit.
        environment["OMP_PROC_BIND"] = "close"
        environment["OMP_PLACES"] = ",".join(f"{{{cpu}}}" for cpu in instances[0])
    if "jemalloc" in libraries:
        environment |= {"LD_PRELOAD": libraries["jemalloc"], "MALLOC_CONF": JEMALLOC_CONF}
    elif "tcmalloc" in libraries:
        environment["LD_PRELOAD"] = libraries["tcmalloc"]
    return environment | dict(case.customer_env)


def data(inputs: Inputs, case: Case, parts: int) -> Data:
    """The data that the workers read. ``parts`` instances share the data set."""
    images = inputs.dataset
    sampled = images if not case.training else None
    return Data(
        weights=inputs.record.weights or "", weights_sha256=inputs.record.weights_sha256 or "", qconf=case.qconf,
        checkpoint=case.checkpoint, dataset=str(images.root) if images else "",
        classes=len(images.classes) if images else None, parts=parts,
        images=len(sampled.images) if sampled and case.accuracy else 0,
        calibration=_sample(sampled, CALIBRATION_IMAGES, CALIBRATION_SEED),
        agreement=_sample(sampled, AGREEMENT_IMAGES, AGREEMENT_SEED))


def _sample(images: DataSet | None, count: int, seed: int) -> tuple[str, ...]:
    if images is None:
        return ()
    sample = dataset.calibration_sample(images, count, seed)
    return tuple(str(image.path) for image in sample)


def spec(case: Case, process: PlacedProcess, plan: LaunchPlan) -> Spec:
    """The orders for the worker of ``process``. It writes its report and log into the plan's folder."""
    parts = tuple(
        Part(index=instance.index, cpus=instance.cpus, memory_node=instance.memory_node,
             memory_nodes=instance.memory_nodes, loader_cpus=tuple(plan.loader_cpus.get(instance.index, ())),
             stream_floats=plan.stream_floats.get(instance.index))
        for instance in process.instances)
    nodes = plan.surroundings.nodes if case.training else None
    return Spec(
        process=process.index, cpus=tuple(sorted(cpu for part in parts for cpu in part.cpus)), instances=parts,
        precision=case.precision, torch_type=case.torch_type, batch_size=case.batch_size,
        steps=None if case.serving else case.steps,
        warmup_steps=case.warmup_steps, min_duration_s=case.min_duration, accuracy=case.accuracy,
        training=case.training, data=plan.data,
        group=nodes or Group(0, 1, str(plan.rendezvous)),
        cache_dir=str(plan.cache_dir), report=str(plan.folder / f".process-{process.index}.report.json"),
        log=str(plan.folder / f"instance-{parts[0].index}.log"), memory_nodes=plan.memory_nodes,
        customer_env=tuple(name for name, _ in case.customer_env), progress_s=plan.progress_s,
        disturbed=plan.surroundings.burst > 1, pipes=plan.pipes if case.serving else None)


def server_spec(case: Case, cpus: Sequence[int], plan: LaunchPlan, pipes: Pipes) -> ServerSpec:
    """The orders for LoadGen."""
    return ServerSpec(
        cpus=tuple(cpus), pipes=pipes, folder=str(plan.folder), bound_ms=case.latency_bound_ms or 0.0,
        percentile=case.latency_percentile or 0.0, min_duration_s=case.min_duration, min_queries=least_queries(case))


def least_queries(case: Case) -> int:
    """The least number of queries: STEPS, or what early stopping needs for a verdict if that is more.

    n queries without a late one are enough if percentile ** n <= 1 %, because LoadGen's confidence is 99 %.
    """
    return max(case.steps or 1, math.ceil(math.log(0.01) / math.log((case.latency_percentile or 0.0) / 100)) + 1)
