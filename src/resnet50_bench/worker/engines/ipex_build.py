"""A plain network -> optimised, or statically quantised, traced and frozen by IPEX; imported only where one is made."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch.ao.quantization import HistogramObserver, PerChannelMinMaxObserver, QConfig, QConfigMapping

from ...case.precision import BF16
from ...errors import BadInput
from . import ipex_library
from .base import ModelRequest

ipex = ipex_library.package()


def build(request: ModelRequest, plain: torch.nn.Module, example: torch.Tensor,
          calibration: Iterable[torch.Tensor], recipe: Path | None) -> torch.jit.ScriptModule:
    """The frozen module for batches like ``example``; int8 writes its scales to ``recipe``.

    Raises BadInput for a wrong QCONF.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if recipe:
            model = _quantised(plain, example[:1], calibration, request, recipe)
        else:
            model = ipex.optimize(plain, dtype=request.input_dtype, inplace=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=request.precision.dtype is BF16):
            traced = torch.jit.trace(model, example)
        frozen: torch.jit.ScriptModule = torch.jit.freeze(traced)
        return frozen


def _quantised(plain: torch.nn.Module, example: torch.Tensor, calibration: Iterable[torch.Tensor],
               request: ModelRequest, recipe: Path) -> torch.nn.Module:
    """Static int8: 8-bit activations (7 where products saturate) by calibration or a given recipe, 8-bit weights per
    channel.
    """
    given = request.qconf
    activation = HistogramObserver.with_args(reduce_range=request.precision.saturates)
    weight = PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    mapping = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))
    model = ipex.quantization.prepare(plain, mapping, example_inputs=example, inplace=True)
    if given:
        try:
            model.load_qconf_summary(str(given))
        except Exception as error:  # IPEX raises what its reader meets first: KeyError, AssertionError, ValueError ...
            why = (str(error).strip() or repr(error)).splitlines()[0][:200]
            raise BadInput(f"QCONF={given} is no qconf_summary of this model ({why})") from error
    else:
        for images in calibration:
            model(images)
    model.save_qconf_summary(str(recipe))
    converted: torch.nn.Module = ipex.quantization.convert(model)
    return converted
