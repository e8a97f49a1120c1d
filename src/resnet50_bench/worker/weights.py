"""A checkpoint file, or nothing -> ResNet50 with these weights, or with seeded random ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import BadInput, RunFailed
from .checkpoint import read_state

CLASSES = 1000
#: Weights of dummy runs come from this seed, so that runs are alike.
SEED = 20150512


def network(path: Path | None, classes: int | None = None) -> torch.nn.Module:
    """ResNet50 for inference, channels last; ``classes`` None: as many as the checkpoint has, else CLASSES.

    Raises BadInput where the checkpoint is of another model, or tells another number of classes apart; RunFailed where
    its numbers are none.
    """
    state = read_state(path) if path else None
    classes = classes or _classes(state) or CLASSES
    torch.manual_seed(SEED)
    import torchvision  # takes a second, and a model from the cache needs none of it

    model: torch.nn.Module = torchvision.models.resnet50(weights=None, num_classes=classes)
    if state is not None:
        _refuse_another(path, state, model, classes)
        model.load_state_dict(state)
        _refuse_broken(path, model)
    model.eval()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return model


def _classes(state: Mapping[str, torch.Tensor] | None) -> int | None:
    last = (state or {}).get("fc.weight")
    return last.shape[0] if last is not None and last.dim() == 2 else None


def _refuse_another(path: Path | None, state: Mapping[str, torch.Tensor], model: torch.nn.Module,
                    classes: int) -> None:
    """Say what differs, in the order of what a user can do about it."""
    own: dict[str, Any] = dict(model.state_dict())
    # Checkpoints from before PyTorch 0.4.1 have no counter of batches, and inference needs none.
    needed = {name for name in own if not name.endswith(".num_batches_tracked")}
    missing, strange = sorted(needed - state.keys()), sorted(state.keys() - own.keys())
    if missing or strange:
        parts = [f"{len(names)} names {what} ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"
                 for names, what in ((missing, "missing"), (strange, "too many")) if names]
        raise BadInput(f"the weights {path} are of another model than torchvision's resnet50: {'; '.join(parts)}")
    have = _classes(state)
    if have != classes:
        raise BadInput(f"the weights {path} tell {have} classes apart, the data set has {classes}: give the data set "
                       "that they were trained on (with every class folder), or other weights")
    wrong = [f"{name} is {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
             for name in own if name in state and state[name].shape != own[name].shape]
    if wrong:
        raise BadInput(f"the weights {path} are of another model than torchvision's resnet50: {'; '.join(wrong[:3])}")


def _refuse_broken(path: Path | None, model: torch.nn.Module) -> None:
    """Quantised, NaN may become a finite number, and the answers would show nothing."""
    broken = [name for name, tensor in model.state_dict().items()
              if not tensor.isfinite().all() or name.endswith(".running_var") and (tensor < 0).any()]
    if broken:
        raise RunFailed(f"the weights {path} hold NaN or infinite numbers or variances below 0 in {len(broken)} tensors"
                        f" ({', '.join(broken[:3])}{' ...' if len(broken) > 3 else ''}), so no answer means anything: "
                        "use a checkpoint from before the training diverged")
