"""A Case, an instance's cores and the native libraries -> the whole environment of a worker process.

Only what is named here reaches an instance: what else lies in the user's environment (OMP_*,
KMP_*, LD_PRELOAD ...) cannot change a measurement unnoticed. CUSTOMER_ENV comes last and wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..case.case import Case
from ..stack import user_cache

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LD_LIBRARY_PATH",
              "XDG_CACHE_HOME", "VIRTUAL_ENV")

#: Keeps big blocks mapped: without it each step faults its activations in anew. No background thread: where nothing
#: decays it has nothing to do, and it woke up 20 times in each step of batch 1.
JEMALLOC_CONF = "oversize_threshold:1,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"


def worker_environment(case: Case, instances: list[tuple[int, ...]], libraries: Mapping[str, str],
                       outer: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process with these instances (each a tuple of its cpus).

    ``libraries`` holds paths under ``jemalloc`` and ``tcmalloc`` where they were found.
    """
    environment = {name: outer[name] for name in _PASSED_ON if name in outer}
    environment |= {
        # PyTorch asks for both, and fails for a user id without an entry in /etc/passwd.
        "HOME": str(user_cache.home()), "USER": outer.get("USER") or user_cache.user_name(),
        "PYTHONPATH": os.pathsep.join(filter(None, (outer.get("PYTHONPATH"), str(user_cache.import_path())))),
        "PYTHONUNBUFFERED": "1",
        "ONEDNN_MAX_CPU_ISA": case.arithmetic.isa_cap,
        "OMP_NUM_THREADS": str(len(instances[0])),
        "OMP_DYNAMIC": "FALSE",
    }
    if len(instances) == 1:
        # Several instances in one process are bound by their thread's mask, which their teams
        # inherit: OpenMP's places are one list for the whole process.
        environment["OMP_PROC_BIND"] = "close"
        environment["OMP_PLACES"] = ",".join(f"{{{cpu}}}" for cpu in instances[0])
    if "jemalloc" in libraries:
        environment |= {"LD_PRELOAD": libraries["jemalloc"], "MALLOC_CONF": JEMALLOC_CONF}
    elif "tcmalloc" in libraries:
        environment["LD_PRELOAD"] = libraries["tcmalloc"]
    return environment | dict(case.customer_env)
