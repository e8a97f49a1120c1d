"""Check a prepared model before it is measured: its kernels, and the agreement of its answers with fp32."""

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
    """Run a step until it is compiled, then once with oneDNN's verbose log. Return (evidence, seconds).

    If the engine has ``read_kernels``, the evidence is from that instead.
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
    """Capture the output of C code on file descriptor 1. The yielded list is filled at the end."""
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
    """Compare the model's answers with plain fp32's. It shows a broken quantisation before a long run.

    ``logit_spread``, fp32's standard deviation over classes, is the scale for ``largest_logit_difference``. Answers
    that are not finite never agree, and are excluded from these two. Images that cannot be decoded are skipped: the
    pass over the data set names them.
    """
    plain, batch_size = request.network(), request.batch_size
    same, count, largest, spread = 0, 0, 0.0, 0.0
    images = [one for path in paths if (one := _load(path)) is not None]
    for first in range(0, len(images), batch_size):
        batch = torch.stack(images[first:first + batch_size]).contiguous(memory_format=torch.channels_last)
        filled = padded(batch, batch_size).to(request.input_dtype)
        # Not around the lines above: Inductor would compile again for tensors made in inference mode.
        with torch.inference_mode():
            expected = plain(batch)
            answers = model(filled)[:len(batch)].float()
        # NaN would agree with NaN: argmax returns its index.
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
    """The denormal share of these weights. It depends on nothing else, so it is cached."""
    images = dummy_batch(1, torch.float32)
    key = cache_key(engine="denormals", precision="float32", weights=request.weights_key,
                    classes=str(request.classes), **code_key(images, __file__))
    path = request.cache_dir / f"{key}.json"
    try:
        return float(json.loads(path.read_text())["share"])
    except (OSError, ValueError, LookupError, TypeError):
        share = count(request.network(), images)
    with suppress(OSError):  # if the cache cannot be written, the next run counts again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"share": share})
    return share


def count(model: torch.nn.Module, images: torch.Tensor) -> float:
    """Share of denormal numbers among all activations of one fp32 forward pass.

    Arithmetic on denormals is many times slower on some CPUs. fp32 shows them best.
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
