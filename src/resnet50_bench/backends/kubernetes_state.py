"""A Job and its pods as the API shows them -> what keeps the case from running, in one line; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import BenchError, Infrastructure, RunFailed

UNSCHEDULABLE_PATIENCE_S = 120.0  # another case may be about to end, a node about to join
NODE_PATIENCE_S = 60.0  # a kubelet may be restarted in the middle
NO_PODS_PATIENCE_S = 20.0
_DELETED_PATIENCE_S = 6.0  # the cause shows up in other places a moment later
_INDEX = "batch.kubernetes.io/job-completion-index"
_NO_IMAGE = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_NO_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")
#: Reasons of the condition DisruptionTarget (Kubernetes, "Pod disruption conditions") where the node is the cause.
_NODE_LOST = ("DeletionByTaintManager", "DeletionByPodGC")


class Problem(NamedTuple):
    """``error`` is final once a problem of this ``kind`` has lasted for ``patience_s``."""
    error: BenchError
    kind: str = "final"
    patience_s: float = 0.0


@dataclass(frozen=True)
class Pod:
    """One pod as the API shows it."""

    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name in its namespace."""
        return str(self.document["metadata"]["name"])

    @property
    def index(self) -> int:
        """Which of the Job's it is."""
        return int(self.document["metadata"]["annotations"][_INDEX])

    @property
    def node(self) -> str:
        """Where it runs; empty before it is scheduled."""
        return str(self.document["spec"].get("nodeName") or "")

    @property
    def started(self) -> bool:
        """Whether its container runs, or has run."""
        return "running" in self.container or bool(self.ended)

    @property
    def deleted(self) -> bool:
        """Whether somebody has deleted it; it may run on for a moment."""
        return "deletionTimestamp" in self.document["metadata"]

    @cached_property
    def container(self) -> Mapping[str, Any]:
        """The container's state: {"running": ...}, {"waiting": ...}, {"terminated": ...} or nothing yet."""
        statuses = self._status.get("containerStatuses") or [{}]
        return statuses[0].get("state") or {}

    @property
    def ended(self) -> Mapping[str, Any]:
        """How the container ended; empty where it did not."""
        return self.container.get("terminated") or {}

    def condition(self, kind: str) -> Mapping[str, Any]:
        """The condition ``kind``, empty where there is none."""
        return next((each for each in self._status.get("conditions") or () if each["type"] == kind), {})

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed or Unknown."""
        return str(self._status.get("phase"))

    @property
    def reason(self) -> str:
        """Why it failed, where the kubelet or a controller says so."""
        return str(self._status.get("reason") or "")

    @property
    def message(self) -> str:
        """More words on ``reason``."""
        return str(self._status.get("message") or "")

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.document.get("status") or {}

    def __str__(self) -> str:
        return f"pod {self.name}" + (f" on node {self.node}" if self.node else "")


def diagnose(job: Mapping[str, Any] | None, pods: Sequence[Pod]) -> Problem | None:
    """The worst that is wrong, None where all is well; ``pods`` are those whose logs have not come back yet.

    The first cause is looked for first: where one pod fails, its Job ends the others.
    """
    status = (job or {}).get("status") or {}
    # FailureTarget comes before Failed: it says why the pods are being ended (Kubernetes 1.31 and later).
    conditions = status.get("conditions") or ()
    failed: Mapping[str, str] = next((condition for kind in ("Failed", "FailureTarget") for condition in conditions
                                      if condition["type"] == kind and condition["status"] == "True"), {})
    if failed.get("reason") == "DeadlineExceeded":
        return Problem(RunFailed("the Job reached its deadline (activeDeadlineSeconds) and the cluster ended it"))
    found = _first(_taken_away, pods) or _first(_out_of_memory, pods)
    if found:
        return found
    if job is None or "deletionTimestamp" in job["metadata"]:
        return Problem(Infrastructure("somebody deleted the Job before its run was over"))
    found = _first(_cannot_start, pods) or _first(_ended, pods) or _first(_deleted, pods)
    if found:
        return found
    if failed:
        return Problem(Infrastructure(f"the Job failed because a pod is gone ({failed.get('reason')}: "
                                      f"{failed.get('message')})"), "failed", _DELETED_PATIENCE_S)
    if not pods:
        return Problem(Infrastructure("the cluster makes no pods for the Job"), "no pods", NO_PODS_PATIENCE_S)
    return _first(_unschedulable, pods) or _first(_node_silent, pods)


def _first(check: Callable[[Pod], Problem | None], pods: Sequence[Pod]) -> Problem | None:
    return next((found for found in map(check, pods) if found), None)


def _taken_away(pod: Pod) -> Problem | None:
    disruption = pod.condition("DisruptionTarget")
    reason, message = disruption.get("reason", ""), disruption.get("message") or pod.message
    if pod.reason == "NodeLost" or pod.phase == "Unknown" or reason in _NODE_LOST:
        return Problem(Infrastructure(f"{pod}: the node was lost ({message or reason or pod.reason}); run it again"))
    if pod.reason in ("Evicted", "Preempting") or disruption.get("status") == "True":
        return Problem(Infrastructure(f"{pod} was evicted ({pod.reason or reason}: {message}); run it again"))
    return None


def _out_of_memory(pod: Pod) -> Problem | None:
    if pod.ended.get("reason") == "OOMKilled":
        return Problem(RunFailed(f"{pod} used more memory than its limit (OOMKilled): --memory in --options raises it"))
    return None


def _cannot_start(pod: Pod) -> Problem | None:
    waiting = pod.container.get("waiting") or {}
    reason, message = waiting.get("reason", ""), " ".join(str(waiting.get("message", "")).split())
    if reason in _NO_IMAGE:
        return Problem(Infrastructure(f"{pod}: the image cannot be pulled ({reason}: {message}); REGISTRY and RELEASE "
                                      "name it"))
    if reason in _NO_START or pod.ended.get("reason") in _NO_START:
        message = message or str(pod.ended.get("message", ""))
        return Problem(Infrastructure(f"{pod}: the container cannot be started ({message})"))
    return None


def _ended(pod: Pod) -> Problem | None:
    if pod.deleted or not (pod.ended or pod.phase in ("Failed", "Succeeded")):
        return None
    if not pod.ended:  # admission by the kubelet, say: UnexpectedAdmissionError, OutOfcpu
        return Problem(Infrastructure(f"{pod} was refused ({pod.reason}: {pod.message})"))
    # Its logs may be on their way.
    return Problem(RunFailed(f"{pod} ended before its run was over (exit status {pod.ended.get('exitCode')})"),
                   "ended", _DELETED_PATIENCE_S)


def _deleted(pod: Pod) -> Problem | None:
    if pod.deleted:
        return Problem(Infrastructure(f"{pod}: somebody deleted it before its run was over"), "deleted",
                       _DELETED_PATIENCE_S)
    return None


def _unschedulable(pod: Pod) -> Problem | None:
    scheduled = pod.condition("PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    wanted = " ".join(f"{name}={value}" for name, value in (pod.document["spec"].get("nodeSelector") or {}).items())
    message = str(scheduled.get("message", "")).rstrip(".")
    return Problem(Infrastructure(f"{pod} cannot be scheduled: {message}" + (
        f"; it wants the node labels {wanted} (cpu-cpuid: Node Feature Discovery)" if "selector" in message else "")),
        "unschedulable", UNSCHEDULABLE_PATIENCE_S)


def _node_silent(pod: Pod) -> Problem | None:
    """Nothing probes the container: where it runs and the pod is not ready, its node does not answer."""
    if "running" in pod.container and pod.condition("Ready").get("status") in ("False", "Unknown"):
        return Problem(Infrastructure(f"{pod}: the node does not answer any more; run it again"), "node",
                       NODE_PATIENCE_S)
    return None
