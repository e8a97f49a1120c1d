"""An AMX case in the built image by emulated AMX. The emulator is mounted, for nothing of it is in the image."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support import amx_emulator
from support.docker_images import Images
from support.stack import chosen


@pytest.mark.skipif(amx_emulator.why_not() is not None, reason=str(amx_emulator.why_not()))
def test_an_amx_case_runs_in_the_image(images: Images, tmp_path: Path):
    """In bf16, which needs no calibration.

    The image has the wheels of the ipex stack, so the lists of that stack's libraries serve both.
    """
    folder = tmp_path / "emulator"
    folder.mkdir()
    emulator = amx_emulator.emulator(folder, [chosen().folder("ipex")])
    mounts = {folder: folder, folder / "etc/ld.so.preload": "/etc/ld.so.preload", folder / "cpuinfo": "/proc/cpuinfo"}
    script = "/opt/resnet50/run_test.sh --precision=amx_bfloat16 --case_type=gated >&2 && cat benchmark_*.json"
    done = subprocess.run(
        ["docker", "run", "--rm", "--label=resnet50-bench", "--network=none", "--env=WARMUP_STEPS=0",
         "--env=CUSTOMER_ENV=OMP_WAIT_POLICY=passive", *(f"--volume={here}:{there}" for here, there in mounts.items()),
         images.name, "bash", "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    emulator.assert_used()
    kernels = result["processes"][0]["kernels"]
    assert sum(kernels.values()) == 53 and all("amx" in name for name in kernels)
    assert result["system"]["cpu"] == amx_emulator.NAME and result["system"]["container"] == "docker"
    assert result["verdict"] == "noisy" and any(why.startswith("emulation: ") for why in result["reasons"])
