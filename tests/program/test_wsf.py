"""The folder inside a WSF checkout, by a STAND-IN that carries text as strictly as WSF does."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from resnet50_bench.backends.wsf import parameters, words
from resnet50_bench.case.parameters import CATALOGUE, from_environment
from resnet50_bench.errors import BadInput
from support.hostile import parameters as hostile

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "tests/support/wsf_stand_in"
WORKLOAD = "workload/ResNet50-PyTorch-Xeon-Public"
OPTION = "inference_throughput_amx_bfloat16_gated"
NAMED = {"FUNCTION": "inference", "MODE": "throughput", "PRECISION": "amx_bfloat16", "CASE_TYPE": "gated"}
#: FAKE docker: keeps the words of its last call.
_DOCKER = """#!/usr/bin/env bash
printf '%s\\0' "$@" >"$FAKE_CALL"
[ "$1" != build ] || exit "${FAKE_BUILD_STATUS:-0}"
"""
needs_cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
needs_m4 = pytest.mark.skipif(not shutil.which("m4"), reason="m4 is not installed")


class Wsf:
    """A WSF checkout (STAND-IN) with this project below workload/, and a FAKE docker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "wsf"
        self.workload = self.folder / WORKLOAD
        self.logs = folder / "logs-case"
        shutil.copytree(STAND_IN, self.folder)
        shutil.copytree(ROOT, self.workload, symlinks=True, ignore=shutil.ignore_patterns(
            ".git", "build", ".*cache", "tests"))  # with what Python has compiled
        fake = folder / "fakes/docker"
        fake.parent.mkdir()
        fake.write_text(_DOCKER)
        fake.chmod(0o755)
        kept = {name: text for name, text in os.environ.items() if name not in CATALOGUE}
        self.environment = kept | {
            "PATH": f"{fake.parent}:{os.environ['PATH']}", "FAKE_CALL": str(folder / "call"), "TESTCASE": "test_case",
            "PROJECTROOT": str(self.folder), "SOURCEROOT": str(self.workload), "BACKEND": "docker", "PLATFORM": "SPR"}

    def run(self, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(list(map(str, command)), cwd=self.folder.parent, capture_output=True, text=True,
                              check=False, env=self.environment | environment)

    def case(self, option: str = OPTION, **environment: str) -> str:
        """One case by WSF's start.sh; what it says."""
        done = self.run(self.folder / "script/start.sh", option, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self) -> list[str]:
        """The words of the last call of docker."""
        return Path(self.environment["FAKE_CALL"]).read_bytes().decode().split("\0")[:-1]


def environment_of(call: list[str]) -> dict[str, str]:
    """What ``-e`` gives the container, but for what WSF adds."""
    given = dict(call[i + 1].split("=", 1) for i, word in enumerate(call) if word == "-e")
    given.pop("WORKER_0_HOST")
    return given


def container_of(manifest: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(manifest.read_text())["spec"]["template"]["spec"]["containers"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Wsf:
    return Wsf(tmp_path_factory.mktemp("wsf"))


@pytest.fixture
def wsf(shared: Wsf) -> Wsf:
    """A checkout whose files stay as they are; nothing was started in it yet."""
    Path(shared.environment["FAKE_CALL"]).unlink(missing_ok=True)
    for folder in (shared.logs, shared.folder / "build"):
        shutil.rmtree(folder, ignore_errors=True)
    return shared


@pytest.fixture
def own(tmp_path: Path) -> Wsf:
    """A checkout that the test may change."""
    return Wsf(tmp_path)


@needs_cmake
@needs_m4
def test_wsfs_cmake_lists_the_cases_and_runs_validate(wsf):
    build = wsf.folder / "build"
    assert wsf.run("cmake", "-S", wsf.folder, "-B", build, "-DPLATFORM=GNR").returncode == 0
    listed = wsf.run("ctest", "--test-dir", build, "-N").stdout
    assert len(re.findall(r"test_resnet50_pytorch_xeon_public_", listed)) == 59
    assert "setup_environment" not in listed, "our own fixture is for standing alone"
    shown = wsf.run("ctest", "--test-dir", build, "-V", "-R", "inference_throughput_amx_int8_pkm$").stdout
    assert "EVENT_TRACE_PARAMS=roi,Evaluating RESNET: ,Complete..." in shown and "100% tests passed" in shown


@needs_cmake
def test_a_workload_that_was_not_selected_adds_nothing(wsf):
    build = wsf.folder / "build"
    wsf.run("cmake", "-S", wsf.folder, "-B", build, "-DBENCHMARK=other")
    assert "Total Tests: 0" in wsf.run("ctest", "--test-dir", build, "-N").stdout


@needs_m4
def test_a_default_case_gives_its_name_and_nothing_else(wsf):
    shown = wsf.case()
    call = wsf.call()
    assert environment_of(call) == NAMED | {"PLATFORM": "SPR"}
    assert {"--cap-drop=ALL", "--cap-add=SYS_NICE", "--shm-size=4g"} <= set(call) and call[-1] == "image:latest"
    assert "Dockerfile.1.inference (resnet50-pytorch-intel-public-inference)" in shown
    assert "JOB_FILTER=job-name=resnet50-pytorch-xeon-public-benchmark" in shown
    assert "EVENT_TRACE_PARAMS=\n" in shown and "TESTCASE test_case\n" in shown
    # What WSF keeps as tunables says what the case's defaults are.
    assert {"PARAM BATCH_SIZE=1", "PARAM STEPS=10", "PARAM TORCH_TYPE=IPEX"} <= set(shown.splitlines())
    assert yaml.safe_load((wsf.logs / "cluster-config.yaml").read_text()) == {
        "cluster": [{"labels": {"HAS-SETUP-BKC-AI": "preferred"}}]}


@needs_m4
def test_the_name_beats_the_environment_and_set_beats_the_name(wsf):
    shown = wsf.case(MODE="latency", PRECISION="avx_fp32", BATCH_SIZE="2")
    assert environment_of(wsf.call()) == NAMED | {"PLATFORM": "SPR", "BATCH_SIZE": "2"}
    assert "TESTCASE test_case\n" in shown, "an environment customizes nothing"
    shown = wsf.case(STAND_IN_OVERWRITE="BATCH_SIZE=1\nSTEPS=10")
    assert "TESTCASE test_case\n" in shown and environment_of(wsf.call()) == NAMED | {"PLATFORM": "SPR"}
    shown = wsf.case("inference_throughput_amx_int8", STAND_IN_OVERWRITE="MODE=latency")
    assert "TESTCASE test_case_customized" in shown and environment_of(wsf.call())["MODE"] == "latency"
    assert "PARAM BATCH_SIZE=1" in shown.splitlines(), "the default of what is run, not of the name"


@needs_m4
def test_the_callers_own_options_are_kept_and_last(wsf):
    shown = wsf.case(DOCKER_OPTIONS="-v '/my data:/dataset' --owner=somebody --privileged", BACKEND="docker",
                     RECONFIG_OPTIONS="-DK_CPUS=56")
    assert wsf.call()[-4:] == ["-v", "/my data:/dataset", "--privileged", "image:latest"]
    assert "WSF_OPTIONS=--owner=somebody\n" in shown
    wsf.case(BACKEND="kubernetes", RECONFIG_OPTIONS="-DK_CPUS=56 -DK_MEMORY=64Gi")
    container, = container_of(wsf.logs / "kubernetes-config.yaml")
    assert container["resources"]["limits"] == {"cpu": 56, "memory": "64Gi"}


@pytest.mark.parametrize(("given", "message"), [
    ({"CUSTOMER_ENV": "A='x'"}, "CUSTOMER_ENV=\"A='x'\" contains \"'\", which WSF cannot pass on"),
    ({"DATASET": "/a~b"}, "DATASET='/a~b' contains '~', which WSF cannot pass on"),
    ({"CUSTOMER_ENV": "A={{lookup}}"}, "contains '{{', and WSF's terraform backend would evaluate it"),
    ({"DOCKER_OPTIONS": "-v '/x"}, "DOCKER_OPTIONS=\"-v '/x\" cannot be read as options: No closing quotation"),
    ({"DOCKER_OPTIONS": "-e 'A=\"'"}, "DOCKER_OPTIONS: 'A=\"' contains"),
    ({"RECONFIG_OPTIONS": "-DK_CPUS=`id`"}, "RECONFIG_OPTIONS: '-DK_CPUS=`id`' is not -DNAME=VALUE"),
    ({"BATCH_SIZE": "0"}, "BATCH_SIZE='0' is too small"),
    ({"TRAIN_EPOCH": "3"}, "TRAIN_EPOCH=3 is not supported; training is measured in steps: STEPS=N"),
    ({"DISTRIBUTED": "True"}, "DISTRIBUTED=True is not supported; training over"),
    ({"CCL_WORKER": "4"}, "CCL_WORKER=4 is not supported; oneCCL reads its own variable"),
], ids=lambda value: next(iter(value.values()))[:20] if isinstance(value, dict) else "")
def test_what_cannot_be_carried_or_means_nothing_is_refused_by_name(given, message):
    environment = given | {"BACKEND": "docker", "PLATFORM": "SPR"}
    with pytest.raises(BadInput) as refused:
        [*parameters(OPTION, environment), *words(OPTION, environment)]
    assert message in str(refused.value)


@pytest.mark.parametrize(("option", "given", "message"), [
    ("inference_speed_amx_int8", {}, "MODE"), (OPTION, {"BATCH_SIZE": "0"}, "BATCH_SIZE='0'"),
    (OPTION, {"STAND_IN_OVERWRITE": "STEPS=abc"}, "STEPS='abc'"),
    (OPTION, {"STAND_IN_OVERWRITE": "DISTRIBUTED=True"}, "DISTRIBUTED=True")],
    ids=["option", "environment", "overwritten", "not supported"])
def test_what_is_refused_is_not_started(wsf, option, given, message):
    done = wsf.run(wsf.folder / "script/start.sh", option, **given)
    assert done.returncode == 2 and message in done.stderr
    assert not Path(wsf.environment["FAKE_CALL"]).exists(), "nothing was started"


@needs_m4
def test_a_step_that_fails_is_never_a_pass(own):
    (own.workload / "cluster-config.yaml.m4").write_text("include(nowhere.m4)")
    assert own.run(own.folder / "script/start.sh", OPTION).returncode != 0
    (own.workload / "cluster-config.yaml.m4").unlink()
    assert own.run(own.folder / "script/start.sh", OPTION).returncode != 0


@needs_m4
def test_a_cpu_that_cannot_run_it_says_so_in_one_line(wsf):
    done = wsf.run(wsf.folder / "script/start.sh", OPTION, STAND_IN_STATUS="77",
                   STAND_IN_LOG="error: PRECISION=amx_int8 needs the CPU flags amx_tile")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "SKIPPED, though WSF counts it as failed: PRECISION=amx_int8 needs the CPU flags amx_tile")
    assert "SKIPPED" not in wsf.run(wsf.folder / "script/start.sh", OPTION, STAND_IN_STATUS="1").stdout


def test_a_build_that_fails_fails_and_says_what_it_was_built_from(own):
    assert own.run(own.workload / "build.sh").returncode == 0
    commit, = (word for word in own.call() if word.startswith("COMMIT="))
    assert re.fullmatch(r"COMMIT=sources-[0-9a-f]{64}", commit), "a copy has no commit of its own"
    (own.workload / "src/resnet50_bench/new.py").write_text("changed = True\n")
    own.run(own.workload / "build.sh", BUILD_OPTIONS="--build-arg WITH_WEIGHTS=yes")
    assert commit not in own.call() and "WITH_WEIGHTS=yes" in own.call()
    assert own.run(own.workload / "build.sh", FAKE_BUILD_STATUS="1").returncode != 0


def test_wsfs_list_of_ingredients_has_a_pair_for_each(wsf):
    names = re.findall(r"^ARG (\w+)=\S", wsf.run(wsf.workload / "build.sh", "--bom").stdout, re.M)
    for ingredient in ("BASE", "PYTHON", "PYTORCH", "TORCHVISION", "IPEX", "NUMPY", "OPENMP", "JEMALLOC",
                       "RESNET50_WEIGHTS", "IMAGENET_VAL"):
        assert {f"{ingredient}_VER", f"{ingredient}_REPO"} <= set(names)


def test_wsfs_index_reads_the_readme():
    """By WSF's pattern: from ### Index Info to the next ###, the last line with the word."""
    text = (ROOT / "README.md").read_text()
    section = re.search(r"^ *### *Index *Info *$(.*?)(^ *###|\Z)", text, re.M | re.S).group(1)
    read = {word: re.findall(rf"- {word}: *(.*?) *$", section, re.M)
            for word in ("Name", "Category", "Platform", "Keywords")}
    assert read["Name"] == ["`ResNet50-PyTorch-Xeon-Public`"] and read["Category"] == ["`ML/DL/AI`"]
    assert set(re.findall(r"\w+", read["Platform"][0])) == {path.stem for path in (ROOT / "cmake").glob("[A-Z]*.cmake")}
    assert len(read["Keywords"]) == 1


def test_distributed_false_is_what_holds_anyway():
    assert from_environment({"DISTRIBUTED": "False", "TRAIN_EPOCH": "", "STEPS": "3", "HOME": "/"}) == {"STEPS": "3"}
    assert from_environment({"DISTRIBUTED": "True"}) == {"DISTRIBUTED": "True"}, "for the case to refuse"


#: Reads every line of stdin (the option texts of one case, of each backend) by the STAND-IN's reader, into files.
_READ = r"""
set -e
. "$PROJECTROOT/script/reader.sh"
docker() { printf '%s\0' "$@"; }
shopt -s extglob
for folder in */; do
    cd "$folder"
    . ./words
    docker_config docker-config.yaml
    docker_run docker-config.yaml >docker
    from_template "$SOURCEROOT/kubernetes-config.yaml.m4" >kubernetes
    . ./words-of-terraform
    docker_config terraform
    cd ..
done
"""


@needs_m4
def test_200_hostile_values_arrive_as_they_are_or_are_refused_by_name(tmp_path):
    expected: dict[str, dict[str, str]] = {}
    refused = 0
    for number, given in enumerate(hostile(20261124, 200)):
        name, text = next(iter(given.items()))
        try:
            lines = {file: "\n".join(words(OPTION, given | {"BACKEND": backend, "PLATFORM": "SPR"} | (
                {"DATA_TYPE": "real"} if name == "DATASET" else {})))
                     for file, backend in (("words", "docker"), ("words-of-terraform", "terraform"))}
        except BadInput as error:
            assert str(error).startswith(f"{name}="), "refused by name"
            refused += 1
            continue
        folder = tmp_path / f"{number:03d}"
        folder.mkdir()
        for file, content in lines.items():
            (folder / file).write_text(content)
        # What WSF takes for a space in its own options is one here; spaces at the ends are no part of a value.
        expected[folder.name] = {name: text.replace("%20", " ").strip(" ")}
    assert 60 < refused < 140, "both ways are tried"
    done = subprocess.run(["bash", "-c", _READ], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env=os.environ | {"PROJECTROOT": str(STAND_IN), "SOURCEROOT": str(ROOT), "BACKEND": "docker"})
    assert done.returncode == 0 and not done.stderr, done.stderr
    for number, value in expected.items():
        folder = tmp_path / number
        call = (folder / "docker").read_text().split("\0")[:-1]
        assert (environment_of(call).items() >= value.items(), call[-1]) == (True, "image:latest"), value
        assert call[4:8] == ["WORKER_0_HOST=127.0.0.1", "--cap-drop=ALL", "--cap-add=SYS_NICE", "--shm-size=4g"]
        container, = container_of(folder / "kubernetes")
        seen = {entry["name"]: entry["value"] for entry in container["env"]}
        assert {name: seen[name].replace("$$", "$") for name in value} == value, "the kubelet makes $ of $$"
        assert not re.search(r"(?<!\$)(\$\$)*\$\(", seen["CUSTOMER_ENV"] + seen["DATASET"]), "and refers to nothing"
        # WSF's terraform backend reads the file as YAML and hands the text to bash.
        options = yaml.safe_load((folder / "terraform").read_text())["worker-0"][0]["options"]
        assert {f"{name}={text}" for name, text in value.items()} <= set(shlex.split(options))


@pytest.mark.parametrize("platform", ["SPR", "GENOA", "TURIN"])
def test_the_image_runs_ipex_by_default_on_every_platform(platform):
    environment = {"BACKEND": "docker", "PLATFORM": platform}
    assert all("export TORCH_TYPE=IPEX" in [*told("inference_latency_avx_fp32", environment)]
               for told in (parameters, words))


def test_validate_takes_no_more_than_the_systems_python():
    done = subprocess.run(["python3", "-S", "-m", "resnet50_bench", "wsf-settings", "--words", OPTION], check=False,
                          capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 0 and "DOCKER_OPTIONS=" in done.stdout, done.stderr
