"""A worker's spec -> a trainer and its batches. The trainer does one step of SGD on (images, labels).

Recipe: SGD with momentum 0.9 and weight decay 1e-4 (He et al. 2015, 3.4); learning rate 0.1 for 256 images a
step, in proportion for others (Goyal et al. 2017), linear warm-up over the first twentieth, then half a cosine
to 0 (He et al. 2019, "Bag of Tricks"); without WEIGHTS the residual blocks begin as identities (Goyal et al.,
5.1). Several instances average their gradients by torch's DDP, on one node or on those of a scheduler's job.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import time
import warnings
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torchvision.models.resnet import Bottleneck

from ..case import dataset
from ..errors import BadInput
from ..files import replacing
from ..protocol.messages import Spec
from ..result.processes import FeedRecord, Training
from .data import Loader
from .engines.base import ModelRequest, dummy_batch, torch_dtype
from .stepper import Feed, Shown
from .weights import SEED, read_state, unpickled

RATE_PER_256, MOMENTUM, DECAY, WARM_UP_SHARE = 0.1, 0.9, 1e-4, 0.05
#: Seconds until the first checkpoint, and the largest share of the time for writing checkpoints.
_FIRST_SAVE_S, _MOST_SAVING = 5.0, 0.02
#: Timeout for an instance that does not appear or stops: nodes may start minutes apart.
_PATIENCE = timedelta(minutes=10)
_ONECCL = "oneccl_bindings_for_pytorch"
Batch = tuple[torch.Tensor, torch.Tensor]


class Trainer:
    """The model, its optimiser and its progress. Rank 0 writes the checkpoint."""

    def __init__(self, spec: Spec, request: ModelRequest) -> None:
        here, self._nodes = spec.data.parts, spec.group.count
        self.rank, self.world = spec.group.index * here + spec.process, self._nodes * here
        self.total = spec.warmup_steps + (spec.steps or 0)
        self.checkpoint = Path(spec.data.checkpoint) if spec.data.checkpoint else None
        self._rate = RATE_PER_256 * request.batch_size * self.world / 256
        self.step = 0
        self.losses: list[torch.Tensor] = []
        #: The number of right answers and of images of each step.
        self.right: list[torch.Tensor] = []
        self.seen: list[int] = []
        self._dtype = torch_dtype(request.precision)
        plain = request.network().train()
        if request.weights is None:
            _begin_as_identities(plain)
        self._optimizer: torch.optim.Optimizer = torch.optim.SGD(plain.parameters(), self._rate, MOMENTUM,
                                                                 weight_decay=DECAY)
        if self.checkpoint and self.checkpoint.exists():
            self._resume(self.checkpoint, plain)
        self.began_at = self.step
        self.model, self._optimizer = _optimised(plain, self._optimizer, spec.torch_type, self._dtype)
        self._replica: torch.nn.Module = self.model
        self._backend = ""
        self._save_at = time.monotonic() + _FIRST_SAVE_S

    def join(self, rendezvous: str) -> None:
        """Average gradients with the other instances from now on."""
        if self.world > 1:
            if self._nodes == 1:
                # All instances are on this machine. A container may have no other interface.
                os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
            self._backend = collectives(self._nodes)
            distributed.init_process_group(self._backend, init_method=f"file://{rendezvous}",
                                           rank=self.rank, world_size=self.world, timeout=_PATIENCE)
            self._replica = DistributedDataParallel(self.model)

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Do one step. Returns the model's output."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * schedule(self.step, self.total)
        output, loss = self._learn(self._replica, batch)
        self._optimizer.step()
        self.losses.append(loss)
        self.right.append((output.argmax(1) == batch[1]).sum())
        self.seen.append(len(batch[1]))
        self.step += 1
        return output

    def rehearse(self, batch: Batch) -> None:
        """Run a step without its effect, to see its kernels."""
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        self._learn(self.model, batch)
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)

    def _learn(self, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._dtype is torch.bfloat16):
            output = model(batch[0])
        loss = torch.nn.functional.cross_entropy(output.float(), batch[1])
        loss.backward()
        return output.detach(), loss.detach()

    def save_now_and_then(self) -> None:
        """Write a checkpoint if one is due or this was the last step."""
        began = time.monotonic()
        if self.checkpoint and self.rank == 0 and (began > self._save_at or self.step == self.total):
            self._save(self.checkpoint)
            now = time.monotonic()
            self._save_at = now + (now - began) / _MOST_SAVING

    def _save(self, path: Path) -> None:
        """Write the checkpoint atomically. The accuracy mode can read it as WEIGHTS."""
        with replacing(path) as temporary:
            torch.save({"state_dict": self.model.state_dict(), "optimizer": self._optimizer.state_dict(),
                        "step": self.step, "total_steps": self.total, "losses": self.loss_values()}, temporary)

    def _resume(self, path: Path, plain: torch.nn.Module) -> None:
        """Continue from the checkpoint. Raises BadInput if it is another training's."""
        state, saved = read_state(path), unpickled(path)
        if not isinstance(saved, dict) or not {"optimizer", "step", "total_steps", "losses"} <= saved.keys():
            raise BadInput(f"CHECKPOINT={path} is not a checkpoint of a training; to start from its weights use "
                           "WEIGHTS")
        if saved["total_steps"] != self.total:
            raise BadInput(f"CHECKPOINT={path} is of a training of {saved['total_steps']} steps "
                           f"(WARMUP_STEPS + STEPS), this is one of {self.total}: give the same or another CHECKPOINT")
        if saved["step"] >= self.total - 1:
            raise BadInput(f"CHECKPOINT={path} is complete ({saved['step']} steps): use it as "
                           "WEIGHTS, or name another file")
        try:
            plain.load_state_dict(state)
            self._optimizer.load_state_dict(saved["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"CHECKPOINT={path} does not fit this data set: "
                           f"{str(error).splitlines()[-1].strip()}") from error
        self.step, self.losses = saved["step"], [
            torch.tensor(math.nan if loss is None else loss) for loss in saved["losses"]]

    def loss_values(self) -> list[float | None]:
        """The loss of each step, including those before a resumption. None if the loss is not a finite number."""
        return [round(float(loss), 6) if loss.isfinite() else None for loss in self.losses]

    def record(self) -> Training:
        """The record for the result. ``top1`` is the share of right answers in the last tenth of the steps."""
        tenth = max(1, len(self.seen) // 10)
        digest = hashlib.sha256()
        # Parameters only: DDP copies rank 0's running means at the next step, and after the last step there is none.
        for name, tensor in self.model.named_parameters():
            digest.update(name.encode() + tensor.detach().float().contiguous().numpy().tobytes())
        return Training(
            losses=self.loss_values(), began_at=self.began_at, steps=self.step, total_steps=self.total,
            rank=self.rank, world=self.world, backend=self._backend,
            top1=float(sum(self.right[-tenth:])) / sum(self.seen[-tenth:]) if self.seen else 0.0,
            weights_sha256=digest.hexdigest())


def collectives(nodes: int) -> str:
    """torch.distributed's backend: oneCCL between nodes if its bindings are installed, else gloo."""
    if nodes == 1 or not importlib.util.find_spec(_ONECCL):
        return "gloo"
    importlib.import_module(_ONECCL)  # which registers it
    return "ccl"


def _begin_as_identities(plain: torch.nn.Module) -> None:
    for block in plain.modules():
        if isinstance(block, Bottleneck):
            torch.nn.init.zeros_(block.bn3.weight)


def schedule(step: int, total: int) -> float:
    """The fraction of the full learning rate at ``step`` of ``total``."""
    rise = max(1.0, WARM_UP_SHARE * total)
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1.0, total - rise)))


def _optimised(plain: torch.nn.Module, optimizer: torch.optim.Optimizer, torch_type: str,
               dtype: torch.dtype) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    if torch_type != "IPEX":
        return plain, optimizer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from .engines import ipex

        optimised: tuple[torch.nn.Module, torch.optim.Optimizer] = ipex.package().optimize(
            plain, dtype=dtype, optimizer=optimizer, inplace=True)
        return optimised


class TrainingFeed(Feed):
    """Exactly the remaining steps of a training. Every instance must do as many, or the others wait for ever."""

    def __init__(self, spec: Spec, request: ModelRequest, trainer: Trainer) -> None:
        self._spec, self._trainer = spec, trainer
        self._loader: Loader | None = None
        self._batches = self._dummy(request) if not spec.data.dataset else self._real(request)
        self.example = next(self._batches)
        self._first: Batch | None = self.example
        #: More than there are: the feed's end ends the measurement.
        self.length = trainer.total
        #: A resumed training measures at least one step.
        self.most_warm_up = trainer.total - trainer.step - 1

    def warm_batch(self) -> Batch:
        """Warm-up steps are the training's first steps."""
        return next(self.batches())[0]

    def batches(self) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Yield the remaining batches. A step's input is (images, labels)."""
        while self._trainer.step < self._trainer.total:
            first, self._first = self._first, None
            batch = first if first is not None else next(self._batches)
            yield batch, batch[1]

    def after(self, output: torch.Tensor, labels: torch.Tensor) -> None:
        self._trainer.save_now_and_then()

    def close(self) -> None:
        self._batches.close()

    def shown(self) -> Shown:
        last = self._trainer.losses[-1:]
        return Shown(loss=f"{float(last[0]):.3f}") if last else Shown()

    def record(self) -> FeedRecord:
        """The training's record, with the loader's if there is one."""
        record = self._loader.record() if self._loader else FeedRecord()
        record.training = self._trainer.record()
        return record

    def _dummy(self, request: ModelRequest) -> Generator[Batch, None, None]:
        images = dummy_batch(request.batch_size, torch.float32)
        labels = torch.randint(0, 1000, (request.batch_size,), generator=torch.Generator().manual_seed(SEED))
        while True:
            yield images, labels

    def _real(self, request: ModelRequest) -> Generator[Batch, None, None]:
        """Epoch after epoch, each in its own order. A resumed training continues in the middle of an epoch."""
        whole = dataset.scan(Path(self._spec.data.dataset), "train")
        trainer, size = self._trainer, request.batch_size
        own_images = len(whole.images) // trainer.world
        if own_images < size:
            raise BadInput(f"{len(whole.images)} images in {whole.root} are fewer than BATCH_SIZE={size} for each of "
                           f"{trainer.world} instances: use smaller batches")
        epoch, done = divmod(trainer.step, own_images // size)
        cpus = self._spec.instances[0].loader_cpus or self._spec.cpus
        while True:
            order = torch.randperm(len(whole.images), generator=torch.Generator().manual_seed(SEED + epoch)).tolist()
            mine = [whole.images[i] for i in order[trainer.rank::trainer.world]][:own_images // size * size]
            part = replace(whole, images=tuple(mine[done * size:]))
            self._loader = Loader(part, size, torch.float32, workers=min(2, len(cpus)), cpus=cpus)
            for images, labels, _ in self._loader:
                yield images, labels
            epoch, done = epoch + 1, 0
