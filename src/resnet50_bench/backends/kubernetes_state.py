"""A Job and its pods as the API shows them -> the reason why the case does not run, in one line; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from ..errors import BenchError, Infrastructure, RunFailed

#: The kinds of problems, causes before effects: if one pod fails, its Job ends the others. A problem is final after
#: this many seconds, because a node may be joining, a kubelet restarting, or logs on their way.
PATIENCE_S = {
    "deadline": 0.0, "taken away": 0.0, "out of memory": 0.0, "job deleted": 0.0, "no start": 0.0, "ended": 6.0,
    "deleted": 6.0, "job failed": 6.0, "no pods": 20.0, "unschedulable": 120.0, "silent": 60.0}
_INDEX = "batch.kubernetes.io/job-completion-index"
_NO_IMAGE = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_NO_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")
#: Reasons of the condition DisruptionTarget (Kubernetes, "Pod disruption conditions") caused by the node.
_NODE_LOST = ("DeletionByTaintManager", "DeletionByPodGC")


class Detail(msgspec.Struct, frozen=True, rename="camel"):
    """A condition, a container's reason to wait, or its end."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


class ContainerStatus(msgspec.Struct, frozen=True):
    """``state`` has ``waiting``, ``running`` or ``terminated`` of the pod's only container, or is empty."""

    state: dict[str, Detail] = {}


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The status of a Job or a pod. A pod's ``phase`` is Pending, Running, Succeeded, Failed or Unknown."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Detail] = []
    container_statuses: list[ContainerStatus] = []


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """The metadata of a Job or a pod."""

    name: str = ""
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The allowed nodes of a pod, and its node once it is scheduled."""

    node_name: str | None = None
    node_selector: dict[str, str] = {}


class ApiObject(msgspec.Struct, frozen=True):
    """A Job, a pod or an event of the API. An event has a ``message``."""

    kind: str = ""
    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()
    status: Status = Status()
    message: str = ""

    def __str__(self) -> str:
        return f"pod {self.metadata.name}" + (f" on node {self.spec.node_name}" if self.spec.node_name else "")

    @property
    def index(self) -> int:
        """The pod's index in its Job."""
        return int(self.metadata.annotations[_INDEX])

    @property
    def container(self) -> dict[str, Detail]:
        """The state of the pod's container."""
        return self.status.container_statuses[0].state if self.status.container_statuses else {}

    def condition(self, kind: str) -> Detail:
        """The condition ``kind``, an empty one if there is none."""
        return next((detail for detail in self.status.conditions if detail.type == kind), Detail())


class ApiObjects(msgspec.Struct, frozen=True):
    """A list in kubectl's answer."""

    items: list[ApiObject]


class Problem(NamedTuple):
    """``error`` is final once a problem of this ``kind`` has lasted for its PATIENCE_S."""

    kind: str
    error: BenchError


def diagnose(job: ApiObject | None, pods: Sequence[ApiObject]) -> Problem | None:
    """The first cause of a problem, or None. ``pods``: those whose logs have not arrived yet."""
    problems = [*_of_job(job, pods), *(problem for pod in pods for problem in _of_pod(pod))]
    return min(problems, key=lambda problem: list(PATIENCE_S).index(problem.kind), default=None)


def _of_job(job: ApiObject | None, pods: Sequence[ApiObject]) -> Iterator[Problem]:
    # FailureTarget precedes Failed, with the reason why the pods are being ended (Kubernetes 1.31 and later).
    conditions = [job.condition(kind) for kind in ("Failed", "FailureTarget")] if job else []
    failed = next((condition for condition in conditions if condition.status == "True"), None)
    if failed and failed.reason == "DeadlineExceeded":
        yield Problem("deadline", RunFailed("the Job reached its deadline (activeDeadlineSeconds) and the cluster "
                                            "ended it"))
    if job is None or job.metadata.deletion_timestamp:
        yield Problem("job deleted", Infrastructure("somebody deleted the Job before its run was over"))
    if failed:
        yield Problem("job failed", Infrastructure("the Job failed because a pod is gone "
                                                   f"({failed.reason}: {failed.message})"))
    if not pods:
        yield Problem("no pods", Infrastructure("the cluster created no pods for the Job"))


def _of_pod(pod: ApiObject) -> Iterator[Problem]:
    status, waiting, ended = pod.status, pod.container.get("waiting", Detail()), pod.container.get("terminated")
    disruption = pod.condition("DisruptionTarget")
    reason, message = status.reason or disruption.reason, disruption.message or status.message
    if status.reason == "NodeLost" or status.phase == "Unknown" or disruption.reason in _NODE_LOST:
        yield Problem("taken away", Infrastructure(f"{pod}: the node was lost ({message or reason}); run it again"))
    elif status.reason in ("Evicted", "Preempting") or disruption.status == "True":
        yield Problem("taken away", Infrastructure(f"{pod} was evicted ({reason}: {message}); run it again"))
    if ended and ended.reason == "OOMKilled":
        yield Problem("out of memory", RunFailed(f"{pod} used more memory than its limit (OOMKilled): raise --memory "
                                                 "in --options"))
    if waiting.reason in _NO_IMAGE:
        message = " ".join(waiting.message.split())
        yield Problem("no start", Infrastructure(f"{pod}: the image cannot be pulled ({waiting.reason}: {message}); "
                                                 "check REGISTRY and RELEASE"))
    for detail in (waiting, ended or Detail()):
        if detail.reason in _NO_START:
            message = " ".join(detail.message.split())
            yield Problem("no start", Infrastructure(f"{pod}: the container cannot be started ({message})"))
    if pod.metadata.deletion_timestamp:
        yield Problem("deleted", Infrastructure(f"{pod}: somebody deleted it before its run was over"))
    elif ended:
        yield Problem("ended", RunFailed(f"{pod} ended before its run was over (exit status {ended.exit_code})"))
    elif status.phase in ("Failed", "Succeeded"):  # e.g. the kubelet's admission: UnexpectedAdmissionError, OutOfcpu
        yield Problem("no start", Infrastructure(f"{pod} was refused ({status.reason}: {status.message})"))
    scheduled = pod.condition("PodScheduled")
    if scheduled.status == "False" and scheduled.reason == "Unschedulable":
        wanted = " ".join(f"{name}={value}" for name, value in pod.spec.node_selector.items())
        labels = f"; it needs a node with the labels {wanted} (Node Feature Discovery sets cpu-cpuid)"
        yield Problem("unschedulable", Infrastructure(f"{pod} cannot be scheduled: {scheduled.message.rstrip('.')}"
                                                      + (labels if "selector" in scheduled.message else "")))
    # The container has no probe, so if it runs and the pod is not ready, its node does not answer.
    if "running" in pod.container and pod.condition("Ready").status in ("False", "Unknown"):
        yield Problem("silent", Infrastructure(f"{pod}: the node does not answer any more; run it again"))
