"""The runner on this machine, made to look like one that clouds and labs have."""

from __future__ import annotations

import os

from resnet50_bench.machine import machine_lock
from support.aside import PASSIVE
from support.engine import FP32, ROOT, TWO_CORES, result_of
from support.other_machines import NEEDS_MOUNTS, STRANGER, run_as_stranger, run_with, strangers_folder
from support.stack import chosen

RUN = (ROOT / "run_test.sh", f"--precision={FP32}", "--case_type=gated")


@NEEDS_MOUNTS
def test_a_user_id_without_an_entry_in_passwd():
    with strangers_folder() as folder:
        own = {"TMPDIR": str(folder), machine_lock.FOLDER: str(folder), "WARMUP_STEPS": "0", "CUSTOMER_ENV": PASSIVE}
        done = run_as_stranger(RUN, folder, own)
        assert done.returncode == 0, done.stdout + done.stderr
        assert result_of(folder)["failure"] is None
        models = folder / f"resnet50-bench-{STRANGER}/models"
        assert models.is_dir()
        where = (chosen().worker_python(), "-c", "from resnet50_bench.stack import user_cache; "
                 "print(user_cache.models())")
        other = own | {"HOME": "/root", "XDG_CACHE_HOME": "relative", "PYTHONPATH": str(ROOT / "src")}
        assert run_as_stranger(where, folder, other).stdout == f"{models}\n"


@NEEDS_MOUNTS
@TWO_CORES
def test_a_container_that_shows_only_cpu_0_as_online(tmp_path):
    (tmp_path / "online").write_text("0\n")
    cpu = max(os.sched_getaffinity(0))
    done = run_with([["--bind", str(tmp_path / "online"), "/sys/devices/system/cpu/online"]],
                    ["taskset", "-c", cpu, *RUN], tmp_path, os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    result = result_of(tmp_path)
    assert result["topology"]["allowed_cpus"] == str(cpu) and result["processes"][0]["facts"]


@NEEDS_MOUNTS
def test_a_full_tmpdir_cuts_no_proof_of_the_kernels(tmp_path):
    (tmp_path / "full").mkdir()
    done = run_with([["-t", "tmpfs", "-o", "size=4k", "tmpfs", str(tmp_path / "full")]], RUN, tmp_path,
                    os.environ | {"TMPDIR": str(tmp_path / "full")})
    assert done.returncode == 0, done.stdout + done.stderr
