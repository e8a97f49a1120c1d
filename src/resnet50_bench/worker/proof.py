"""A prepared model, before it is measured -> the kernels that run in it, how far its answers agree with fp32's."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from ..files import write_json
from ..result.processes import Agreement
from . import data
from .engines.base import ModelRequest, code_key, dummy_batch
from .evidence import Evidence, of_onednn
from .feed import padded
from .model_cache import cache_key


def prove(rehearse: Callable[[Any], object], batch: Any, verbose: Callable[[], AbstractContextManager[object]],
          training: bool, read_kernels: Callable[[], Evidence] | None = None) -> tuple[Evidence, float]:
    """Rehearse a step until it is compiled, then once under oneDNN verbose: (what ran, seconds).

    ``read_kernels`` says it instead, where the engine has another way.
    """
    with torch.inference_mode(not training):
        for _ in range(2):  # TorchScript profiles in the first call and optimises in the second
            rehearse(batch)
        began = time.monotonic()
        with captured_stdout() as lines, verbose():
            rehearse(batch)
    return read_kernels() if read_kernels else of_onednn(lines), time.monotonic() - began


@contextmanager
def captured_stdout() -> Iterator[list[str]]:
    """Collect what C code prints on file descriptor 1 into the list, which is filled at the end."""
    libc = ctypes.CDLL(None)
    lines: list[str] = []
    sys.stdout.flush()
    libc.fflush(None)
    stdout = os.dup(1)
    # In memory: a full TMPDIR would cut the lines.
    with os.fdopen(os.memfd_create("stdout"), "w+b") as sink:
        os.dup2(sink.fileno(), 1)
        try:
            yield lines
        finally:
            libc.fflush(None)
            os.dup2(stdout, 1)
            os.close(stdout)
            sink.seek(0)
            lines += sink.read().decode(errors="replace").splitlines()


def agreement(request: ModelRequest, model: Callable[[torch.Tensor], torch.Tensor],
              paths: Sequence[Path]) -> Agreement:
    """How far the model's answers are plain fp32's: a broken quantisation shows before a whole data set is used.

    ``logit_spread`` is fp32's standard deviation over classes, to see ``largest_logit_difference`` in proportion.
    Answers that are not finite never agree, and count in neither of the last two. Images that cannot be decoded are
    passed over: the pass over the data set names them.
    """
    plain, batch_size = request.network(), request.batch_size
    same, count, largest, spread = 0, 0, 0.0, 0.0
    images = [one for path in paths if (one := _load(path)) is not None]
    for first in range(0, len(images), batch_size):
        batch = torch.stack(images[first:first + batch_size]).contiguous(memory_format=torch.channels_last)
        filled = padded(batch, batch_size).to(request.input_dtype)
        # Not around the lines above: Inductor compiles once more for tensors that were made in inference mode.
        with torch.inference_mode():
            expected = plain(batch)
            answers = model(filled)[:len(batch)].float()
        # NaN would agree with itself: argmax gives its place.
        finite = expected.isfinite().all(1) & answers.isfinite().all(1)
        same += int(((expected.argmax(1) == answers.argmax(1)) & finite).sum())
        largest = max([largest, *(expected - answers)[finite].abs().amax(1).tolist()])
        spread += float(expected[finite].std(1).sum())
        count += len(batch)
    if not count:
        return Agreement()
    return Agreement(images=count, top1_agreement=same / count, largest_logit_difference=largest,
                     logit_spread=spread / count)


def _load(path: Path) -> torch.Tensor | None:
    try:
        return data.load(path)
    except data.BadImage:
        return None


def denormal_share(request: ModelRequest) -> float:
    """Of these weights, counted once and then known: it depends on nothing else."""
    images = dummy_batch(1, torch.float32)
    key = cache_key(engine="denormals", precision="float32", weights=request.weights_key,
                    classes=str(request.classes), **code_key(images, __file__))
    path = request.cache_dir / f"{key}.json"
    try:
        return float(json.loads(path.read_text())["share"])
    except (OSError, ValueError, LookupError, TypeError):
        share = count(request.network(), images)
    with suppress(OSError):  # where the cache cannot be written it is counted again the next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"share": share})
    return share


def count(model: torch.nn.Module, images: torch.Tensor) -> float:
    """Share of denormal numbers among all activations of one fp32 forward pass.

    Arithmetic on denormals is many times slower on some CPUs, and only fp32 has room to show them.
    """
    denormal, total = 0, 0

    def look(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal denormal, total
        magnitude = output.abs()
        denormal += int(((magnitude > 0) & (magnitude < torch.finfo(torch.float32).tiny)).sum())
        total += output.numel()

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(look)
    with torch.inference_mode():
        model(images)
    return denormal / total
