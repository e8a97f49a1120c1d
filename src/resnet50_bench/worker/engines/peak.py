"""A model of matrix products -> the highest operations/s and bytes/s that these cores reach.

The product is a chain of 1x1 convolutions, which oneDNN runs as matrix products. It uses the same
engine as ResNet50, so it has the same data type, kernels and threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ...machine.memory import DEFAULT_FLOATS

_CHANNELS = 512
_LAYERS = 4
_HEIGHT = 28
#: Seconds for each of the two measurements: about 20 calls on one core at fp32, the slowest precision.
_LOOK_S = 0.2


def product() -> torch.nn.Sequential:
    """The chain of products. The ReLU between them keeps int8 from returning to float."""
    torch.manual_seed(0)
    layers = [layer for _ in range(_LAYERS)
              for layer in (torch.nn.Conv2d(_CHANNELS, _CHANNELS, 1, bias=False), torch.nn.ReLU())]
    chain = torch.nn.Sequential(*layers).eval()
    chain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return chain


class Prepacked(torch.nn.Module):
    """The product as Inductor's frozen graphs run it, without compiling: weights in oneDNN's layout, ReLU fused.

    The layout is for the size of ``images(dtype, cores)``. If oneDNN does not know the size, it reorders the weights
    in each call, and bf16 reached only a fifth (torch 2.8, Zen 4).
    """

    def __init__(self, dtype: torch.dtype, cores: int) -> None:
        super().__init__()
        weights = [layer.weight.detach().to(dtype) for layer in product() if isinstance(layer, torch.nn.Conv2d)]
        size = list(images(dtype, cores).shape)
        self._weights = [
            torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]  # torch's stubs lack the size
                weight.contiguous().to_mkldnn(), [0, 0], [1, 1], [1, 1], 1, size)
            for weight in weights]

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Returns a tensor of the shape and type of ``batch``."""
        for weight in self._weights:
            batch = torch.ops.mkldnn._convolution_pointwise(batch, weight, None, [0, 0], [1, 1], [1, 1], 1,
                                                            "relu", [], "")
        return batch


def images(dtype: torch.dtype, cores: int = 1) -> torch.Tensor:
    """Input of shape (max(2, cores), _CHANNELS, 28, 28), channels last, for an instance of ``cores`` cores.

    One image, so 784 rows, for each core, which fits into a core's L2 cache.
    """
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(max(2, cores), _CHANNELS, _HEIGHT, _HEIGHT, generator=generator)
    return batch.to(dtype).contiguous(memory_format=torch.channels_last)


def ready(model: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor,
          stream_floats: int | None = None) -> Callable[[], dict[str, float]]:
    """Prepare everything up to the first timed call. The returned function then takes 2 x _LOOK_S and a call.

    It returns ``operations_per_s`` (a multiply-add counts as two) and ``bytes_per_s``, each of the best call.
    ``stream_bytes`` is the size of the three arrays, each of ``stream_floats`` (None: DEFAULT_FLOATS; 0: do not measure
    bytes). Instances call it together, because one alone reaches more than its share of a busy socket.
    """
    floats = DEFAULT_FLOATS if stream_floats is None else stream_floats
    operations = 2 * _LAYERS * _CHANNELS * _CHANNELS * _HEIGHT * _HEIGHT * batch.shape[0]
    # Two calls: TorchScript profiles in the first and optimises in the second.
    for _ in range(2):
        model(batch)
    add = _stream(floats) if floats else None

    def look() -> dict[str, float]:
        rates = {"operations_per_s": operations / _best(lambda: model(batch))}
        if add:
            rates |= {"bytes_per_s": 3 * 4 * floats / _best(add), "stream_bytes": 3.0 * 4 * floats}
        return rates

    return look


def _stream(floats: int) -> Callable[[], object]:
    """a = b + c on arrays of ``floats`` numbers: STREAM's add kernel (McCalpin 1995). Pages are touched before."""
    b, c = torch.ones(floats), torch.ones(floats)
    a = torch.zeros(floats)
    return lambda: torch.add(b, c, out=a)


def _best(call: Callable[[], object]) -> float:
    """The shortest call in seconds. Calls for _LOOK_S, and at least twice."""
    best, calls, deadline = float("inf"), 0, time.monotonic() + _LOOK_S
    while calls < 2 or time.monotonic() < deadline:
        began = time.monotonic()
        call()
        best, calls = min(best, time.monotonic() - began), calls + 1
    return best
