"""A FAKE kubectl: answers as a cluster with one Job would, of which ``scenario.json`` in FAKE_CLUSTER tells.

``pods``: a list of {node, status (as the API has it; default: running), run_s (null: it never ends), looks (how often
it is asked for before it is scheduled), deleted, break (the logs' stream breaks off once)}; what pod N leaves is the
folder ``pod-N``. ``job``: the Job's status; null: somebody has deleted it. ``events``: what is told of the Job.
``errors``: {first word: [status, message, first call, call after the last]}, counted from 0. Each call is a line of
``calls``; ``deleted`` appears with the delete. It is started a thousand times, so it imports next to nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time

CLUSTER = os.environ.get("FAKE_CLUSTER", ".")
RUNNING = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
           "containerStatuses": [{"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}


def main(words: list[str]) -> int:
    """One call."""
    with open(_file("scenario.json")) as stream:
        scenario = json.load(stream)
    namespace = [word for word in words if word.startswith("--namespace=")]
    words = [word for word in words if word not in namespace]
    count = _count(words[0])
    with open(_file("calls"), "a") as calls:
        print(*words, *namespace, file=calls)
    status, message, first, end = scenario.get("errors", {}).get(words[0], (0, "", 0, 0))
    if first <= count < end:
        print(message, file=sys.stderr)
        return status
    return globals()[words[0]](scenario, words)


def _file(name: str) -> str:
    return os.path.join(CLUSTER, name)  # noqa: PTH118


def _count(word: str) -> int:
    """How many such calls there were."""
    if not os.path.exists(_file("calls")):  # noqa: PTH110
        return 0
    with open(_file("calls")) as calls:
        return sum(line.split()[0] == word for line in calls)


def _gone() -> bool:
    return os.path.exists(_file("deleted"))  # noqa: PTH110


def create(_: dict, words: list[str]) -> int:
    with open(_file("manifest"), "w") as manifest:
        manifest.write(sys.stdin.read())
    return 0


def delete(_: dict, words: list[str]) -> int:
    with open(_file("deleted"), "w") as deleted:
        deleted.write(words[2])
    return 0


def get(scenario: dict, words: list[str]) -> int:
    """The version, events, or the Job with its pods."""
    if words[1] == "--raw=/version":
        return 0
    if words[1] == "events":
        items = [{"message": message} for message in scenario.get("events", ())]
    else:
        name, job = words[2].partition("instance=")[2], scenario.get("job", {})
        items = [] if job is None else [{"kind": "Job", "metadata": {"name": name}, "status": job}]
        looks = _count("get") - 2  # the version was asked for, this call is written down already
        items += [pod_document(name, number, pod, looks) for number, pod in enumerate(scenario["pods"])]
    json.dump({"kind": "List", "items": [] if _gone() else items}, sys.stdout)
    return 0


def pod_document(job: str, number: int, pod: dict, looks: int) -> dict:
    """A pod as the API shows it when it was asked for ``looks`` times before."""
    metadata = {"name": f"{job}-{number}-x7k2p",
                "annotations": {"batch.kubernetes.io/job-completion-index": str(number)}}
    if pod.get("deleted"):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    scheduled = looks >= pod.get("looks", 0)
    return {"kind": "Pod", "metadata": metadata,
            "spec": {"nodeName": pod["node"] if scheduled else None,
                     "nodeSelector": {"feature.node.kubernetes.io/cpu-cpuid.AMXTILE": "true"}},
            "status": pod.get("status", RUNNING) if scheduled else {"phase": "Pending"}}


def logs(scenario: dict, words: list[str]) -> int:
    """What the pod prints, until it is gone."""
    number = int(words[2].split("-")[-2])
    print(f"FAKE pod {number} begins", flush=True)
    while scenario["pods"][number].get("status", RUNNING) == RUNNING and not _gone():
        time.sleep(0.02)
    return 0


def exec(scenario: dict, words: list[str]) -> int:  # noqa: A001
    """/export-logs, which blocks until the run is over and can be read once, or all that lies there by now."""
    import io
    import tarfile

    number = int(words[1].split("-")[-2])
    pod, content, read = scenario["pods"][number], io.BytesIO(), _file(f"read-{number}")
    if pod.get("status", RUNNING) != RUNNING:
        print("error: cannot exec into a container in a completed pod; current phase is Failed", file=sys.stderr)
        return 1
    if words[3:] == ["cat", "/export-logs"]:
        end = os.stat(_file("manifest")).st_mtime + (pod.get("run_s") or 1e6)  # noqa: PTH116
        while time.time() < end or os.path.exists(read):  # noqa: PTH110
            if _gone():
                return 137
            time.sleep(0.02)
        open(read, "w").close()
    elif words[3:] != ["tar", "cf", "-", "-C", "/home/bench/logs", "."]:
        raise AssertionError(words)
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(_file(f"pod-{number}"), ".")
    broken = pod.get("break") and words[3] == "cat"
    sys.stdout.buffer.write(content.getvalue()[:700] if broken else content.getvalue())
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
