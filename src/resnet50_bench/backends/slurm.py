"""Parameter texts and a shared folder -> one Slurm job, which runs the case on each of its nodes, and its status.

Runs run_test.sh natively, or in a container if ``--options`` has ``--docker``, ``--podman``, ``--apptainer=FILE`` or
``--enroot=FILE``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..case.parameters import CATALOGUE
from ..checkout import ROOT
from ..errors import BadInput, Infrastructure, RunFailed
from ..files import read_text
from ..launch.surroundings import COUNT, NODE, RENDEZVOUS
from . import Settings
from .container import RUNTIMES, image_name
from .native import COMMANDS
from .owner import MARK, heard_out, is_gone, owner
from .workers import WorkerFolder, read_node, require_replicas, summary, tell_worst

RUNNER = ROOT / "run_test.sh"  # the command of each node, with its parameters in the environment
#: ... or this, with the container tool, the image and the time-out in seconds.
IN_CONTAINER = (str(ROOT / "scripts/resnet50-bench.sh"), "in-container")
SUBMISSION_S = 60.0  # a controller under load answers sbatch late, a dead one never
POLL_S = 5.0  # sites dislike more frequent requests to the controller
SUBMIT_PATIENCE_S = 120.0  # for temporary reasons: a booting node, a full cluster without an estimated start
CONTROLLER_PATIENCE_S = 60.0  # the controller may restart during a job
CANCEL_PATIENCE_S = 90.0  # ctest kills a case 120 s after TIMEOUT: the job must be gone before
SHARED_PATIENCE_S = 30.0  # other hosts' new files show up late on NFS
_NEVER_STARTS = ("down", "drain", "unavailablenodes", "badconstraints", "partition", "invalid", "jobheld")
_MAY_NOT_START = ("resources", "reqnodenotavail")
#: The variables of Slurm's commands that choose the cluster and the user. Only these are kept.
_SELECT_CLUSTER = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT")
#: Removed variables. An outer job sets the first two. The others hide jobs and nodes from queries.
_FOREIGN = re.compile(r"SLURM_|SBATCH_(CPU|MEM)_BIND|SQUEUE_|SINFO_|SCANCEL_")
_RUN_FAILED = {
    "TIMEOUT": "it reached the time limit of the job; raise --time in --options",
    "CANCELLED": "somebody else ended it (scancel)",
    "OUT_OF_MEMORY": "it used more memory than Slurm gave it; --mem=0 in --options asks for the whole node's",
}
#: sbatch copies the script, and srun starts the one in the folder, so all nodes run the same text.
_SCRIPT = """#!/usr/bin/env bash
set -eu
if [ "${{1-}}" != node ]; then
    exec srun --ntasks-per-node=1 --cpu-bind=none --export=ALL --kill-on-bad-exit=0 --wait=0 bash {script} node
fi
folder={parent}/worker-$SLURM_NODEID-c0
mkdir -p -- "$folder"; cd -- "$folder"
printf '%s\\n' "$SLURMD_NODENAME" >node
. {environment}
export {node}="$SLURM_NODEID" {count}="$SLURM_NNODES" {rendezvous}={parent}/.rendezvous-"$SLURM_JOB_ID"
# scancel's SIGTERM reaches this script alone, and Slurm kills the rest when it ends: the runner has to end first.
{runner} </dev/null & runner=$!
trap 'kill "$runner"' TERM
status=0
wait "$runner" || status=$?
while kill -0 "$runner" 2>&-; do wait "$runner" || status=$?; done
printf '%s\\n' "$status" >status
exit "$status"
"""


def make(settings: Settings) -> SlurmBackend:
    """Make the backend with the user's sbatch options. Raises BadInput for a container tool without its image."""
    tools = {word: tool for word in settings.option_words()
             if word.startswith("--") and (tool := word[2:].partition("=")[0]) in (*RUNTIMES, *COMMANDS)}
    others = tuple(word for word in settings.option_words() if word not in tools)
    if len(tools) > 1:
        raise BadInput(f"--options={settings.options}: {' and '.join(tools)} exclude each other")
    for word, tool in tools.items():
        _, equals, file = word.partition("=")
        if tool in RUNTIMES and equals:
            raise BadInput(f"{word}: --{tool} takes no value; REGISTRY and RELEASE name the image")
        if tool in COMMANDS and not file:
            raise BadInput(f"{word}: --{tool}=FILE needs an image file on a path that every node can read")
        return SlurmBackend(others, tool, image_name(settings) if tool in RUNTIMES else str(Path(file).absolute()))
    return SlurmBackend(others)


@dataclass(frozen=True)
class SlurmBackend:
    """Runs on the nodes of a Slurm job. They share the checkout and the logs folder with this host.

    With a container ``tool`` each node runs the ``image`` by its own installation.
    """

    options: tuple[str, ...] = ()
    tool: str = ""
    image: str = ""
    local = False

    def cpus(self) -> Sequence[int]:
        """Empty: it uses no CPU of this host. Each node's runner locks its own."""
        return ()

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend. ``folder`` is node 0's. The folders of the other nodes are made beside it."""
        folder = folder.absolute()
        if self.image and texts.get("FUNCTION") == "training":
            raise BadInput(f"FUNCTION=training with --{self.tool}: training needs a network, and these containers "
                           f"have none; leave out --{self.tool}")
        if not shutil.which("sbatch"):
            raise Infrastructure("sbatch is not installed: BACKEND=slurm needs a host that can submit jobs")
        deadline = time.monotonic() + timeout_s
        _cancel_orphans()
        runner = (*IN_CONTAINER, self.tool, self.image, f"{timeout_s:g}") if self.image else (str(RUNNER),)
        job = _submit(_write_job(texts, folder, runner), folder, timeout_s, self.options)
        try:
            print(f"slurm: job {job} is submitted", flush=True)
            state, reason = _wait(job, folder / f"slurm-{job}.out", deadline)
            if state and time.monotonic() < deadline:
                # The reason of a job names such nodes only sometimes.
                closed = _ask("sinfo", "-h", "-t", "down,drain,fail", "-o", "%N (%T: %E)").splitlines()
                nodes = f"; nodes that accept no jobs: {', '.join(closed)}" if closed else ""
                raise Infrastructure(f"job {job} cannot start and was cancelled: {reason}{nodes}")
            if state:
                raise RunFailed(f"job {job} was still {state} ({reason}) at TIMEOUT={timeout_s:g} s since its "
                                "submission and was cancelled")
            record = _record(job)
            left = _read_nodes(folder, record)
        except BaseException:
            _cancel(job)
            raise
        print(summary(left), flush=True)
        status = _verdict(job, record, left)
        if texts.get("FUNCTION") == "training":
            require_replicas(left)
        return status


def _write_job(texts: Mapping[str, str], folder: Path, runner: Sequence[str]) -> Path:
    """Write job.sh and job.env, and remove an earlier job's files from the folder."""
    for old in (*folder.parent.glob("worker-*-c0/status"), *folder.parent.glob("worker-*-c0/node")):
        old.unlink()
    script, environment = folder / "job.sh", folder / "job.env"
    lines = [f"unset {' '.join(CATALOGUE)}", *(f"export {shlex.quote(f'{n}={text}')}" for n, text in texts.items())]
    environment.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    paths = {"script": script, "environment": environment, "parent": folder.parent}
    script.write_text(_SCRIPT.format(runner=shlex.join(runner), node=NODE, count=COUNT, rendezvous=RENDEZVOUS,
                                     **{name: shlex.quote(str(path)) for name, path in paths.items()}))
    return script


def _submit(script: Path, folder: Path, timeout_s: float, options: Sequence[str]) -> str:
    """Submit, and return the job's number. The user's options override those before them, not those after."""
    command = ["sbatch", "--nodes=1", "--exclusive", f"--time={int(timeout_s // 60) + 1}", *options,
               "--parsable", f"--job-name={MARK}:{owner()}", "--ntasks-per-node=1", "--no-requeue", f"--chdir={folder}",
               f"--output={str(folder).replace('%', '%%')}/slurm-%j.out", str(script)]
    try:
        sbatch = heard_out(command, SUBMISSION_S, lambda number: _cancel(number.split(";")[0]), _environment())
    except subprocess.TimeoutExpired as error:
        raise Infrastructure(f"sbatch did not answer within {SUBMISSION_S:g} s: check the Slurm controller. If the "
                             "job was created, the next run cancels it") from error
    if sbatch.returncode != 0:
        why = sbatch.stderr.strip() or "it did not say why"
        raise Infrastructure(f"sbatch refused the job: {why.splitlines()[-1]}")
    return sbatch.stdout.strip().split(";")[0]


def _cancel_orphans() -> None:
    """Cancel the user's jobs whose host side was killed. Leaves those of cases that still run."""
    for line in _ask("squeue", "-h", f"--user={os.geteuid()}", "-o", "%A %j").splitlines():
        job, _, name = line.partition(" ")
        if name.startswith(f"{MARK}:") and is_gone(name.removeprefix(f"{MARK}:")):
            print(f"NOTICE: job {job} was left by a case that was killed, and is cancelled", flush=True)
            _cancel(job)


def _environment() -> dict[str, str]:
    """The environment for Slurm's commands, without variables of an outer job or of the user that would change them."""
    return {name: text for name, text in os.environ.items() if name in _SELECT_CLUSTER or not _FOREIGN.match(name)}


def _ask(*command: str) -> str:
    """Slurm's answer about a job, empty if Slurm has forgotten it. Raises Infrastructure if there is no answer."""
    deadline = time.monotonic() + CONTROLLER_PATIENCE_S
    while True:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                  timeout=CONTROLLER_PATIENCE_S, env=_environment())
            why = done.stderr.strip()
            if done.returncode == 0 or "Invalid job id" in why or "already complet" in why:
                return done.stdout.strip()
        except subprocess.TimeoutExpired:
            why = f"{command[0]} hangs"
        if time.monotonic() > deadline:
            raise Infrastructure(f"Slurm does not answer: {why}")
        time.sleep(POLL_S)


def _state(job: str) -> list[str]:
    """[state, estimated start, reason]. The state is "" if the job is over."""
    return (_ask("squeue", "-h", "-j", job, "-o", "%T|%S|%r") or "||").split("|", 2)


def _wait(job: str, output: Path, deadline: float) -> tuple[str, str]:
    """Print the job's lines until it is over. Returns ("", ""), or (state, reason) of a job to give up."""
    submitted, offset = time.monotonic(), 0
    while True:
        time.sleep(POLL_S)
        state, start, reason, now = *_state(job), time.monotonic()
        offset = _print_new(output, offset, at_end=not state)
        text, late = reason.lower().replace(" ", ""), now - submitted > SUBMIT_PATIENCE_S
        hopeless = any(word in text for word in _NEVER_STARTS) or (late and text.startswith(_MAY_NOT_START))
        # Wait for a job with an estimated start, whatever its reason.
        if not state or now > deadline or (state == "PENDING" and start in ("", "N/A") and hopeless):
            return state, reason


def _print_new(output: Path, offset: int, at_end: bool) -> int:
    """Print the complete lines after ``offset``, at the end also an incomplete one. Returns the new offset."""
    if not output.exists():
        return offset
    with output.open("rb") as stream:
        stream.seek(offset)
        new = stream.read()
    new = new if at_end else new[:new.rfind(b"\n") + 1]
    if new:
        print(new.decode(errors="replace").removesuffix("\n"), flush=True)
    return offset + len(new)


def _cancel(job: str) -> None:
    """Cancel the job, and return when no part of it runs. Does nothing to a finished job."""
    deadline, why = time.monotonic() + CANCEL_PATIENCE_S, "it is still ending"
    try:
        _ask("scancel", job)
        while time.monotonic() < deadline:
            if not _state(job)[0]:
                return
            time.sleep(POLL_S)
    except Infrastructure as error:
        why = str(error)
    print(f"error: job {job} may run on: {why}; see: scontrol show job {job}", file=sys.stderr, flush=True)


def _record(job: str) -> dict[str, str]:
    """The job's end. Raises Infrastructure if the controller has already forgotten it."""
    pairs = re.findall(r"(?:^|\s)(JobState|Reason|ExitCode|DerivedExitCode|NodeList|NumNodes)=(\S*)",
                       _ask("scontrol", "--details", "show", "job", "-o", job))
    if not pairs:
        raise Infrastructure(f"Slurm has forgotten how job {job} ended: raise MinJobAge in slurm.conf")
    return dict(reversed(pairs))  # the first of a name counts: a later path may look like any of them


def _read_nodes(folder: Path, record: Mapping[str, str]) -> list[WorkerFolder]:
    """Each node's logs. If the nodes have ended, waits for files that appear late."""
    deadline = time.monotonic() + (SHARED_PATIENCE_S if record["JobState"] in ("COMPLETED", "FAILED") else 0)
    while True:
        nodes = [read_node(folder.parent / f"worker-{i}-c0") for i in range(int(record["NumNodes"]))]
        if time.monotonic() > deadline or all(node.status is not None for node in nodes):
            return nodes
        time.sleep(1)


def _verdict(job: str, record: Mapping[str, str], nodes: Sequence[WorkerFolder]) -> int:
    """The worst node's status, or the error with the reason why there is none."""
    # Slurm reports out of memory (SIG_OOM of slurm.h) for the step only. Its job is FAILED.
    state = "OUT_OF_MEMORY" if record.get("DerivedExitCode") == "0:125" else record["JobState"]
    where = f"job {job} on {record.get('NodeList')}: {state}"
    if state in _RUN_FAILED:
        raise RunFailed(f"{where}: {_RUN_FAILED[state]}")
    if state in ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED"):
        raise Infrastructure(f"{where}: a node failed during the run ({record.get('Reason')}); run it again")
    worst = tell_worst(f"slurm: {where}", nodes)
    if worst.status in (126, 127):
        raise Infrastructure(f"{where}: node {worst.name} cannot run {RUNNER}; do all nodes share it?")
    if worst.status:
        return worst.status
    if state != "COMPLETED" or any(node.status is None for node in nodes):
        output = nodes[0].folder / f"slurm-{job}.out"
        said = (read_text(output) or "").splitlines()[-1:]
        raise Infrastructure(f"{where}, ExitCode {record.get('ExitCode')}: a node wrote no exit status; "
                             + (f"the last line of {output} is: {said[0]}" if said else
                                f"do all nodes share {nodes[0].folder}?"))
    return 0
