"""``--options``, an image and parameter texts -> the manifest of the Job that runs the case on Kubernetes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..arguments import Parser, number_of
from ..case.precision import PRECISIONS
from ..errors import BadInput
from . import require_utf8

TEMPLATE = Path(__file__).with_name("kubernetes.yaml.j2")
#: The cluster's deadline is later than this host's, so it matters only if this host did not end the Job.
DEADLINE_MARGIN_S = 60
#: Labels of Node Feature Discovery (its manual, "Feature labels"). The names of flags are from klauspost/cpuid.
_LABEL = "feature.node.kubernetes.io/cpu-cpuid."
_OTHER_NAMES = {"fma": "FMA3"}
_USAGE = '--options="--cpus=N [--nodes=N] [--memory=16Gi] [--namespace=NAME] [--node-selector=LABEL=VALUE ...]"'


@dataclass(frozen=True)
class KubernetesOptions:
    """The parsed ``--options``: ``cpus`` (whole logical CPUs) and ``memory`` (a Kubernetes quantity) of each pod."""

    cpus: int
    nodes: int = 1
    memory: str = "16Gi"
    namespace: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)


class _OptionsParser(Parser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise BadInput(f"BACKEND=kubernetes: {message}; expected: {_USAGE}")


def parse_options(words: Sequence[str]) -> KubernetesOptions:
    """Parse the words of ``--options``. Raises BadInput with the allowed words."""
    parser = _OptionsParser(prog="--options", add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--cpus", type=number_of(1), required=True)
    parser.add_argument("--nodes", type=number_of(1))
    parser.add_argument("--memory", type=partial(_like, r"[1-9]\d*(Mi|Gi)", "such as 16Gi"))
    parser.add_argument("--namespace", type=partial(_like, r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a name"))
    parser.add_argument("--node-selector", action="append", default=[], metavar="LABEL=VALUE",
                        type=partial(_like, r"[\w./-]+=[\w.-]*", "LABEL=VALUE"))
    options = vars(parser.parse_args(words))
    selector = dict(word.split("=", 1) for word in options.pop("node_selector"))
    return KubernetesOptions(**options, node_selector=selector)


def _like(pattern: str, expected: str, text: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return text


def labels(precision: str) -> dict[str, str]:
    """The labels of nodes whose CPU has the flags of ``precision``."""
    flags = PRECISIONS[precision].cpu_flags if precision in PRECISIONS else ()
    return {_LABEL + _OTHER_NAMES.get(flag, flag.replace("_", "").upper()): "true" for flag in flags}


def require_jinja() -> None:
    """Raises ModuleNotFoundError before anything runs if the template cannot be filled in."""
    import jinja2  # noqa: F401


def manifest(name: str, image: str, pull_policy: str, texts: Mapping[str, str], options: KubernetesOptions,
             timeout_s: float) -> str:
    """The Job ``name`` as YAML. Raises BadInput for texts that Kubernetes cannot carry."""
    import jinja2

    require_utf8(texts, "Kubernetes")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                                     autoescape=False)
    environment.filters["text"] = quoted
    return environment.from_string(TEMPLATE.read_text()).render(
        name=name, image=image, pull_policy=pull_policy, nodes=options.nodes, cpus=options.cpus, memory=options.memory,
        # The kubelet replaces $$ by $, and $(NAME) by the value of that variable.
        env={variable: text.replace("$", "$$") for variable, text in texts.items()},
        node_selector=labels(texts.get("PRECISION", "")) | dict(options.node_selector),
        deadline_s=int(timeout_s) + DEADLINE_MARGIN_S)


def quoted(text: str) -> str:
    """``text`` as a double-quoted YAML string of ASCII characters (YAML 1.2, section 5.7)."""
    return '"' + "".join(letter if " " <= letter <= "~" and letter not in '"\\' else f"\\U{ord(letter):08x}"
                         for letter in text) + '"'
