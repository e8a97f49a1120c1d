"""CMake's axes against the catalogue, and what ctest knows of the cases. Real cmake, no torch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.case import platforms
from resnet50_bench.case.case import every_option
from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.ctest import build_folder
from resnet50_bench.errors import Infrastructure

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")


def configure(folder: Path, platform: str) -> list[dict]:
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, f"-DPLATFORM={platform}"], check=True, capture_output=True)
    shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=folder, check=True, capture_output=True, text=True)
    return [test for test in json.loads(shown.stdout)["tests"] if test["name"].startswith("test_")]


def properties(test: dict) -> dict:
    return {entry["name"]: entry["value"] for entry in test["properties"]}


@pytest.mark.parametrize("platform", platforms.PLATFORMS)
def test_a_platforms_file_lists_its_precisions_in_every_mode_and_case_type(tmp_path, platform):
    names = {test["name"] for test in configure(tmp_path, platform)}
    assert {name.removeprefix("test_resnet50_pytorch_xeon_public_") for name in names} <= set(every_option())
    assert names == {
        f"test_resnet50_pytorch_xeon_public_inference_{mode}_{precision}{case_type}"
        for mode in CATALOGUE["MODE"].allowed.split() for precision in platforms.PLATFORMS[platform].precisions
        for case_type in ("", "_gated", *["_pkm"] * (mode != "server"))} | {
        f"test_resnet50_pytorch_xeon_public_training_throughput_{precision}{case_type}"
        for precision in platforms.PLATFORMS[platform].precisions if PRECISIONS[precision].training
        for case_type in ("", "_gated")}


def test_ctest_knows_labels_skips_locks_and_the_fixture(tmp_path):
    tests = configure(tmp_path, "SPR")
    assert len(tests) == 59
    gated = next(t for t in tests if t["name"].endswith("inference_latency_amx_int8_gated"))
    known = properties(gated)
    assert set(known["LABELS"]) == {"inference", "latency", "amx_int8", "gated"}
    assert known["SKIP_RETURN_CODE"] == 77
    assert known["FIXTURES_REQUIRED"] == ["environment"]
    assert known["RESOURCE_LOCK"] == ["cores"]
    assert known["TIMEOUT"] > 3600


@pytest.mark.parametrize(("setting", "why"), [
    ("PLATFORM=SPX", "PLATFORM=SPX is not one of auto,.*SPR"),
    ("BACKEND=dokcer", "BACKEND=dokcer is not one of.*docker"),
    ("TIMEOUT=abc", "TIMEOUT=abc is not a number of seconds")])
def test_an_unknown_setting_is_refused_with_what_is_known(tmp_path, setting, why):
    done = subprocess.run(["cmake", "-S", ROOT, "-B", tmp_path, "-DPLATFORM=SPR", f"-D{setting}"], capture_output=True,
                          text=True, check=False)
    assert done.returncode != 0 and re.search(why, done.stderr, re.S)


def test_another_users_build_folder_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path))
    build_folder.configure({})
    monkeypatch.setattr(build_folder.os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(Infrastructure, match="cannot be written by user .* RESNET50_BENCH_BUILD=FOLDER"):
        build_folder.configure({})


def test_nothing_in_the_build_folders_path_is_evaluated(tmp_path):
    """The shell reads it twice: in the generated ctest.sh, and in what that one calls."""
    build = tmp_path / "it's $(touch evaluated) `touch evaluated` \"x\" b"
    subprocess.run(["cmake", "-S", ROOT, "-B", build, "-DPLATFORM=SPR"], check=True, capture_output=True)
    listed = subprocess.run([build / "workload/ResNet50-Pytorch-Xeon-Public/ctest.sh", "-N"], cwd=tmp_path,
                            capture_output=True, text=True, check=False)
    assert "Total Tests: 60" in listed.stdout, listed.stderr
    assert not list(tmp_path.rglob("evaluated"))


def test_a_platform_for_one_call_does_not_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path))
    subprocess.run(["cmake", "-S", ROOT, "-B", tmp_path, "-DPLATFORM=ICX", "-DTIMEOUT=99"], check=True,
                   capture_output=True)
    other = build_folder.configure({"PLATFORM": "gnr"})
    assert any("amx_int8" in name for name in build_folder.case_names(other))
    assert build_folder.configure({}) == tmp_path == build_folder.configure({"PLATFORM": "ICX"})
    assert not any("amx" in name for name in build_folder.case_names(tmp_path))
    assert build_folder.configured(other, "TIMEOUT") == "99", "the build folder's other settings hold"
    shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=other, check=True, capture_output=True, text=True)
    places = {properties(test)["WORKING_DIRECTORY"] for test in json.loads(shown.stdout)["tests"]}
    assert places == {str(tmp_path / build_folder.WORKLOAD_FOLDER)}, "all logs lie in one place"
    before = (other / "CTestTestfile.cmake").stat().st_mtime_ns
    assert build_folder.configure({"PLATFORM": "GNR"}) == other
    assert (other / "CTestTestfile.cmake").stat().st_mtime_ns == before
