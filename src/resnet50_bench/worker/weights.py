"""A checkpoint file, or nothing -> ResNet50 with these weights, or with seeded random ones."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import BadInput

CLASSES = 1000
#: Weights of dummy runs come from this seed, so that runs are alike.
SEED = 20150512
#: Where checkpoints of training scripts keep the weights: ours and torchvision's references, timm's, MMPretrain's.
_WRAPPERS = ("model", "state_dict")


def network(path: Path | None, classes: int | None = None) -> torch.nn.Module:
    """ResNet50 for inference, channels last; ``classes`` None: as many as the checkpoint has, else CLASSES.

    Raises BadInput where the checkpoint is of another model, or tells another number of classes apart.
    """
    state = read_state(path) if path else None
    classes = classes or _classes(state) or CLASSES
    torch.manual_seed(SEED)
    import torchvision  # takes a second, and a model from the cache needs none of it

    model: torch.nn.Module = torchvision.models.resnet50(weights=None, num_classes=classes)
    if state is not None:
        _refuse_another(path, state, model, classes)
        model.load_state_dict(state)
    model.eval()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return model


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Names and tensors of a checkpoint, whatever it is wrapped in; nothing in the file is executed."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise BadInput(f"the weights {path} cannot be read as a checkpoint of tensors only: "
                       f"{(str(error).strip() or repr(error)).splitlines()[0][:200]}") from error
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise BadInput(f"the weights {path} hold no state_dict (names with tensors); save model.state_dict()")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _classes(state: Mapping[str, torch.Tensor] | None) -> int | None:
    last = (state or {}).get("fc.weight")
    return last.shape[0] if last is not None and last.dim() == 2 else None


def _refuse_another(path: Path | None, state: Mapping[str, torch.Tensor], model: torch.nn.Module,
                    classes: int) -> None:
    """Say what differs, in the order of what a user can do about it."""
    own: dict[str, Any] = dict(model.state_dict())
    missing, strange = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or strange:
        parts = [f"{len(names)} names {what} ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"
                 for names, what in ((missing, "missing"), (strange, "too many")) if names]
        raise BadInput(f"the weights {path} are of another model than torchvision's resnet50: {'; '.join(parts)}")
    have = _classes(state)
    if have != classes:
        raise BadInput(f"the weights {path} tell {have} classes apart, the data set has {classes}: give the data set "
                       "that they were trained on (with every class folder), or other weights")
    wrong = [f"{name} is {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
             for name in own if state[name].shape != own[name].shape]
    if wrong:
        raise BadInput(f"the weights {path} are of another model than torchvision's resnet50: {'; '.join(wrong[:3])}")
