"""The engines (TORCH_TYPE): what each is called, what it can do, what proves it, and the stacks that serve it.

Everything that lists engines takes them from here: the parameter's choices, the refusals, the log's framework, what the
worker loads, and ``setup --list``. How an engine does it is its module in ``worker/engines/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .precision import BF16, FP32, INT8, PRECISIONS, DType, Precision


@dataclass(frozen=True)
class EngineFacts:
    """One value of TORCH_TYPE.

    ``framework`` is the log's word for it, ``module`` its file in ``worker/engines/``; ``stacks`` are those that serve
    it, the one that is set up for it first. ``packages`` are the modules that importing it needs beside torch.
    ``made_with`` are the distributions whose versions decide, beside torch's, what its prepared models are, each with
    the log's name for its version: letters, then ``_Version``.
    """

    name: str
    framework: str
    module: str
    stacks: tuple[str, ...]
    dtypes: tuple[DType, ...] = (FP32, BF16, INT8)
    packages: tuple[str, ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)
    cpu_flags: tuple[str, ...] = ()  # of /proc/cpuinfo, without which it computes in another way, or not at all
    trains: bool = False
    products_in_bf16: bool = False  # whether it can compute the products of fp32 numbers in bf16
    shares_weights: bool = True  # whether instances that share a process and a model keep to their own cores
    float32_images: bool = False  # whether it takes fp32 images whatever it computes in
    proven: bool = True  # whether it can be shown which instruction set and type ran
    takes_qconf: bool = False  # whether it takes QCONF, IPEX's recipe for int8

    def why_not(self, precision: Precision) -> str:
        """Why it cannot serve the precision; empty where it can."""
        if precision.dtype not in self.dtypes or (precision.products_in_bf16 and not self.products_in_bf16):
            return f"it has no {precision.name}"
        # ONNX Runtime 1.32 obeys no ISA cap. It looks for AMX only where the importing thread may run on two CPUs;
        # OpenMP has bound ours to one by then. XGETBV showed unused tile registers after such a run.
        if precision.needs_amx and not self.proven:
            return "nothing shows that it uses AMX"
        return ""

    def precisions(self) -> tuple[str, ...]:
        """The names of those that it serves."""
        return tuple(name for name, precision in PRECISIONS.items() if not self.why_not(precision))


_ALL = (
    EngineFacts(
        "IPEX", "PyTorch+IPEX", "ipex", ("ipex",), packages=("intel_extension_for_pytorch",),
        made_with={"intel-extension-for-pytorch": "IPEX_Version"}, trains=True, products_in_bf16=True,
        takes_qconf=True),
    EngineFacts(
        "COMPILE-INDUCTOR", "PyTorch+Inductor", "inductor", ("ipex", "current", "openvino"),
        made_with={"torchao": "TorchAO_Version"}),
    EngineFacts(
        "OPENVINO", "PyTorch+OpenVINO", "openvino", ("openvino",), packages=("openvino", "nncf"),
        made_with={"openvino": "OpenVINO_Version", "nncf": "NNCF_Version"}, shares_weights=False, float32_images=True),
    EngineFacts(
        "ONNXRUNTIME", "PyTorch+ONNXRuntime", "onnx_runtime", ("openvino",), (FP32, INT8),
        packages=("onnxruntime", "onnx", "onnxscript"), made_with={
            "onnxruntime": "ONNXRuntime_Version", "onnx": "ONNX_Version", "onnx-ir": "ONNXIR_Version",
            "onnxscript": "ONNXScript_Version"},
        shares_weights=False, float32_images=True, proven=False),
    # On other CPUs zentorch 2.14 warns and leaves the graph to Inductor.
    EngineFacts(
        "ZENTORCH", "PyTorch+zentorch", "zentorch", ("zentorch",), (FP32, BF16), packages=("zentorch",),
        made_with={"zentorch": "Zentorch_Version"},
        cpu_flags=("avx512f", "avx512bw", "avx512dq", "avx512vl")),
    EngineFacts(
        "EAGER", "PyTorch", "eager", ("ipex", "current", "openvino"), (FP32, BF16), trains=True),
)

#: By name, the default first.
ENGINES: dict[str, EngineFacts] = {engine.name: engine for engine in _ALL}
DEFAULT = _ALL[0].name
#: The distributions whose versions decide what runs.
PACKAGES = ("torch", "torchvision", *dict.fromkeys(package for engine in _ALL for package in engine.made_with))
#: The log's names for versions -> the distributions.
VERSION_LINES = {"Torch_Version": "torch", "Torchvision_Version": "torchvision",
                 **{line: package for engine in _ALL for package, line in engine.made_with.items()}}


UNPROVEN_WORDS = "its kernels are unproven: nothing shows what instruction set and type it ran with"


def is_unproven(name: str) -> bool:
    """Whether this is an engine that cannot show its kernels; an unknown name is none."""
    return name in ENGINES and not ENGINES[name].proven


def of_stack(stack: str) -> tuple[str, ...]:
    """The names of the engines that a stack serves."""
    return tuple(engine.name for engine in ENGINES.values() if stack in engine.stacks)


@dataclass(frozen=True)
class KnownEngine:
    """An engine with proven kernels on a stack, and what it reached on the day ``found_at``: what auto may take."""

    engine: str
    stack: str
    images_per_s: float
    batch_size: int
    cores_per_instance: int
    found_at: str

    def notice(self, precision: str) -> str:
        """Of a case that takes it: what it reached, at which settings, and when."""
        return (f"TORCH_TYPE: {self.engine} of the stack {self.stack} (auto: the proven one that reached the most here "
                f"at {precision}, {self.images_per_s:.1f} images/s with BATCH_SIZE={self.batch_size} "
                f"CORES_PER_INSTANCE={self.cores_per_instance}, found on {self.found_at})")


@dataclass(frozen=True)
class KnownEngines:
    """The fastest by precision; ``why_not`` says at which precisions what was found does not count, and why.

    ``why_none``: why nothing counts, whatever the precision. Each is a sentence that ends with what to do.
    """

    fastest: Mapping[str, KnownEngine] = field(default_factory=dict)
    why_not: Mapping[str, str] = field(default_factory=dict)
    why_none: str = ""

    def missing(self, precision: str) -> str:
        """Why there is none at a precision, and what finds one."""
        return (self.why_none or self.why_not.get(precision)
                or f"which engine is the fastest here at {precision} is not known; {remedy(precision)}")


def remedy(precision: str) -> str:
    """What finds the fastest."""
    return f"to find it: scripts/resnet50-bench.sh engines --precision={precision}"
