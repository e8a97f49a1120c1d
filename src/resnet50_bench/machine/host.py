"""/proc, /sys, DMI and the worker's Python -> the system and software under test as records; read-only.

A value that cannot be read is None, never guessed.
"""

from __future__ import annotations

import platform
import re
import shutil
import socket
import subprocess
from pathlib import Path

import msgspec

from ..files import read_text
from .cpu import read_cpu
from .topology import cgroup_folders, number


class SystemRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The computer. ``cpu_mhz`` is in MHz, with its source. A value that cannot be read is None, and absent in
    the file."""

    node: str | None = None
    cpu: str | None = None
    cpu_vendor: str | None = None
    cpu_family: int | None = None
    cpu_model: int | None = None
    cpu_stepping: int | None = None
    microcode: str | None = None
    virtual_machine: bool | None = None
    kernel: str | None = None
    os: str | None = None
    kernel_command_line: str | None = None
    memory_bytes: int | None = None
    cpu_mhz: float | None = None
    cpu_mhz_from: str | None = None
    memory_devices: list[str] | None = None
    firmware: dict[str, str] | None = None
    mitigations: dict[str, str | None] | None = None
    cgroup: dict[str, str] | None = None
    governor: str | None = None
    transparent_huge_pages: str | None = None
    numa_balancing: str | None = None
    container: str | None = None


def system_record(root: Path = Path("/")) -> SystemRecord:
    """Read CPU, firmware, kernel, memory, mitigations and cgroup limits."""
    cpu = read_cpu(root)
    mhz, mhz_from = _mhz(root)
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', read_text(root / "etc/os-release") or "", re.M)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", read_text(root / "proc/meminfo") or "", re.M)
    return SystemRecord(
        node=socket.gethostname(), cpu=cpu.name or None, cpu_vendor=cpu.vendor or None, cpu_family=cpu.family,
        cpu_model=cpu.model, cpu_stepping=cpu.stepping, microcode=cpu.microcode or None,
        virtual_machine="hypervisor" in cpu.flags, kernel=platform.release(),
        os=name[1] if name else None,
        kernel_command_line=read_text(root / "proc/cmdline") or None,
        memory_bytes=int(memory[1]) * 1024 if memory else None,
        cpu_mhz=mhz, cpu_mhz_from=mhz_from,
        memory_devices=_memory_devices() if root == Path("/") else None,
        firmware={name: text for name in ("bios_vendor", "bios_version", "bios_date", "sys_vendor", "product_name")
                  if (text := read_text(root / "sys/class/dmi/id" / name))} or None,
        mitigations={path.name: read_text(path) for path in sorted(
            (root / "sys/devices/system/cpu/vulnerabilities").glob("*"))} or None,
        cgroup=_limits(root) or None,
        governor=read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or None,
        transparent_huge_pages=read_text(root / "sys/kernel/mm/transparent_hugepage/enabled") or None,
        numa_balancing=read_text(root / "proc/sys/kernel/numa_balancing") or None,
        container=next((runtime for runtime, mark in (("docker", ".dockerenv"), ("podman", "run/.containerenv"))
                        if (root / mark).exists()), None))


def _mhz(root: Path) -> tuple[float, str] | tuple[None, None]:
    """Return (MHz, source): the nominal clock if firmware, kernel or model name give it.

    Otherwise the value of /proc/cpuinfo, which on most CPUs is the momentary clock. The source says so.
    """
    cpu0 = root / "sys/devices/system/cpu/cpu0"
    if base := number(read_text(cpu0 / "cpufreq/base_frequency")):  # intel_pstate, kHz
        return base / 1000, "nominal, of cpufreq's base_frequency"
    if nominal := number(read_text(cpu0 / "acpi_cppc/nominal_freq")):  # MHz; 0 if the firmware does not give it
        return float(nominal), "nominal, of acpi_cppc"
    text = read_text(root / "proc/cpuinfo") or ""
    if named := re.search(r"@ ([0-9.]+)GHz", text):
        return float(named.group(1)) * 1000, "nominal, of the model's name"
    if shown := re.search(r"^cpu MHz\s*: ([0-9.]+)", text, re.M):
        return float(shown.group(1)), "as /proc/cpuinfo showed it"
    return None, None


def _memory_devices() -> list[str] | None:
    """Size and speed of every memory module. dmidecode needs root."""
    if not shutil.which("dmidecode"):
        return None
    done = subprocess.run(["dmidecode", "-t", "memory"], capture_output=True, text=True, check=False)
    modules = re.findall(r"^\s+Size: (\d.*)$(?:.*\n)*?^\s+(?:Configured Memory )?Speed: (.*)$", done.stdout, re.M)
    return [f"{size}, {speed}" for size, speed in modules] or None


def _limits(root: Path) -> dict[str, str]:
    files = (("cpu", "cpu.max"), ("cpu", "cpu.cfs_quota_us"), ("cpuset", "cpuset.cpus.effective"),
             ("cpuset", "cpuset.effective_cpus"), ("memory", "memory.max"), ("memory", "memory.limit_in_bytes"))
    return {name: text for controller, name in files for folder in cgroup_folders(root, controller)[:1]
            if (text := read_text(folder / name))}
