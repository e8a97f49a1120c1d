"""A Case, its inputs and a process of its placement -> the Spec that its worker reads."""

from __future__ import annotations

import os
from pathlib import Path

from ..case import dataset
from ..case.case import Case
from ..case.dataset import DataSet
from ..case.inputs import Inputs
from ..protocol.messages import Data, Group, Part, Spec
from ..result.placement import PlacedProcess
from .nodes import Nodes
from .plan import LaunchPlan

#: int8: images whose activations give the scales; their histograms cost about a second an image.
CALIBRATION_IMAGES = 32
AGREEMENT_IMAGES = 128
#: The images that calibrate, and those that are compared with fp32: seeds, so that runs are alike.
CALIBRATION_SEED, AGREEMENT_SEED = 1, 2


def data(inputs: Inputs, case: Case, parts: int) -> Data:
    """What the workers read; ``parts`` instances share the data set."""
    images = inputs.dataset
    classes = len(images.classes) if images else None
    sampled = images if not case.training else None
    return Data(
        weights=str(inputs.weights or ""), weights_sha256=inputs.weights_sha256, qconf=case.qconf,
        checkpoint=case.checkpoint, dataset=str(images.root) if images else "", classes=classes, parts=parts,
        images=len(sampled.images) if sampled and case.accuracy else 0,
        calibration=_sample(sampled, CALIBRATION_IMAGES, CALIBRATION_SEED),
        agreement=_sample(sampled, AGREEMENT_IMAGES, AGREEMENT_SEED))


def _sample(images: DataSet | None, count: int, seed: int) -> tuple[str, ...]:
    if images is None:
        return ()
    sample = dataset.calibration_sample(images, min(count, len(images.images)), seed)
    return tuple(str(image.path) for image in sample)


def spec(case: Case, process: PlacedProcess, plan: LaunchPlan, report: Path, log: Path) -> Spec:
    """What the worker of ``process`` shall do; it writes to ``report`` and ``log``."""
    parts = tuple(
        Part(index=instance.index, cpus=instance.cpus, memory_node=instance.memory_node,
             memory_nodes=instance.memory_nodes, loader_cpus=tuple(plan.loader_cpus.get(instance.index, ())),
             stream_floats=plan.stream_floats.get(instance.index))
        for instance in process.instances)
    nodes = plan.surroundings.nodes if case.training else Nodes()
    return Spec(
        process=process.index, cpus=tuple(sorted(cpu for part in parts for cpu in part.cpus)), instances=parts,
        precision=case.precision, torch_type=case.torch_type, batch_size=case.batch_size, steps=case.steps,
        warmup_steps=case.warmup_steps, min_duration_s=case.min_duration, accuracy=case.accuracy,
        training=case.training, data=plan.data,
        group=Group(nodes.index, nodes.count, nodes.rendezvous or str(rendezvous(plan.folder))),
        cache_dir=str(plan.cache_dir), report=str(report), log=str(log), memory_nodes=plan.memory_nodes,
        customer_env=tuple(name for name, _ in case.customer_env), progress_s=plan.progress_s,
        disturbed=plan.surroundings.burst > 1)


def rendezvous(folder: Path) -> Path:
    """Where the processes of a single node meet to train together."""
    return folder / f".rendezvous-{os.getpid()}"
