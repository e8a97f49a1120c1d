"""A scratch folder -> a real Slurm of two nodes on this machine, stopped without a trace at the end.

It schedules as a cluster does; network and hardware are one machine's. Every daemon is a child of the
caller with files, socket and port of its own, so no Slurm of the system is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support import packages

NODES = ("n1", "n2")
_CGROUPS = Path("/sys/fs/cgroup")
_TOOLS = ("munged", "slurmctld", "slurmd", "sbatch")
_START_S = 30.0
_CONF = """ClusterName=onemachine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=10
SlurmdTimeout=6
EnforcePartLimits=ALL
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1} {shape} CPUSpecList=1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={port2} {shape} CPUSpecList=0
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=60 State=UP
"""
_SHAPE = "Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 CPUs=2 RealMemory=6000"


def why_not() -> str | None:
    """Why Slurm cannot run here, after an attempt to install it; None where it can."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    if (os.cpu_count() or 1) < 2:
        return "two nodes need two cores"
    if all(map(shutil.which, _TOOLS)):
        return None
    return packages.missing("Slurm", "slurm-wlm", "munge")


@dataclass
class Cluster:
    """The running daemons; made by running_cluster()."""

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        """The file that SLURM_CONF names."""
        return self.folder / "slurm.conf"

    def start(self, name: str, *command: str) -> None:
        """Start a daemon in the foreground, as a child whose number is known."""
        with (self.folder / f"{name}.out").open("ab") as log:
            self.daemons[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  env={**os.environ, "SLURM_CONF": str(self.conf)})

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self.start(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """What a power cut does: the node's daemon and everything that runs on it are gone at once."""
        self.daemons[node].kill()
        self.daemons[node].wait()
        for pid in _of_node(node):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(command, env={**os.environ, "SLURM_CONF": str(self.conf)}, capture_output=True,
                              text=True, check=False)
        return done.stdout if done.returncode == 0 else f"{done.stdout}{done.stderr}"

    def node_states(self) -> list[str]:
        """The state of each node, in the order of NODES."""
        return self.ask("sinfo", "-h", "-N", "-o", "%T").split()

    def wait_idle(self) -> None:
        """Until both nodes can take a job."""
        self.wait_for(lambda: self.node_states() == ["idle", "idle"], lambda: f"nodes are {self.node_states()}")

    def wait_for(self, is_so: Callable[[], bool], describe: Callable[[], str]) -> None:
        """Poll fast: this controller is ours. Raises TimeoutError with a description."""
        deadline = time.monotonic() + _START_S
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{describe()}; logs are in {self.folder}")
            time.sleep(0.1)

    def jobs(self) -> str:
        """The jobs that are not over, a line each."""
        return self.ask("squeue", "-h")

    def leftovers(self) -> list[str]:
        """The command lines of this cluster's processes that are no daemons (slurmscriptd is slurmctld's)."""
        daemons = {daemon.pid for daemon in self.daemons.values()}
        found = [_read(f"/proc/{pid}/cmdline").replace("\0", " ") for pid in self._pids() - daemons]
        return [line for line in found if line and "slurmscriptd" not in line]

    def _pids(self) -> set[int]:
        mine = f"SLURM_CONF={self.conf}\0"
        found = {int(path.name) for path in Path("/proc").glob("[0-9]*") if mine in _read(path / "environ")}
        return found - {os.getpid()}

    def stop(self) -> None:
        """End jobs, daemons, what they left behind and their cgroups."""
        if "slurmctld" in self.daemons and self.daemons["slurmctld"].poll() is None:
            self.ask("scancel", "--state=PENDING")
            self.ask("scancel", "--state=RUNNING")
            with suppress(TimeoutError):
                self.wait_for(lambda: not self.jobs(), lambda: "jobs are left")
        for name in (*NODES, "slurmctld", "munged"):
            if name in self.daemons:
                _end(self.daemons[name])
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for node in NODES:
            for top in _CGROUPS.glob(f"*/slurm_{node}"):
                for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                    folder.rmdir()
                top.rmdir()


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Both nodes idle and SLURM_CONF set; its folder is kept only where it did not start or stop."""
    with packages.alone("slurm"):  # the nodes' cgroups have fixed names
        yield from _running_cluster()


def _running_cluster() -> Iterator[Cluster]:
    # Short, because a socket's path may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = Cluster(folder)
    before = os.environ.get("SLURM_CONF")
    try:
        _configure(folder)
        cluster.start("munged", "munged", "--foreground", f"--socket={folder}/munge.socket",
                      f"--key-file={folder}/munge/key", f"--pid-file={folder}/munge/pid",
                      f"--log-file={folder}/munge/log", f"--seed-file={folder}/munge/seed")
        cluster.wait_for((folder / "munge.socket").exists, lambda: "munged has no socket")
        cluster.start("slurmctld", "slurmctld", "-D", "-c")
        for node in NODES:
            cluster.start_node(node)
        os.environ["SLURM_CONF"] = str(cluster.conf)
        cluster.wait_idle()
        yield cluster
    finally:
        cluster.stop()
        if before is None:
            os.environ.pop("SLURM_CONF", None)
        else:
            os.environ["SLURM_CONF"] = before
    shutil.rmtree(folder)


def _configure(folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("munge", "state"):
        (folder / name).mkdir(mode=0o700)
    for node in NODES:
        (folder / f"spool.{node}").mkdir(mode=0o755)  # another user's job finds its script there
    key = folder / "munge/key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    ports = _free_ports(3)
    (folder / "slurm.conf").write_text(_CONF.format(
        folder=folder, host=socket.gethostname(), port=ports[0], port1=ports[1], port2=ports[2], shape=_SHAPE))
    plugin = "cgroup/v1" if (_CGROUPS / "freezer").is_dir() else "autodetect"
    (folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\nConstrainCores=yes\nConstrainRAMSpace=yes\n")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _of_node(node: str) -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if f"/slurm_{node}/" in _read(path / "cgroup")]


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _read(path: Path | str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
