"""The engines (TORCH_TYPE): their names, abilities, proof of kernels and stacks.

The parameter's choices, the refusals, the framework in the log, the worker's loader and ``setup --list`` use this
table. The code of an engine is its module in ``worker/engines/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .precision import BF16, FP32, INT8, PRECISIONS, DType, Precision


@dataclass(frozen=True)
class EngineFacts:
    """One value of TORCH_TYPE.

    ``framework`` is its name in the log, ``module`` its file in ``worker/engines/``. ``stacks`` can run it; setup
    installs the first. ``packages`` are the modules that it imports besides torch. ``made_with`` are the distributions
    whose versions change its prepared models, besides torch, each with the log's name for the version: letters, then
    ``_Version``.
    """

    name: str
    framework: str
    module: str
    stacks: tuple[str, ...]
    dtypes: tuple[DType, ...] = (FP32, BF16, INT8)
    packages: tuple[str, ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)
    cpu_flags: tuple[str, ...] = ()  # flags of /proc/cpuinfo: without them it computes differently or not at all
    trains: bool = False
    products_in_bf16: bool = False  # whether it can multiply fp32 numbers in bf16
    shares_weights: bool = True  # whether instances that share a process and a model keep to their own cores
    float32_images: bool = False  # whether its input is fp32 at every precision
    proven: bool = True  # whether its instruction set and data type can be proven
    takes_qconf: bool = False  # whether it takes QCONF, IPEX's recipe for int8

    def why_not(self, precision: Precision) -> str:
        """The reason why it cannot run the precision, or "" if it can."""
        if precision.dtype not in self.dtypes or (precision.products_in_bf16 and not self.products_in_bf16):
            return f"it does not run {precision.name}"
        # ONNX Runtime 1.32 ignores ISA caps. It detects AMX only if the importing thread may run on two CPUs.
        # OpenMP has already bound our thread to one. XGETBV showed unused tile registers after such a run.
        if precision.needs_amx and not self.proven:
            return "nothing shows that it uses AMX"
        return ""

    def precisions(self) -> tuple[str, ...]:
        """The names of the precisions that it can run."""
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
#: The distributions whose versions decide which code runs.
PACKAGES = ("torch", "torchvision", *dict.fromkeys(package for engine in _ALL for package in engine.made_with))
#: The log's names for versions -> the distributions.
VERSION_LINES = {"Torch_Version": "torch", "Torchvision_Version": "torchvision",
                 **{line: package for engine in _ALL for package, line in engine.made_with.items()}}


UNPROVEN_WORDS = "its kernels are unproven: no log shows their instruction set and data type"


def is_unproven(name: str) -> bool:
    """Whether the engine cannot prove its kernels. False for an unknown name."""
    return name in ENGINES and not ENGINES[name].proven


def of_stack(stack: str) -> tuple[str, ...]:
    """The names of the engines that a stack can run."""
    return tuple(engine.name for engine in ENGINES.values() if stack in engine.stacks)


@dataclass(frozen=True)
class KnownEngine:
    """A candidate for TORCH_TYPE=auto: an engine with proven kernels, its stack, and its throughput on ``found_at``."""

    engine: str
    stack: str
    images_per_s: float
    batch_size: int
    cores_per_instance: int
    found_at: str

    def notice(self, precision: str) -> str:
        """The notice for a case that uses it: the measured throughput, its settings and its date."""
        return (f"TORCH_TYPE: {self.engine} of the stack {self.stack} (auto: the engine with proven kernels that was "
                f"the fastest here at {precision}, {self.images_per_s:.1f} images/s with BATCH_SIZE={self.batch_size} "
                f"CORES_PER_INSTANCE={self.cores_per_instance}, found on {self.found_at})")


@dataclass(frozen=True)
class KnownEngines:
    """The fastest engine by precision. ``why_not`` gives the reason for each precision whose measurement is not valid.

    ``why_none`` is the reason why no measurement is valid at any precision. Each reason ends with the remedy.
    """

    fastest: Mapping[str, KnownEngine] = field(default_factory=dict)
    why_not: Mapping[str, str] = field(default_factory=dict)
    why_none: str = ""

    def missing(self, precision: str) -> str:
        """The reason why a precision has no fastest engine, and the command that finds one."""
        return (self.why_none or self.why_not.get(precision)
                or f"the fastest engine at {precision} on this machine is not known; {remedy(precision)}")


def remedy(precision: str) -> str:
    """The command that finds the fastest engine."""
    return f"to find it: scripts/resnet50-bench.sh engines --precision={precision}"
