"""All values of a case + the cores that there are -> what is wrong between them, a line each."""

from __future__ import annotations

from collections.abc import Mapping

from ..machine.topology import Topology
from .engines import ENGINES, sharing_weights, that_train
from .precision import INT8, PRECISIONS


def cross_checks(chosen: Mapping[str, object], given: Mapping[str, object], topology: Topology) -> list[str]:
    """What is wrong between parameters, or between a given value and the machine."""
    bad = []
    cores = given.get("CORES_PER_INSTANCE")
    if isinstance(cores, int) and cores > topology.core_count:
        bad.append(f"CORES_PER_INSTANCE={cores} does not fit: this machine gives {topology.core_count} "
                   f"cores (nearest: {topology.core_count}){topology.why_fewer()}")
    precision, engine = str(chosen["PRECISION"]), ENGINES[str(chosen["TORCH_TYPE"])]
    if chosen["WEIGHT_SHARING"] and not PRECISIONS[precision].weight_sharing:
        bad.append(f"WEIGHT_SHARING=True is not supported with {precision}; it is with "
                   + ", ".join(p.name for p in PRECISIONS.values() if p.weight_sharing))
    if chosen["WEIGHT_SHARING"] and not engine.shares_weights:
        bad.append(f"WEIGHT_SHARING=True is not supported with TORCH_TYPE={engine.name}, whose threads cannot be bound "
                   f"to one instance's cores; it is with {', '.join(sharing_weights())}")
    if chosen["MODE"] == "accuracy" and chosen["DATA_TYPE"] == "dummy":
        bad.append("DATA_TYPE=dummy with MODE=accuracy: random labels have no accuracy; use DATA_TYPE=real")
    if chosen["FUNCTION"] == "training":
        bad += _training_checks(chosen)
    elif chosen["CHECKPOINT"]:
        bad.append("CHECKPOINT is written by FUNCTION=training only; inference reads WEIGHTS")
    if chosen["QCONF"] and (PRECISIONS[precision].dtype is not INT8 or not engine.takes_qconf):
        bad.append(f"QCONF is a recipe for int8 with TORCH_TYPE=IPEX, not for {precision} with {engine.name}")
    if chosen["DATASET"] and chosen["DATA_TYPE"] == "dummy":
        bad.append("DATASET is read with DATA_TYPE=real only; give that too, or leave DATASET empty")
    if why := engine.why_not(PRECISIONS[precision]):
        bad.append(f"TORCH_TYPE={engine.name} is not supported with {precision} ({why}); it is with "
                   + ", ".join(engine.precisions()))
    return bad


def _training_checks(chosen: Mapping[str, object]) -> list[str]:
    bad = []
    precision = PRECISIONS[str(chosen["PRECISION"])]
    if chosen["MODE"] != "throughput":
        bad.append(f"MODE={chosen['MODE']} is not supported with FUNCTION=training; MODE=throughput is")
    if not precision.training:
        bad.append(f"FUNCTION=training is not supported with {precision.name}; it is with "
                   + ", ".join(p.name for p in PRECISIONS.values() if p.training))
    if chosen["WEIGHT_SHARING"]:
        bad.append("WEIGHT_SHARING=True is not supported with FUNCTION=training: instances are processes that "
                   "exchange gradients")
    if chosen["TORCH_TYPE"] not in that_train():
        bad.append(f"FUNCTION=training is not supported with TORCH_TYPE={chosen['TORCH_TYPE']}; it is with "
                   + ", ".join(that_train()))
    return bad
