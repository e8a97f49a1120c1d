"""A model's weights -> the share of denormal numbers among its activations, remembered beside the prepared models."""

from __future__ import annotations

import json
from contextlib import suppress

import torch

from ..files import write_json
from .engines.base import ModelRequest, code_key, dummy_batch
from .model_cache import cache_key


def denormal_share(request: ModelRequest) -> float:
    """Of these weights, counted once and then known: it depends on nothing else."""
    images = dummy_batch(1, torch.float32)
    key = cache_key(engine="denormals", precision="float32", weights=request.model().key["weights"],
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
