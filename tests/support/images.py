"""The images of the container tests as pytest wants them, and the cases that run in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet50_bench.case import platforms
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.machine.cpu import read_cpu
from support.docker_images import IMAGE, RELEASE, Images, Unavailable, build, docker, stop_engine

CPU = read_cpu()
PLATFORM = platforms.detect(CPU).name
MINE = [name for name in platforms.PLATFORMS[PLATFORM].precisions if not PRECISIONS[name].missing_flags(CPU.flags)]
FP32, INT8 = (next(name for name in MINE if name.endswith(kind)) for kind in ("fp32", "int8"))
CASE = "test_resnet50_pytorch_xeon_public_inference_{}_{}_gated"


def environment(build: Path, **more: str) -> dict[str, str]:
    return os.environ | {"RESNET50_BENCH_BUILD": str(build), "RELEASE": RELEASE} | more


def containers() -> str:
    """The numbers of the containers of these tests' image, running or not; not those of another user's benchmark."""
    return docker("ps", "--all", "--quiet", "--filter", "label=resnet50-bench",
                  "--filter", f"ancestor={IMAGE}{RELEASE}").stdout


def remove_containers() -> None:
    """What a killed run of these tests left would take its cores from every later one."""
    if left := containers().split():
        docker("rm", "--force", *left)


@pytest.fixture(scope="session")
def built_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Built by build.sh from a copy of this checkout."""
    try:
        built = build(tmp_path_factory.mktemp("images") / "main")
        remove_containers()
        yield built
    except Unavailable as error:
        pytest.skip(str(error))
    finally:
        stop_engine()
