#!/usr/bin/env python3
"""A FAKE interpreter that the launcher starts instead of a real worker: it speaks the channel's words.

What it does is told by the environment variable FAKE_<process> (through CUSTOMER_ENV): ``good``, ``die``
(SIGKILL itself while measuring), ``exit`` (status 3 before it is ready), ``hang``, ``refuse``; ``second:die`` and
so on: in the second case that it is given. It prints the number of the case, so into that case's log.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

channel = socket.socket(fileno=int(sys.argv[4]))
words = channel.makefile("r")


def say(**message):
    channel.sendall(json.dumps(message).encode() + b"\n")


def each(spec, event, **more):
    for part in spec["instances"]:
        say(event=event, instance=part["index"], **more)


def work(spec, behaviour):
    if behaviour == "exit":
        print("no more of this")
        sys.exit(3)
    if behaviour == "refuse":
        say(event="failed", why="53 of 53 convolutions did not run amx_int8's kernels")
        sys.exit(0)
    say(event="stage", text="preparing the model")
    each(spec, "prepared")
    assert json.loads(words.readline())["order"] == "warm"
    each(spec, "ready", step_s=0.001)
    assert json.loads(words.readline())["order"] == "go"
    if behaviour == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "hang":
        time.sleep(1000)
    begin = time.monotonic_ns()
    each(spec, "enough")
    assert json.loads(words.readline())["order"] == "stop"
    say(event="stopped")
    assert json.loads(words.readline())["order"] == "report"
    Path(spec["report"]).write_text(json.dumps({
        "process": spec["process"], "pid": os.getpid(), "prepare_s": 0.0, "model_cache": "hit",
        "allocator": "default", "kernels": {}, "facts": {},
        "runs": [{"instance": part["index"], "process": spec["process"], "pid": os.getpid(),
                  "cpus": part["cpus"], "observed_cpus": part["cpus"], "memory_node": None,
                  "warmup_steps": 0, "warmup_s": 0.0, "steady": True, "peak": {},
                  "starts_ns": [begin], "ends_ns": [begin + 10**6]}
                 for part in spec["instances"]]}))
    say(event="reported")


spec_file, number = sys.argv[3], 1
while spec_file:
    given = json.loads(Path(spec_file).read_text())
    if number > 1:
        with open(given["log"], "wb") as log:
            os.dup2(log.fileno(), 1)
    print(f"case {number}", flush=True)
    told = os.environ.get(f"FAKE_{given['process']}", "good")
    if told.startswith("second:"):
        told = told.removeprefix("second:") if number == 2 else "good"
    work(given, told)
    line = words.readline()
    spec_file, number = json.loads(line)["spec"] if line else None, number + 1
