"""Layers of text (flags, config, environment, case name) + the machine -> one frozen, valid Case.

Validation happens only here. It reports all violations together, before anything expensive starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from .. import WORKLOAD
from ..errors import BadInput, Infrastructure, UnsupportedCpu
from ..machine.cpu import AMX_REMEDY, Cpu
from .defaults import Machine, complete, cross_checks
from .engines import ENGINES, EngineFacts
from .parameters import ALL, AUTO, CATALOGUE, SEARCHED, read, text_of
from .precision import FP32, PRECISIONS, Precision

#: The origin of the layer made by ``parse_option``.
CASE_NAME = "case name"
#: From this batch size on, PyTorch runs fp32 1x1 convolutions by oneDNN on a single thread too (ATen's use_mkldnn).
_ONEDNN_BATCH = 16


@dataclass(frozen=True)
class Layer:
    """One source of parameter texts. ``origin`` is what a message calls it (``--set``)."""

    origin: str
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """The fields of both kinds of case. ``steps`` is None if one pass over the data set is the run (accuracy).

    ``origins`` names the source of each parameter's value. ``notices`` are lines for the log, for example a lowered
    default or an environment variable that overrode the case name. ``stack`` is the stack of the engine that
    TORCH_TYPE=auto chose. It is None if the environment chooses the stack.
    """

    workload: str
    platform: str
    function: str
    mode: str
    case_type: str
    precision: str
    topology: str
    data_type: str
    dataset: str
    weights: str
    qconf: str
    accuracy_target: float
    checkpoint: str
    instance_mode: str
    steps: int | None
    warmup_steps: int
    min_duration: int
    target_qps: float | str | None = None
    latency_bound_ms: float | None = None
    latency_percentile: float | None = None
    fail_on_noisy: bool
    weight_sharing: bool
    torch_type: str
    verbose: bool
    customer_env: tuple[tuple[str, str], ...]
    origins: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    stack: str | None = None
    #: The rate of this attempt of the rate search, in queries/s.
    tried_rate: float | None = None

    @property
    def arithmetic(self) -> Precision:
        """The precision's facts."""
        return PRECISIONS[self.precision]

    @property
    def accuracy(self) -> bool:
        """Whether this case measures accuracy instead of time."""
        return self.mode == "accuracy"

    @property
    def serving(self) -> bool:
        """Whether LoadGen sends the queries (MODE=server)."""
        return self.mode == "server"

    @property
    def seeks_rate(self) -> bool:
        """Whether the run searches for the highest rate within the latency bound (TARGET_QPS=auto)."""
        return self.target_qps == AUTO and self.case_type != "gated" and self.tried_rate is None

    @property
    def queries_per_s(self) -> float | None:
        """Queries/s that LoadGen sends. None: a safe rate, computed from the step times of the warm-up."""
        return self.tried_rate or (self.target_qps if isinstance(self.target_qps, float) else None)

    @property
    def training(self) -> bool:
        """Whether this case trains the model."""
        return self.function == "training"

    def is_default(self, name: str) -> bool:
        """Whether the parameter has its default because nobody set it."""
        return dict(self.origins).get(name, "default") == "default"

    def texts(self) -> dict[str, str]:
        """Every parameter as text, in catalogue order, for logs and child processes."""
        return {name: ALL if name == "STEPS" and self.steps is None
                else text_of(getattr(self, name.lower())) for name in CATALOGUE}


@dataclass(frozen=True, kw_only=True)
class Case(_Settled):
    """One valid case, ready to run."""

    batch_size: int
    cores_per_instance: int

    @property
    def unprovable(self) -> str:
        """The reason why this case's kernels cannot be proven, or "" if they can."""
        smallest = 1 if self.serving else self.batch_size
        alone = self.cores_per_instance == 1 and smallest < _ONEDNN_BATCH
        if self.torch_type != "EAGER" or self.arithmetic.dtype is not FP32 or not alone:
            return ""
        return (f"TORCH_TYPE=EAGER with {self.precision}, CORES_PER_INSTANCE=1 and BATCH_SIZE={self.batch_size}: "
                "PyTorch runs its 1x1 convolutions without oneDNN there, so nothing shows their kernels; use "
                f"BATCH_SIZE={_ONEDNN_BATCH} or more, CORES_PER_INSTANCE=2 or more, or another TORCH_TYPE")


@dataclass(frozen=True, kw_only=True)
class UndecidedCase(_Settled):
    """A valid case that leaves BATCH_SIZE or CORES_PER_INSTANCE to a search. A searched value is None."""

    batch_size: int | None
    cores_per_instance: int | None

    @property
    def sought(self) -> tuple[str, ...]:
        """The names of the parameters to search."""
        return tuple(name for name in SEARCHED if getattr(self, name.lower()) is None)

    def texts(self) -> dict[str, str]:
        """Every parameter as text, as ``Case.texts``. A searched parameter is ``auto``."""
        return super().texts() | dict.fromkeys(self.sought, AUTO)

    def decided(self, numbers: Mapping[str, int], *notices: str) -> Case:
        """The case with ``numbers`` for the searched parameters. Raises KeyError if one is missing."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        known |= {name.lower(): numbers[name] for name in self.sought}
        known["origins"] = tuple((name, AUTO if name in self.sought else origin) for name, origin in self.origins)
        known["notices"] = (*self.notices, *notices)
        return Case(**known)


AnyCase = Case | UndecidedCase


def option_of(case: AnyCase) -> str:
    """``inference_throughput_amx_int8_gated``: the case's part of a ctest name."""
    parts = (case.function, case.mode, case.precision, case.case_type)
    return "_".join(part for part in parts if part)


def words_choosing(options: Sequence[str]) -> str:
    """Shell-quoted arguments of ctest.sh that run exactly the cases of these options."""
    return f"--testcase {options[0]}" if len(options) == 1 else f"-R '_({'|'.join(options)})$'"


def every_option() -> list[str]:
    """The options listed by the CMake files of all platforms."""
    functions, modes, types = (["" if choice == "empty" else choice for choice in CATALOGUE[name].allowed.split()]
                               for name in ("FUNCTION", "MODE", "CASE_TYPE"))
    return ["_".join(part for part in parts if part) for parts in itertools.product(functions, modes, PRECISIONS, types)
            if _is_case(*parts)]


def _is_case(function: str, mode: str, precision: str, case_type: str) -> bool:
    if case_type == "pkm" and (mode == "server" or function == "training"):
        return False
    return function != "training" or (mode == "throughput" and PRECISIONS[precision].training)


def parse_option(option: str) -> dict[str, str]:
    """``[test_][<WORKLOAD>_]<FUNCTION>_<MODE>_<PRECISION>[_<CASE_TYPE>]`` -> parameter texts.

    Raises BadInput for a name of another form.
    """
    rest = option.removeprefix("test_").removeprefix(WORKLOAD + "_")
    function, _, rest = rest.partition("_")
    mode, _, rest = rest.partition("_")
    precision = next((name for name in PRECISIONS if rest == name or rest.startswith(name + "_")), rest)
    case_type = rest[len(precision):].removeprefix("_")
    texts = {"FUNCTION": function, "MODE": mode, "PRECISION": precision, "CASE_TYPE": case_type}
    _, wrong = read({name: text for name, text in texts.items() if text or name != "PRECISION"})
    if wrong:
        raise BadInput(*(f"case name {option!r}: {line}" for line in wrong))
    return texts


def resolve(layers: Sequence[Layer], machine: Machine) -> AnyCase:
    """Resolve the layers and the machine into a case. Earlier layers win. A number that is ``auto`` stays undecided.

    Raises BadInput with one line for each violation. If the input is valid, raises UnsupportedCpu if the CPU lacks
    instructions that the precision needs, and Infrastructure if the kernel refuses their use.
    """
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for name, text in layer.values.items():
            if (text.strip() or name not in CATALOGUE) and name not in texts:
                texts[name], origins[name] = text.strip(), layer.origin
    given, bad = read(texts, origins)
    draft = complete(given, machine)
    bad += [*draft.refusals, *cross_checks(draft)]
    if bad:
        raise BadInput(*bad)
    _require_cpu("PRECISION", PRECISIONS[str(draft.chosen["PRECISION"])], machine.cpu)
    _require_cpu("TORCH_TYPE", ENGINES[str(draft.chosen["TORCH_TYPE"])], machine.cpu)
    values = {name.lower(): value for name, value in draft.chosen.items()}
    if given.get("TORCH_TYPE") == AUTO:
        origins["TORCH_TYPE"] = AUTO
    sought = {name.lower(): None for name in SEARCHED if draft.chosen[name] == AUTO}
    values |= sought
    # The catalogue's parsers give each field its type; a test compares both.
    return (UndecidedCase if sought else Case)(
        **values, origins=tuple((name, origins.get(name, "default")) for name in CATALOGUE),  # type: ignore[arg-type]
        notices=(*draft.notices, *_overridden_name(layers, texts, origins)),
        stack=draft.stack)


def _require_cpu(parameter: str, chosen: Precision | EngineFacts, cpu: Cpu) -> None:
    missing = [flag for flag in chosen.cpu_flags if flag not in cpu.flags]
    if cpu.amx_refused and missing and all(flag.startswith("amx_") for flag in missing):
        raise Infrastructure(f"{parameter}={chosen.name} needs AMX. This CPU has AMX, but this process may not use it: "
                             f"{cpu.amx_refused}; {AMX_REMEDY}")
    if missing:
        raise UnsupportedCpu(f"{parameter}={chosen.name} needs the CPU flags {' '.join(missing)}, "
                             f"which this CPU ({cpu.name}) lacks")


def _overridden_name(layers: Sequence[Layer], texts: Mapping[str, str],
                     origins: Mapping[str, str]) -> list[str]:
    """Notices for the parts of the case name that a stronger layer overrode."""
    return [f"{name}: {texts[name]} ({origins[name]}) instead of the case name's {text}"
            for layer in layers if layer.origin == CASE_NAME for name, text in layer.values.items()
            if text and texts[name] != text]
