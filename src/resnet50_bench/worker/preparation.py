"""A worker's Spec -> the Job of its instances: a model or a trainer with proven kernels, their feeds and peaks."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..case import dataset
from ..case.engines import ENGINES
from ..case.precision import INT8, PRECISIONS
from ..errors import RunFailed
from ..protocol.messages import Part, Spec
from ..result.processes import Agreement, Answers
from . import denormals
from .agreement import agreement
from .data import Loader
from .engines import load, peak
from .engines.base import Engine, ModelRequest, PreparedModel, dummy_batch
from .evidence import RESNET50_CONVOLUTIONS, TRAINING_CONVOLUTIONS, Evidence
from .feed import POOL_BYTES, CycleFeed, PassFeed, not_finite, pool_feed
from .job import GetPeakReady, Job, Kept, Peak, Proof, Say
from .proof import prove
from .stepper import Feed

#: More processes an instance decode no faster than the models here take images.
_MOST_DECODERS = 8
_IMAGE_BYTES = 4 * 3 * 224 * 224


def make_job(spec: Spec, say: Say, kept: Kept) -> Job:
    """Prepare, then prove. Raises RunFailed where the kernels are not the precision's; see ``prepare``."""
    began = time.monotonic()
    request, engine = model_request(spec), load(spec.torch_type)
    work = prepare(spec, request, engine)
    get_peak_ready = None if kept.peaks.are_known() else peak_test(engine, request)
    prepare_s = time.monotonic() - began
    say(f"model ready after {prepare_s:.1f} s (cache: {work.cache})")
    proof = proven(spec, request, engine, work)
    work.finish_setup()
    return Job(
        step=work.step, feeds=work.feeds, runtime=TorchRuntime(work.threads), proof=proof,
        peak_look=lambda part: kept.peaks.look(part, get_peak_ready), model_cache=work.cache, prepare_s=prepare_s,
        denormal_share=lambda: _denormal_share(request, kept), recipe=work.recipe, quantise_nodes=work.quantise_nodes)


class TorchRuntime:
    """What an instance's thread wants of torch; ``threads`` replaces torch's number of them."""

    def __init__(self, threads: Callable[[], int] | None = None) -> None:
        self._threads = threads or torch.get_num_threads

    def inference(self, enabled: bool) -> AbstractContextManager[object]:
        """torch's inference mode, which each thread enters by itself."""
        return torch.inference_mode(enabled)

    def num_threads(self) -> int:
        """Of this thread's parallel regions."""
        return self._threads()

    def look_at(self, output: torch.Tensor | None) -> Answers:
        """A row is an answer."""
        return Answers(0, 0) if output is None else Answers(len(output), not_finite(output))


def model_request(spec: Spec) -> ModelRequest:
    """What the engine shall prepare."""
    precision, data = PRECISIONS[spec.precision], spec.data
    # CUSTOMER_ENV may have set another cap, for which oneDNN lays out the weights differently.
    isa_cap = os.environ.get("ONEDNN_MAX_CPU_ISA", precision.isa_cap)
    return ModelRequest(
        precision, isa_cap, spec.batch_size, Path(spec.cache_dir),
        weights=Path(data.weights) if data.weights else None, weights_sha256=data.weights_sha256,
        classes=data.classes, qconf=Path(data.qconf) if data.qconf else None,
        calibration=tuple(map(Path, data.calibration)) if precision.dtype is INT8 else (),
        cores=len(spec.instances[0].cpus), float32_images=ENGINES[spec.torch_type].float32_images)


@dataclass(frozen=True)
class Work:
    """``step`` is what instances call with their feeds' batches; ``rehearse`` is one without its effects.

    ``convolutions`` is how many a step has; ``finish_setup`` runs once the kernels are proven.
    """

    step: Callable[[Any], torch.Tensor]
    feeds: Mapping[int, Feed[Any, Any, Any]]
    rehearse: Callable[[Any], object]
    convolutions: int
    cache: str
    recipe: Path | None = None
    quantise_nodes: int | None = None
    read_kernels: Callable[[], Evidence] | None = None
    threads: Callable[[], int] | None = None
    finish_setup: Callable[[], None] = lambda: None


def prepare(spec: Spec, request: ModelRequest, engine: Engine) -> Work:
    """The model, or the training. Raises BadInput for inputs that do not fit, RunFailed for bad images."""
    if spec.training:
        from .training import Trainer, TrainingFeed

        trainer = Trainer(spec, request)
        feed = TrainingFeed(spec, request, trainer)
        return Work(trainer, {spec.instances[0].index: feed}, trainer.rehearse, TRAINING_CONVOLUTIONS, "unused",
                    finish_setup=lambda: trainer.join(spec.group.rendezvous))
    prepared = engine.prepare(request)
    return Work(prepared.model, feeds(spec, request.input_dtype), prepared.model, RESNET50_CONVOLUTIONS,
                prepared.cache, prepared.recipe, prepared.quantise_nodes, prepared.read_kernels, prepared.threads)


def proven(spec: Spec, request: ModelRequest, engine: Engine, work: Work) -> Proof:
    """What a step runs. Raises RunFailed where that are not the precision's kernels."""
    example = work.feeds[spec.instances[0].index].example
    evidence, step_s = prove(work.rehearse, example, engine.onednn_verbose, spec.training, work.read_kernels)
    doubt = evidence.doubt(PRECISIONS[spec.precision], work.convolutions)
    if doubt:
        raise RunFailed(doubt)
    return Proof(evidence, step_s, agreement_of(spec, request, work.step))


def peak_test(engine: Engine, request: ModelRequest) -> GetPeakReady:
    """Prepare the product of matrices whose peak each instance then measures."""
    product: PreparedModel = engine.prepare_peak(request)

    def get_ready(part: Part) -> Callable[[], Peak]:
        batch = peak.images(request.input_dtype, len(part.cpus))
        with torch.inference_mode():
            return peak.ready(product.model, batch, part.stream_floats)

    return get_ready


def feeds(spec: Spec, dtype: torch.dtype) -> dict[int, Feed[Any, Any, Any]]:
    """The feed of each instance. Raises RunFailed where too many images cannot be decoded."""
    size, count = spec.batch_size, len(spec.instances)
    if not spec.data.dataset:
        dummy = CycleFeed([dummy_batch(size, dtype)])
        return {part.index: dummy for part in spec.instances}
    parts = dataset.split(dataset.scan(Path(spec.data.dataset)), spec.data.parts)

    def feed(part: Part) -> Feed[Any, Any, Any]:
        cpus = part.loader_cpus or part.cpus
        loader = Loader(parts[part.index], size, dtype, workers=_decoders(len(cpus), size), cpus=cpus)
        return PassFeed(loader) if spec.accuracy else pool_feed(loader, POOL_BYTES // count)

    return {part.index: feed(part) for part in spec.instances}


def _decoders(cpus: int, batch_size: int) -> int:
    """Processes that decode: each sends two batches ahead through /dev/shm; 0 where that is too small."""
    room = shutil.disk_usage("/dev/shm").free // 2
    return max(0, min(cpus, _MOST_DECODERS, room // (2 * batch_size * _IMAGE_BYTES)))


def agreement_of(spec: Spec, request: ModelRequest,
                 model: Callable[[torch.Tensor], torch.Tensor]) -> Agreement:
    """``agreement`` of an accuracy run's model with the plain one; nothing for any other run."""
    if not spec.accuracy or spec.process != 0:
        return Agreement()
    with torch.inference_mode():
        return agreement(request.network(), model, [Path(path) for path in spec.data.agreement],
                         request.batch_size, request.input_dtype)


def _denormal_share(request: ModelRequest, kept: Kept) -> float:
    shares, weights = kept.denormal_shares, request.weights_sha256
    if weights not in shares:
        shares[weights] = denormals.denormal_share(request)
    return shares[weights]
