"""Weights in files as people have them, made by what they use: what is taken, and what is refused in one plain line."""

from __future__ import annotations

import argparse
import collections
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import types

import pytest

from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.errors import BadInput, RunFailed
from resnet50_bench.worker.engines.base import ModelRequest
from resnet50_bench.worker.weights import network, read_state

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
numpy = pytest.importorskip("numpy")

with torch.device("meta"):
    SHAPES = {name: tensor.shape for name, tensor in torchvision.models.resnet50().state_dict().items()}


def state(value: float = 0.5, prefix: str = "", counted: bool = True) -> collections.OrderedDict:
    """A ResNet50's names and shapes; each tensor is one number, so that a file is small."""
    return collections.OrderedDict(
        (prefix + name, torch.full((), value).expand(shape)) for name, shape in SHAPES.items()
        if counted or not name.endswith("num_batches_tracked"))


class Ema:
    """As timm's ModelEma: an object with a module in it."""

    def __init__(self) -> None:
        self.decay = 0.999


class Evil:
    """Runs a command where a reader trusts the file."""

    def __reduce__(self):
        return os.system, ("touch ran",)


class EasyDict(dict):
    """A dictionary of a class of its own, as configuration libraries have them."""


class Lit(torch.nn.Module):
    """Like a LightningModule: the network is an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torchvision.models.resnet50()
        self.loss = torch.nn.CrossEntropyLoss(weight=torch.ones(1000))


def sgd() -> dict:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], 0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    return optimizer.state_dict()


ARGS = argparse.Namespace(lr=0.1, data="/data")
TAKEN = {
    "plain": lambda: state(),
    "before PyTorch 0.4.1": lambda: state(counted=False),
    "torchvision's reference with an average": lambda: {
        "model": state(), "optimizer": sgd(), "epoch": 89, "args": ARGS,
        "model_ema": {"n_averaged": torch.tensor(7), **state(9, "module.")}},
    "PyTorch's ImageNet example": lambda: {
        "epoch": 90, "arch": "resnet50", "state_dict": state(prefix="module."), "best_acc1": torch.tensor(76.1),
        "optimizer": sgd()},
    "timm": lambda: {"epoch": 3, "arch": "resnet50", "state_dict": state(), "args": ARGS, "version": 2,
                     "state_dict_ema": state(9), "metric": numpy.float64(76.4), "amp_scaler": {"scale": 65536.0}},
    "Lightning": lambda: {"state_dict": {**state(prefix="model."), "criterion.weight": torch.ones(1000)},
                          "pytorch-lightning_version": "2.5", "hyper_parameters": EasyDict(lr=ARGS),
                          "callbacks": {types.SimpleNamespace: 1}, "loops": {}},
    "compiled within DDP": lambda: {"model_state_dict": state(prefix="module._orig_mod.")},
    "DDP within a compiled one": lambda: state(prefix="_orig_mod.module."),
    "AveragedModel alone": lambda: {"n_averaged": torch.tensor(7), **state(prefix="module.")},
    "nested deeper": lambda: {"checkpoint": {"net": {"weights": state()}}, "rng": numpy.random.get_state()},
    "a dictionary of its own class": lambda: EasyDict(net=EasyDict(state())),
    "objects beside it": lambda: {"net": state(), "ema": Ema(), "sampler": Evil(), "time": collections.Counter("ab")},
    "half precision": lambda: {name: tensor.half() for name, tensor in state().items()},
}


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
def test_weights_are_taken_from_what_training_scripts_write(tmp_path, monkeypatch, kind, zipped):
    monkeypatch.chdir(tmp_path)
    torch.save(TAKEN[kind](), "weights.pth", _use_new_zipfile_serialization=zipped)
    found = read_state(tmp_path / "weights.pth")
    assert found.keys() == state(counted="before" not in kind).keys()
    assert float(found["fc.weight"][0, 0]) == float(found["layer4.2.bn3.running_mean"][0]) == 0.5
    assert not (tmp_path / "ran").exists(), "nothing in the file is executed"


def test_a_checkpoint_without_counters_of_batches_loads(tmp_path):
    torch.save(state(counted=False), tmp_path / "resnet50-19c8e357.pth")
    assert float(network(tmp_path / "resnet50-19c8e357.pth").state_dict()["fc.weight"][0, 0]) == 0.5


def before_pytorch_0_1_10(path, tensors) -> None:
    """A file as torch.save wrote it in 2016 and Python 2: a tar of storages, tensors and a pickle of what they are for.

    The layout is what torch.serialization.legacy_load reads; torchvision's resnet50-19c8e357.pth has it.
    """
    storages, views = io.BytesIO(), io.BytesIO()
    objects = b"\x80\x02}("
    for stream in (storages, views):
        pickle.dump(len(tensors), stream, 2)
    for key, (name, tensor) in enumerate(tensors.items()):
        pickle.dump((key, "cpu", torch.FloatStorage), storages, 2)
        storages.write(struct.pack("<qf", 1, float(tensor.flatten()[0])))
        pickle.dump((key + 1000, key, torch.FloatTensor), views, 2)
        views.write(struct.pack(f"<q{2 * tensor.dim() + 1}q", tensor.dim(), *tensor.shape, *[0] * (tensor.dim() + 1)))
        objects += b"X" + struct.pack("<I", len(name)) + name.encode() + b"U\x04" + str(key + 1000).encode() + b"Q"
    pickle.dump([], storages, 2)
    objects += b"X\x04\0\0\0bestU\x02\xe9\x3fu."  # a str of Python 2 that is no text, such as numpy's scalars have
    with tarfile.open(path, "w") as archive:
        for name, data in (("storages", storages.getvalue()), ("tensors", views.getvalue()), ("pickle", objects)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_a_tar_of_the_first_pytorch_and_python_2_loads(tmp_path):
    before_pytorch_0_1_10(tmp_path / "resnet50-19c8e357.pth", state(counted=False))
    assert float(network(tmp_path / "resnet50-19c8e357.pth").state_dict()["fc.weight"][9, 9]) == 0.5


def test_weights_are_taken_from_a_whole_pickled_module(tmp_path):
    made = Lit()
    torch.save(made, tmp_path / "model.pt")
    torch.testing.assert_close(read_state(tmp_path / "model.pt"), dict(made.net.state_dict()))


def test_weights_are_taken_from_safetensors_whatever_the_name(tmp_path):
    names = {name: torch.full(shape, 2.0, dtype=torch.bfloat16) for name, shape in SHAPES.items() if "fc" not in name}
    names |= {"fc.weight": torch.full((7, 2048), 0.5), "fc.bias": torch.arange(7.0)}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in names.items():
        raw = tensor.flatten().view(torch.uint8).numpy().tobytes()
        kind = "BF16" if tensor.dtype is torch.bfloat16 else "F32"
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    (tmp_path / "renamed.pth").write_bytes(len(text).to_bytes(8, "little") + text + data)
    found = read_state(tmp_path / "renamed.pth")
    assert found["fc.bias"].tolist() == [0, 1, 2, 3, 4, 5, 6] and float(found["conv1.weight"].mean()) == 2.0


def scripted(path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)


REFUSED = {
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "an error page": (lambda path: path.write_text("\n<!DOCTYPE html><html><title>404</title>"), "web page.*fetch"),
    "Git LFS": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256"), "git lfs pull"),
    "packed": (lambda path: path.write_bytes(gzip.compress(b"x" * 99)), "unpack it"),
    "TorchScript": (scripted, "TorchScript program.*state_dict"),
    "text": (lambda path: path.write_bytes(b"no checkpoint"), "cannot be read as a checkpoint"),
    "plain pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "cannot be read as a checkpoint"),
    "an object": (lambda path: torch.save(Ema(), path), r"an object of the class .*\.Ema; save it by"),
    "no tensors": (lambda path: torch.save({"epoch": 3, "args": ARGS}, path), "the keys epoch, args; save it by"),
    "a list": (lambda path: torch.save([1, 2], path), "a list; save it by"),
    "a number": (lambda path: torch.save({"state_dict": 3}, path), "no state_dict"),
    "arrays": (lambda path: torch.save({"conv1.weight": numpy.ones(3)}, path), "no state_dict"),
    "two networks": (lambda path: torch.save({"teacher": state(), "student": state()}, path),
                     r"several networks \(student., teacher.\): save one of"),
    "resnet18": (lambda path: torch.save(torchvision.models.resnet18().state_dict(), path), "another model.*missing"),
    "other names": (lambda path: torch.save({"a.weight": torch.ones(2)}, path), "another model.*names missing"),
    "a head of two layers": (lambda path: torch.save({n.replace("fc.", "fc.1."): t for n, t in state().items()}, path),
                             r"2 names missing \(fc.bias, fc.weight\); 2 names too many"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_resnet50_is_named_in_one_plain_line_with_what_to_do(tmp_path, kind):
    make, words = REFUSED[kind]
    make(tmp_path / "weights.pth")
    with pytest.raises(BadInput, match=words) as refused:
        network(tmp_path / "weights.pth")
    line = str(refused.value)
    assert "\n" not in line and "\x1b" not in line and len(line) < 500 and "weights_only" not in line


def test_weights_for_another_number_of_classes_are_refused_with_both(tmp_path):
    torch.save(state(), tmp_path / "weights.pth")
    with pytest.raises(BadInput, match="are for 1000 classes, but the data set has 10"):
        network(tmp_path / "weights.pth", 10)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.2, 0.7, 0.99])
def test_a_file_that_is_cut_off_is_fetched_again(tmp_path, zipped, share):
    path = tmp_path / "weights.pth"
    torch.save({name: tensor.contiguous() for name, tensor in list(state().items())[:40]}, path,
               _use_new_zipfile_serialization=zipped)
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(BadInput, match="cannot be read as a checkpoint.*fetch"):
        network(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e-3])
def test_weights_that_are_no_numbers_are_named(tmp_path, number):
    broken = state() | {"bn1.running_var": torch.full((64,), number)}
    torch.save(broken, tmp_path / "weights.pth")
    with pytest.raises(RunFailed, match=r"NaN or infinite.*in 1 tensors \(bn1.running_var\)"):
        network(tmp_path / "weights.pth")


@pytest.mark.parametrize("size", [1.0, 1e30])
def test_weights_whose_answers_overflow_are_not_calibrated_for_hours(tmp_path, size):
    made = torchvision.models.resnet50(num_classes=3)
    with torch.no_grad():
        made.fc.weight.fill_(size)
        made.layer1[0].bn1.weight.fill_(1e30)
    torch.save(made.state_dict(), tmp_path / "weights.pth")
    request = ModelRequest(PRECISIONS["avx2_int8"], "avx2", 1, tmp_path, weights=tmp_path / "weights.pth")
    with pytest.raises(RunFailed, match="give answers of .*before quantisation"):
        request.model().network()
