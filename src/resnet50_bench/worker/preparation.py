"""A worker's spec -> the job of its instances: a model or a trainer with proven kernels, their feeds and peaks."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..case import dataset
from ..case.precision import PRECISIONS
from ..errors import RunFailed
from ..protocol.messages import Part, Spec
from . import evidence
from .agreement import agreement
from .data import Loader
from .engines import load, peak
from .engines.base import Engine, ModelRequest, Prepared, dummy_batch
from .evidence import RESNET50_CONVOLUTIONS, TRAINING_CONVOLUTIONS
from .feed import POOL_BYTES, DummyFeed, PassFeed, PoolFeed
from .proof import prove
from .stepper import Stepper

#: More processes an instance decode no faster than the models here take images.
_MOST_DECODERS = 8
_IMAGE_BYTES = 4 * 3 * 224 * 224


def model_request(spec: Spec) -> ModelRequest:
    """What the engine shall prepare."""
    precision = PRECISIONS[spec.precision]
    # CUSTOMER_ENV may have set another cap, for which oneDNN lays out the weights differently.
    isa_cap = os.environ.get("ONEDNN_MAX_CPU_ISA", precision.isa_cap)
    inputs = spec.data
    return ModelRequest(
        precision.name, precision.data_type, isa_cap, spec.batch_size, Path(spec.cache_dir),
        weights=Path(inputs.weights) if inputs.weights else None, weights_sha256=inputs.weights_sha256,
        classes=inputs.classes, qconf=Path(inputs.qconf) if inputs.qconf else None,
        calibration=tuple(map(Path, inputs.calibration)) if precision.data_type == "int8" else (),
        cores=len(spec.instances[0].cpus))


@dataclass
class Work:
    """``step`` is what instances call with their feeds' batches; ``rehearse`` is one without its effects.

    ``convolutions`` is how many a step has; ``finish_setup`` runs once the kernels are proven.
    """

    step: Callable[[Any], torch.Tensor]
    feeds: list[DummyFeed]
    rehearse: Callable[[Any], object]
    convolutions: int
    cache: str
    recipe: Path | None = None
    quantise_nodes: int | None = None
    finish_setup: Callable[[], None] = lambda: None


@dataclass
class Job:
    """What the instances of a process run: the work, proven to run its precision's kernels in ``step_seconds``."""

    spec: Spec
    request: ModelRequest
    work: Work
    proof: evidence.Evidence
    step_seconds: float
    agreement: dict[str, float]
    product: Prepared | None
    #: What each instance's cpus reach, kept from one case of the process to the next.
    peaks: dict[tuple[int, ...], dict[str, float]]
    prepare_s: float

    def feed(self, index: int) -> DummyFeed:
        """The feed of an instance by its number."""
        return self.work.feeds[[part.index for part in self.spec.instances].index(index)]

    def stepper(self, index: int) -> Stepper:
        """A stepper over that instance's feed."""
        return Stepper(self.work.step, self.feed(index), steps=self.spec.steps,
                       warmup_steps=self.spec.warmup_steps, min_duration_s=self.spec.min_duration_s,
                       counted=self.spec.training)

    def step_s(self, warm: float) -> float:
        """Seconds of a step: the last of the warm-up, or the proving one where there was none."""
        return self.step_seconds if math.isnan(warm) else warm

    def peak_look(self, part: Part) -> Callable[[], dict[str, float]]:
        """Get the instance's peak measurement ready; all instances then take it together, whatever it says."""
        cpus = tuple(part.cpus)
        if self.product is None:
            return lambda: self.peaks[cpus]
        batch = peak.images(self.request.input_dtype, len(cpus))
        floats = part.stream_floats
        with torch.inference_mode():
            ready = peak.ready(self.product.model, batch, **({} if floats is None else {"stream_floats": floats}))

        def look() -> dict[str, float]:
            self.peaks[cpus] = ready()
            return self.peaks[cpus]

        return look


def make_job(spec: Spec, say: Callable[[str], None], peaks: dict[tuple[int, ...], dict[str, float]]) -> Job:
    """Prepare, then prove. Raises RunFailed where the kernels are not the precision's; see ``work_of``."""
    began = time.monotonic()
    request, engine = model_request(spec), load(spec.torch_type)
    work = work_of(spec, request, engine)
    product = None if peaks else engine.prepare_peak(request)
    prepare_s = time.monotonic() - began
    say(f"model ready after {prepare_s:.1f} s (cache: {work.cache})")
    proof, step_s = prove(work.rehearse, work.feeds[0].warm, engine.onednn_verbose, spec.training)
    doubt = proof.doubt(PRECISIONS[spec.precision], work.convolutions)
    if doubt:
        raise RunFailed(doubt)
    agreed = agreement_of(spec, request, work.step)
    work.finish_setup()
    return Job(spec, request, work, proof, step_s, agreed, product, peaks, prepare_s)


def work_of(spec: Spec, request: ModelRequest, engine: Engine) -> Work:
    """Prepare the model, or the training. Raises BadInput for inputs that do not fit, RunFailed for bad images."""
    if spec.training:
        from .training import Trainer, TrainingFeed

        trainer = Trainer(spec, request)
        return Work(trainer, [TrainingFeed(spec, request, trainer)], trainer.rehearse, TRAINING_CONVOLUTIONS, "unused",
                    finish_setup=lambda: trainer.join(spec.group.rendezvous))
    prepared = engine.prepare(request)
    return Work(prepared.model, feeds(spec, request.input_dtype), prepared.model, RESNET50_CONVOLUTIONS,
                prepared.cache, prepared.recipe, prepared.quantise_nodes)


def feeds(spec: Spec, dtype: torch.dtype) -> list[DummyFeed]:
    """The feed of each of the process's instances. Raises RunFailed where too many images cannot be decoded."""
    inputs, size = spec.data, spec.batch_size
    if not inputs.dataset:
        return [DummyFeed(dummy_batch(size, dtype))] * len(spec.instances)
    parts = dataset.split(dataset.scan(Path(inputs.dataset)), inputs.parts)
    made: list[DummyFeed] = []
    for part in spec.instances:
        mine = parts[part.index]
        cpus = part.loader_cpus or part.cpus
        loader = Loader(mine, size, dtype, workers=_decoders(len(cpus), size), cpus=cpus)
        made.append(PassFeed(loader) if spec.accuracy else PoolFeed(loader, POOL_BYTES // len(spec.instances)))
    return made


def _decoders(cpus: int, batch_size: int) -> int:
    """Processes that decode: each sends two batches ahead through /dev/shm; 0 where that is too small."""
    room = shutil.disk_usage("/dev/shm").free // 2
    return max(0, min(cpus, _MOST_DECODERS, room // (2 * batch_size * _IMAGE_BYTES)))


def agreement_of(spec: Spec, request: ModelRequest,
                 model: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
    """``agreement`` of an accuracy run's model with the plain one; nothing for any other run."""
    if not spec.accuracy or spec.process != 0:
        return {}
    with torch.inference_mode():
        return agreement(request.network(), model, [Path(path) for path in spec.data.agreement],
                         request.batch_size, request.input_dtype)
