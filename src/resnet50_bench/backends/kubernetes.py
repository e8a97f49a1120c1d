"""Parameter texts and a logs folder -> one indexed Job on Kubernetes, one pod per node, and the worst pod's status."""

from __future__ import annotations

import math
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import BadInput, BenchError, Infrastructure, RunFailed
from . import Settings
from .container import image_name
from .kubectl import Kubectl, PodStreams, last_line
from .kubernetes_manifest import KubernetesOptions, manifest, parse_options, require_jinja
from .kubernetes_state import PATIENCE_S, ApiObject, ApiObjects, Problem, diagnose
from .workers import WorkerFolder, read_node, summary, tell_worst

START_POLL_S = 2.0  # until every pod runs
POLL_S = 15.0  # then: the waiting stream shows the end by itself
API_PATIENCE_S = 60.0  # the API server may be restarted in the middle
# ctest kills a case 120 s after TIMEOUT. All of this must be over before.
RESCUE_S, DELETE_PATIENCE_S, DRAIN_S = 20.0, 60.0, 5.0


def make(settings: Settings) -> KubernetesBackend:
    """Make the backend with the user's options. Raises BadInput for wrong ones, Infrastructure if Jinja is missing."""
    options = parse_options(settings.option_words())
    require_jinja()
    # Without a registry the nodes have the image already. With one a tag may have moved.
    return KubernetesBackend(options, image_name(settings), "Always" if settings.registry else "IfNotPresent")


@dataclass(frozen=True)
class KubernetesBackend:
    """Runs the inference image on the nodes that the scheduler chooses."""

    options: KubernetesOptions
    image: str
    pull_policy: str
    local = False

    def cpus(self) -> Sequence[int]:
        """Empty: it uses no CPU of this host."""
        return ()

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """See Backend. ``folder`` is pod 0's. The folders of the other pods are made beside it."""
        if not shutil.which("kubectl"):
            raise Infrastructure("kubectl is not installed: BACKEND=kubernetes needs it, and a cluster in KUBECONFIG")
        if texts.get("FUNCTION") == "training" and self.options.nodes > 1:
            raise BadInput("FUNCTION=training over several pods is not supported, because pods share no folder: use "
                           "--nodes=1, or BACKEND=slurm")
        deadline = time.monotonic() + timeout_s
        name = f"resnet50-bench-{secrets.token_hex(5)}"
        text = manifest(name, self.image, self.pull_policy, texts, self.options, timeout_s)
        job = _Job(Kubectl(self.options.namespace), name, self.options.nodes, folder.absolute())
        try:
            job.submit(text)
            print(f"kubernetes: job {name} is submitted", flush=True)
            job.wait(deadline, timeout_s)
        finally:
            job.delete()
            if job.streams:
                print(summary(job.nodes()), flush=True)
        return tell_worst(f"kubernetes: job {name}", job.nodes()).status or 0


class _Job:
    """One Job with a unique name. ``streams`` are those of the pods that have started."""

    def __init__(self, kubectl: Kubectl, name: str, count: int, folder: Path) -> None:
        self._kubectl, self._name, self._count, self._folder = kubectl, name, count, folder
        self.streams: dict[int, PodStreams] = {}
        self._changed = threading.Event()
        self._submitted = False

    def nodes(self) -> list[WorkerFolder]:
        """Each pod's logs. The folder of a pod that never started is empty."""
        return [read_node(self._folder_of(index)) for index in range(self._count)]

    def _folder_of(self, index: int) -> Path:
        folder = self._folder.with_name(f"worker-{index}-c0")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def submit(self, text: str) -> None:
        """Create the Job. Repeating this creates no second one, because its name is unique. Raises Infrastructure."""
        asked = self._kubectl.ask("get", "--raw=/version", "--request-timeout=10s")
        if asked.returncode != 0:
            raise Infrastructure(f"no cluster answers: {last_line(asked)}; name a cluster in KUBECONFIG or "
                                 "~/.kube/config")
        self._submitted = True  # from here on there may be a Job to delete, whatever the answer is
        created = self._kubectl.ask("create", "--filename=-", stdin=text)
        if created.returncode == 124:
            created = self._kubectl.ask("create", "--filename=-", stdin=text)
        if created.returncode != 0 and "(AlreadyExists)" not in created.stderr:
            raise Infrastructure(f"kubectl could not create the Job: {last_line(created)}")

    def wait(self, deadline: float, timeout_s: float) -> None:
        """Return when the logs of every pod have arrived. Raises the problem that prevents it."""
        kind, since = "", 0.0
        while True:
            items = self._look(deadline)
            pods = [item for item in items if item.kind == "Pod"]
            self._read_new(pods)
            if all(self._complete(index) for index in range(self._count)):
                return
            now = time.monotonic()
            problem = diagnose(next((item for item in items if item.kind == "Job"), None),
                               [pod for pod in pods if not self._complete(pod.index)])
            if (problem.kind if problem else "") != kind:
                kind, since = problem.kind if problem else "", now
            if problem and now - since >= PATIENCE_S[problem.kind]:
                raise self._explained(problem)
            if now >= deadline:
                self._rescue()
                raise RunFailed(f"the case took longer than TIMEOUT={timeout_s:g} s and was ended"
                                + (f" ({problem.error})" if problem else ""))
            calm = len(self.streams) == self._count and not problem
            self._changed.wait(max(0.0, min(POLL_S if calm else START_POLL_S, deadline - now)))
            self._changed.clear()

    def _look(self, deadline: float) -> list[ApiObject]:
        """Return the Job, None if it is gone, and its pods. Raises Infrastructure if nobody answers for long."""
        give_up_at = min(time.monotonic() + API_PATIENCE_S, deadline)
        while True:
            asked = self._kubectl.ask("get", "job,pods", f"--selector=app.kubernetes.io/instance={self._name}",
                                      "--output=json", "--request-timeout=20s")
            with suppress(ValueError):
                if asked.returncode == 0:
                    return msgspec.json.decode(asked.stdout, type=ApiObjects).items
            if time.monotonic() > give_up_at:
                raise Infrastructure(f"Kubernetes does not answer: {last_line(asked)}")
            time.sleep(START_POLL_S)

    def _read_new(self, pods: Sequence[ApiObject]) -> None:
        """Start reading the pods that have started. Raises the error of a log that could not be written."""
        for pod in pods:
            if pod.container.keys() & {"running", "terminated"} and pod.index not in self.streams:
                folder = self._folder_of(pod.index)
                node = pod.spec.node_name or ""
                (folder / "node").write_text(f"{node}\n")
                prefix = f"[{node}] " if self._count > 1 else ""
                self.streams[pod.index] = PodStreams(self._kubectl, pod.metadata.name, folder, prefix, self._changed)
                self.streams[pod.index].start()
        for stream in self.streams.values():
            if stream.error:
                raise stream.error

    def _complete(self, index: int) -> bool:
        return index in self.streams and self.streams[index].complete

    def _explained(self, problem: Problem) -> BenchError:
        """The error. If the Job has no pods, with the newest warning about it, for example of a quota or a policy."""
        if problem.kind == "no pods":
            asked = self._kubectl.ask("get", "events", "--output=json", "--sort-by=.metadata.creationTimestamp",
                                      f"--field-selector=involvedObject.name={self._name},type=Warning")
            with suppress(ValueError, LookupError):
                events = msgspec.json.decode(asked.stdout, type=ApiObjects).items
                return Infrastructure(f"{problem.error}: {events[-1].message}")
        return problem.error

    def _rescue(self) -> None:
        """Fetch the existing logs of pods whose run is not over."""
        end = time.monotonic() + RESCUE_S
        for stream in self.streams.values():
            if time.monotonic() < end:
                stream.rescue(end - time.monotonic())

    def delete(self) -> None:
        """Delete the Job and its pods, and return when they are gone. Repeating it is harmless."""
        end = time.monotonic() + DELETE_PATIENCE_S
        while self._submitted:
            left = max(1, math.ceil(end - time.monotonic()))
            done = self._kubectl.ask("delete", "job", self._name, "--cascade=foreground", "--ignore-not-found",
                                     f"--timeout={left}s", patience_s=left + 2.0)
            if done.returncode == 0:
                break
            if time.monotonic() + START_POLL_S >= end:
                print(f"error: job {self._name} may run on: {last_line(done)}; to end it: kubectl delete job "
                      f"{self._name}", file=sys.stderr, flush=True)
                break
            time.sleep(START_POLL_S)
        end = time.monotonic() + DRAIN_S
        for stream in self.streams.values():
            stream.stop(max(0.0, end - time.monotonic()))
