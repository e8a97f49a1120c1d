"""The environment variables -> this host's description for comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from ..case.defaults import Machine
from ..launch.surroundings import Surroundings
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..stack.environment import StackChoice
from ..versus.words import Host
from . import memory


def this_host(environment: Mapping[str, str]) -> Host:
    """Describe this machine, its settings from the environment, and its known engines. Raises BadInput."""
    cpu = read_cpu()
    return Host(Machine(cpu, read_topology()), StackChoice.of(environment),
                lambda choice: memory.known(cpu.name, choice), Surroundings.of(environment))
