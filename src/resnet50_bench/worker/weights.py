"""A checkpoint file as training scripts write it, or nothing -> ResNet50 with these weights.

A file's code never runs. Inert classes replace all classes besides tensors (an argparse.Namespace, a pickled module),
and keep the data that the file has for them.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import torch

from ..errors import BadInput, RunFailed

CLASSES = 1000
#: Weights of dummy runs come from this seed, so that runs are alike.
SEED = 20150512
#: Every name in torchvision has it once. Anything before it is the prefix of a wrapper (``module._orig_mod.``).
_MARK = "layer1.0.conv1.weight"
_DEEPEST = 6
_SAVE = 'save it by torch.save(model.state_dict(), "weights.pth")'
#: First bytes of files that are not checkpoints, their kind, and the remedy.
_OTHERS = (
    (rb"\s*<", "a web page or XML, as a failed download leaves it: fetch the weights again"),
    (rb"version https://git-lfs", "a pointer of Git LFS: git lfs pull fetches the file itself"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "a packed file: unpack it first"),
    (rb"\x89HDF", f"an HDF5 file: load it where it was made and {_SAVE}"))
_SAFE_TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
               "I64": torch.int64, "I32": torch.int32}
#: The functions that rebuild tensors and plain containers. torch rebuilds storages itself.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict, ("collections", "defaultdict"): defaultdict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size, ("torch", "device"): torch.device,
    ("torch.nn.parameter", "Parameter"): torch.nn.Parameter, ("builtins", "dict"): dict}


def network(path: Path | None, classes: int | None = None) -> torch.nn.Module:
    """ResNet50 for inference, channels last. ``classes`` None: the checkpoint's number, else CLASSES.

    Raises BadInput if the checkpoint is of another model or has another number of classes, RunFailed if it has NaN or
    infinite numbers.
    """
    state = read_state(path) if path else None
    classes = classes or _classes(state) or CLASSES
    torch.manual_seed(SEED)
    import torchvision  # takes a second, and a cached model does not need it

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
    """Raises BadInput with the first difference: of names, of the number of classes, then of shapes."""
    own: dict[str, Any] = dict(model.state_dict())
    # Checkpoints from before PyTorch 0.4.1 have no counter of batches. Inference does not need it.
    needed = {name for name in own if not name.endswith(".num_batches_tracked")}
    missing, strange = sorted(needed - state.keys()), sorted(state.keys() - own.keys())
    if missing or strange:
        parts = [f"{len(names)} names {what} ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"
                 for names, what in ((missing, "missing"), (strange, "too many")) if names]
        raise BadInput(f"the weights {path} are of another model than torchvision's resnet50: {'; '.join(parts)}")
    have = _classes(state)
    if have != classes:
        raise BadInput(f"the weights {path} are for {have} classes, but the data set has {classes}: give the data set "
                       "that they were trained on (with every class folder), or other weights")
    wrong = [f"{name} is {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
             for name in own if name in state and state[name].shape != own[name].shape]
    if wrong:
        raise BadInput(f"the weights {path} are of another model than torchvision's resnet50: {'; '.join(wrong[:3])}")


def _refuse_broken(path: Path | None, model: torch.nn.Module) -> None:
    """Raises RunFailed for broken weights. Quantised NaN may become finite, so the answers would not show it."""
    broken = [name for name, tensor in model.state_dict().items()
              if not tensor.isfinite().all() or name.endswith(".running_var") and (tensor < 0).any()]
    if broken:
        raise RunFailed(f"the weights {path} contain NaN or infinite numbers or variances below 0 in {len(broken)} "
                        f"tensors ({', '.join(broken[:3])}{' ...' if len(broken) > 3 else ''}), so no answer means "
                        "anything: use a checkpoint from before the training diverged")


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors by name, without the prefixes of wrappers.

    Raises BadInput with the file's real kind or content, and what to save instead.
    """
    _refuse_other_files(path)
    try:
        content = _safetensors(path) if _is_safetensors(path) else unpickled(path)
    except OSError as error:
        raise BadInput(f"the weights {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # the reader of a damaged file may raise anything
        raise BadInput(f"the weights {path} cannot be read as a checkpoint, they are damaged or of another program "
                       f"({_one_line(error)}): fetch them again, or {_SAVE}") from error
    mappings = list(_mappings(content))
    networks = {f"{place}{prefix}": {name.removeprefix(prefix): tensor for name, tensor in tensors.items()
                                     if name.startswith(prefix)}
                for place, tensors in mappings for prefix in _prefixes(tensors)}
    if len(networks) > 1:  # some scripts store an averaged copy beside the trained model
        networks = {place: state for place, state in networks.items()
                    if "ema" not in re.split(r"[._]", place.lower())} or networks
    if len(networks) > 1:
        raise BadInput(f"the weights {path} contain several networks ({', '.join(sorted(networks))}): save one of "
                       "them alone")
    if not mappings:
        raise BadInput(f"the weights {path} contain no state_dict (names with tensors) but {_described(content)}; "
                       f"{_SAVE}")
    return next(iter(networks.values()), max((tensors for _, tensors in mappings), key=len))


def _refuse_other_files(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(256)
    what = "empty: fetch the weights again" if not head else next(
        (what for start, what in _OTHERS if re.match(start, head)), None)
    if head.startswith(b"PK"):
        what = _wrong_archive(path)
    if what:
        raise BadInput(f"the weights {path} cannot be read as a checkpoint: the file is {what}")


def _wrong_archive(path: Path) -> str | None:
    if not zipfile.is_zipfile(path):
        return "cut off: fetch the weights again"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        return f"a TorchScript program: where the model was made, {_SAVE}"
    if not any(name.endswith("data.pkl") for name in names):
        return f"a zip archive without a checkpoint: unpack it, or {_SAVE}"
    return None


class _Inert(dict[Any, Any]):
    """Replaces an object of any class. It keeps items and attributes, and does nothing."""

    made_by = ""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    __hash__ = object.__hash__  # type: ignore[assignment]  # it may be the key of a dictionary

    def __setstate__(self, state: object) -> None:
        if isinstance(state, Mapping):
            self.__dict__.update((str(name), value) for name, value in state.items())

    def append(self, item: object) -> None:
        """Accept the items of a list or set."""

    extend = add = append


class _Unpickler(pickle.Unpickler):
    """Rebuilds tensors. Every other class name in the file becomes an inert class."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        own = getattr(torch, name, None) if module == "torch" else None
        if isinstance(own, torch.dtype) or name.endswith("Storage") and isinstance(own, type):
            return own
        return type(name, (_Inert,), {"made_by": f"{module}.{name}"})


def _load(stream: BinaryIO, **options: Any) -> Any:
    return _Unpickler(stream, **options).load()


def unpickled(path: Path) -> object:
    """The file's whole content. Objects other than tensors and plain containers are inert."""
    # torch's reader of storages with our unpickler. torch's own weights_only stops at the first unknown class.
    # Python 2 wrote text as bytes. latin1 decodes any bytes.
    return torch.load(path, map_location="cpu", weights_only=False, encoding="latin1",
                      pickle_module=SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="checkpoint"))


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file. Format: github.com/huggingface/safetensors, "Format"."""
    data = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, facts in header.items():
        first, end = facts["data_offsets"]
        kind = _SAFE_TYPES[facts["dtype"]]
        tensors[name] = torch.frombuffer(data[begin + first:begin + end], dtype=kind).reshape(facts["shape"])
    return tensors


def _mappings(content: object, place: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield (its place in the file, tensors by name) of every mapping with tensors."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return
    tensors = dict(_of_module(content)) if isinstance(content, _Inert) else {}
    tensors |= {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if tensors:
        yield place, tensors
    for name, value in content.items():
        yield from _mappings(value, f"{place}{name}.", depth + 1)


def _of_module(module: _Inert, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The state_dict of a pickled torch.nn.Module. Empty for other objects."""
    attributes = vars(module)
    for kind in ("_parameters", "_buffers"):
        for name, value in dict(attributes.get(kind) or {}).items():
            if isinstance(value, torch.Tensor):
                yield f"{prefix}{name}", value
    for name, child in dict(attributes.get("_modules") or {}).items():
        if isinstance(child, _Inert):
            yield from _of_module(child, f"{prefix}{name}.")


def _prefixes(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    return [name.removesuffix(_MARK) for name in tensors if name.endswith(_MARK)]


def _described(content: object) -> str:
    if isinstance(content, _Inert):
        return f"an object of the class {content.made_by}"
    if isinstance(content, Mapping):
        return f"the keys {', '.join(map(str, list(content)[:6]))}{' ...' if len(content) > 6 else ''}"
    return f"a {type(content).__name__}"


def _one_line(error: BaseException) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip() or repr(error)
    return plain.splitlines()[0][:160]
