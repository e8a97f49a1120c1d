"""The folder inside a real WSF checkout, driven by WSF's own cmake, ctest.sh, make and list-kpi.sh; FAKE engines.

``WSF_CHECKOUT=/path/to/workload-services-framework pytest tests/test_wsf_checkout.py``; ``-s`` prints what reached the
container or manifest, a row for each backend and command. WSF is copied, never changed.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet50_bench.backends.wsf import words
from resnet50_bench.case.case import every_option, parse_option
from resnet50_bench.case.platforms import PLATFORMS
from resnet50_bench.errors import BadInput
from support.hostile import parameters as hostile
from support.wsf_checkout import Checkout, copied

yaml = pytest.importorskip("yaml")
CASE = "resnet50_pytorch_xeon_public_inference_throughput_avx_fp32_gated"
BACKENDS = ("docker", "kubernetes", "terraform")
IMAGE = "resnet50-pytorch-intel-public-inference"
#: What the case's name alone says, on each of the backends.
NAMED = {"PLATFORM": "SPR", "FUNCTION": "inference", "MODE": "throughput", "CASE_TYPE": "gated",
         "PRECISION": "avx_fp32"}
SIGNS = "A=$(id) B=`id`;$HOME C=* D=%s&|<># E=é"


def why_not() -> str | None:
    """What is missing for WSF, or None."""
    wsf = os.environ.get("WSF_CHECKOUT", "")
    if not wsf:
        return "WSF_CHECKOUT names no checkout of github.com/intel/workload-services-framework"
    if not (Path(wsf) / "script/validate.sh").is_file():
        return f"WSF_CHECKOUT={wsf} is no WSF checkout"
    if os.geteuid() != 0:
        return "only root can become the ordinary user that WSF wants"
    missing = [name for name in ("cmake", "make", "m4", "gawk", "setpriv") if not shutil.which(name)]
    return f"{', '.join(missing)} not installed" if missing else None


pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture(scope="module")
def checkouts() -> Iterator[dict[str, Checkout]]:
    """One configured checkout for each backend."""
    with copied(Path(os.environ["WSF_CHECKOUT"]), *BACKENDS) as made:
        for checkout in made.values():
            checkout.configure(**({"REGISTRY": "host:5000/"} if checkout.backend == "kubernetes" else {}))
        yield made


@pytest.fixture(params=BACKENDS)
def checkout(request: pytest.FixtureRequest, checkouts: dict[str, Checkout]) -> Checkout:
    checkouts[request.param].forget()
    return checkouts[request.param]


@pytest.fixture
def docker(checkouts: dict[str, Checkout]) -> Checkout:
    checkouts["docker"].forget()
    return checkouts["docker"]


def case_name(checkout: Checkout) -> str:
    return f"static_{CASE}" if checkout.backend == "terraform" else CASE


def ctest(checkout: Checkout, *words: str, **environment: str) -> str:
    done = checkout.sh("./ctest.sh", "-V", "--testcase", f"test_{case_name(checkout)}", *words, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def logs(checkout: Checkout, prefix: str = "") -> Path:
    return checkout.cases / f"{prefix}logs-{case_name(checkout)}"


def row(checkout: Checkout, command: str, reached: str) -> None:
    cells = ("`` " + text.replace("|", "\\|") + " ``" if "`" in text else f"`{text}`" for text in (command, reached))
    print(f"| {checkout.backend} | {' | '.join(cells)} |")


def reached(checkout: Checkout, command: str, folder: Path | None = None) -> dict[str, str]:
    """The environment that the container of the newest case gets; prints a row of the table, word for word."""
    if checkout.backend == "kubernetes":
        return _in_the_manifest(checkout, command)
    words = _of_docker(checkout, command, folder or logs(checkout))
    assert {"--cap-drop=ALL", "--cap-add=SYS_NICE", "--shm-size=4g"} <= set(words)
    given = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "-e")
    return {name: text for name, text in given.items() if name not in ("TZ", "WORKER_0_HOST")}


def _in_the_manifest(checkout: Checkout, command: str) -> dict[str, str]:
    text = (checkout.folder / "calls/manifest.yaml").read_text()
    pod = yaml.safe_load(text)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"host:5000/{IMAGE}:latest"
    assert pod["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    pairs = re.findall(r"- name: ([A-Z_]+)\n +value: (\".+\")", text)
    row(checkout, command, "; ".join(": ".join(pair) for pair in pairs))
    # The kubelet makes $ of $$.
    return {entry["name"]: entry["value"].replace("$$", "$") for entry in pod["containers"][0]["env"] if entry["value"]}


def _of_docker(checkout: Checkout, command: str, folder: Path) -> list[str]:
    if checkout.backend == "terraform":
        assert yaml.safe_load((folder / "cluster-config.yaml").read_text()) == {
            "cluster": [{"labels": {"HAS-SETUP-BKC-AI": "preferred"}}]}
        # As WSF's ansible role: the file as YAML, its text into a command for bash.
        options = yaml.safe_load((folder / "docker-config.yaml").read_text())["worker-0"][0]["options"]
        checkout.forget()
        checkout.sh("bash", "-c", f"docker run {options} -d {IMAGE}")
        row(checkout, command, f"docker run … {options} -d {IMAGE}")
    words = [call for call in checkout.calls("docker", "run") if "--cap-drop=ALL" in call][-1]
    if checkout.backend == "docker":
        row(checkout, command, " ".join(shlex.quote(word) for word in words[words.index("--cap-drop=ALL"):]))
    return words


def test_wsf_lists_every_case(checkout):
    done = checkout.sh("./ctest.sh", "-N")
    ours = [option for option in every_option() if parse_option(option)["PRECISION"] in PLATFORMS["SPR"].precisions]
    assert f"Total Tests: {len(ours)}" in done.stdout and f"test_{case_name(checkout)}\n" in done.stdout
    row(checkout, "./ctest.sh -N", f"Total Tests: {len(ours)}")


@pytest.mark.parametrize(("given", "beyond"), [
    ({}, {}),
    ({"MODE": "latency", "PRECISION": "amx_int8"}, {}),
    ({"CUSTOMER_ENV": "A=1 B=2"}, {"CUSTOMER_ENV": "A=1 B=2"}),
    ({"CUSTOMER_ENV": "A=1,2 B=(x),y"}, {"CUSTOMER_ENV": "A=1,2 B=(x),y"}),
    ({"CUSTOMER_ENV": SIGNS}, {"CUSTOMER_ENV": SIGNS}),
    ({"BATCH_SIZE": "4", "VERBOSE": "0"}, {"BATCH_SIZE": "4", "VERBOSE": "0"}),
    ({"DATA_TYPE": "real", "DATASET": "/my data/val"}, {"DATA_TYPE": "real", "DATASET": "/my data/val"}),
], ids=["nothing", "other-name", "spaces", "commas", "signs", "numbers", "data"])
def test_the_environment_reaches_the_container_and_the_cases_name_stands(checkout, given, beyond):
    ctest(checkout, **given)
    assert reached(checkout, " ".join([*(f"{name}='{text}'" for name, text in given.items()), "./ctest.sh"])) == (
        NAMED | beyond)


@pytest.mark.parametrize(("given", "message"), [
    ({"CUSTOMER_ENV": "A='x'"}, """CUSTOMER_ENV="A='x'" contains "'", which WSF cannot pass on"""),
    ({"CUSTOMER_ENV": "A"}, "CUSTOMER_ENV='A' contains 'A', which is not NAME=VALUE"),
    ({"BATCH_SIZE": "abc"}, "BATCH_SIZE='abc' is not a whole number"),
    ({"TRAIN_EPOCH": "3"}, "TRAIN_EPOCH=3 is not supported; training is measured in steps"),
    ({"DOCKER_OPTIONS": "-v '/x"}, "cannot be read as options: No closing quotation"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_what_is_refused_starts_nothing(checkout, given, message):
    done = checkout.sh("./ctest.sh", "-V", "--testcase", f"test_{case_name(checkout)}", **given)
    assert done.returncode != 0 and message in done.stdout
    assert not checkout.calls("docker", "run") and not checkout.calls("kubectl", "create")
    name, text = next(iter(given.items()))
    row(checkout, f'{name}="{text}" ./ctest.sh', "refused: " + re.search(r"error: (.*)", done.stdout).group(1))


def test_hostile_values_arrive_as_they_are(checkout):
    """Some of test_wsf's values that arrive: they show that its STAND-IN reads as WSF does."""
    for given in itertools.islice(filter(is_carried, hostile(7, 200)), 6):
        (name, text), = given.items()
        checkout.forget()
        ctest(checkout, **given)
        assert reached(checkout, f"{name}={text}")[name] == text.replace("%20", " ").strip(" ")


def is_carried(given: dict[str, str]) -> bool:
    try:
        return bool(list(words("inference_throughput_avx_fp32_gated", given)))
    except BadInput:
        return False


def test_set_loop_and_config(checkout):
    shown = ctest(checkout, "--loop", "2", "--set", "BATCH_SIZE=2 3/CUSTOMER_ENV=A=1%20B=2")
    folders = sorted(checkout.cases.glob(f"*-l[12]-logs-{case_name(checkout)}"))
    assert "Loop: 2" in shown and len(folders) == 2
    tunables = [yaml.safe_load((folder / "workload-config.yaml").read_text())["tunables"] for folder in folders]
    assert [(each["BATCH_SIZE"], each["CUSTOMER_ENV"]) for each in tunables] == [("2", "A=1 B=2"), ("3", "A=1 B=2")]
    assert all(each["testcase"].endswith("_gated_customized") for each in tunables)
    if checkout.backend == "docker":
        assert ["BATCH_SIZE=2" in words for words in checkout.calls("docker", "run")] == [True, False]
    assert reached(checkout, "--loop 2 --set 'BATCH_SIZE=2 3/CUSTOMER_ENV=A=1%20B=2': the second", folders[1]) == (
        NAMED | {"BATCH_SIZE": "3", "CUSTOMER_ENV": "A=1 B=2"})
    checkout.forget()
    config = checkout.folder / "test-config.yaml"
    config.write_text('"*_gated":\n  BATCH_SIZE: 8\n  CASE_TYPE: gated\n')
    ctest(checkout, "--config", str(config))
    assert reached(checkout, "--config: '*_gated': BATCH_SIZE: 8") == NAMED | {"BATCH_SIZE": "8"}


def test_a_setting_that_is_the_cases_own_customizes_nothing(docker):
    ctest(docker, "--set", "BATCH_SIZE=1")
    kept = max(docker.cases.glob(f"*logs-{CASE}/workload-config.yaml"), key=lambda path: path.stat().st_mtime)
    assert yaml.safe_load(kept.read_text())["testcase"] == f"test_{CASE}"


def test_pkm_bounds_the_region_of_interest(checkout):
    name = case_name(checkout).replace("_gated", "_pkm")
    done = checkout.sh("./ctest.sh", "-V", "--testcase", f"test_{name}")
    assert done.returncode == 0, done.stdout
    kept = yaml.safe_load((checkout.cases / f"logs-{name}/workload-config.yaml").read_text())
    assert kept["trace_mode"] == "roi,Evaluating RESNET: ,Complete..."
    row(checkout, "./ctest.sh (pkm)", f"trace_mode: {kept['trace_mode']}")


def test_the_index_and_the_ingredients_are_in_what_wsf_keeps(checkout):
    ctest(checkout)
    kept = yaml.safe_load((logs(checkout) / "workload-config.yaml").read_text())
    assert (kept["display_name"], kept["category"]) == ("ResNet50-PyTorch-Xeon-Public", "ML/DL/AI")
    assert kept["bom"]["PYTORCH_VER"] == "2.8.0" and len(kept["bom"]) >= 44
    row(checkout, "workload-config.yaml", f"display_name: {kept['display_name']}, category: {kept['category']}, "
                                          f"bom: {len(kept['bom'])} lines")


def test_the_callers_docker_options_are_kept_and_last(docker):
    ctest(docker, DOCKER_OPTIONS='-v "/my data:/dataset:ro" --owner=somebody --cpuset-cpus=0-3')
    words = docker.calls("docker", "run")[-1]
    assert words[-4:] == ["-v", "/my data:/dataset:ro", "--cpuset-cpus=0-3", f"{IMAGE}:latest"]
    row(docker, """DOCKER_OPTIONS='-v "/my data:/dataset:ro" --owner=somebody --cpuset-cpus=0-3'""",
        "… " + shlex.join(words[-4:]))


def test_make_bom_and_a_build_that_fails(docker):
    bom = docker.sh("make", "bom", cwd=docker.build)
    lines = re.findall(r"^ARG (\w+)=\S", bom.stdout, re.M)
    assert bom.returncode == 0 and len(lines) >= 44 and {"PYTORCH_VER", "BASE_REPO", "IMAGENET_VAL_REPO"} <= set(lines)
    row(docker, "make bom", f"{len(lines)} ARG lines, {len(re.findall('image: ', bom.stdout))} images")
    built = docker.sh("make", "build_resnet50_pytorch_xeon_public", cwd=docker.build,
                      BUILD_OPTIONS="--build-arg WITH_DATASET=yes --build-arg WITH_WEIGHTS=yes")
    calls = docker.calls("docker", "build")
    assert built.returncode == 0 and len(calls) == 4
    assert all({"WITH_DATASET=yes", "WITH_WEIGHTS=yes"} <= set(words) for words in calls)
    row(docker, 'BUILD_OPTIONS="--build-arg WITH_DATASET=yes --build-arg WITH_WEIGHTS=yes" make build_…',
        "docker " + " ".join(calls[0][:9]))
    commits = {word for words in calls for word in words if word.startswith("COMMIT=")}
    assert re.fullmatch(r"COMMIT=sources-[0-9a-f]{64}", commits.pop()) and not commits
    docker.forget()
    failed = docker.sh("make", "build_resnet50_pytorch_xeon_public", cwd=docker.build, FAKE_BUILD_STATUS="1")
    assert failed.returncode != 0 and len(docker.calls("docker", "build")) == 1, "the first that fails ends it"
    row(docker, "make build_… with a failing docker build",
        f"status {failed.returncode}, {failed.stderr.splitlines()[-1]}")


def test_list_kpi_shows_kpis_and_parameters(checkout):
    ctest(checkout)
    done = checkout.sh("./list-kpi.sh", "--params", logs(checkout))
    assert "# status: passed" in done.stdout and "*Throughput (samples/sec): 100" in done.stdout
    # 4 and 56 are the log's: what was really used stands above what was asked for.
    assert {"# BATCH_SIZE: 4", "# CORES_PER_INSTANCE: 56", "# STEPS: 10"} <= set(done.stdout.splitlines())
    row(checkout, "./list-kpi.sh --params",
        "; ".join(line for line in done.stdout.splitlines() if line[:2] in ("# ", "*T")))


def test_a_cpu_that_cannot_run_it_says_so_in_one_line(docker):
    (docker.folder / "logs/status").write_text("77\n")
    (docker.folder / "logs/console.log").write_text("error: PRECISION=amx_int8 needs the CPU flags amx_tile\n")
    done = docker.sh("./ctest.sh", "-V", "--testcase", f"test_{CASE}")
    (docker.folder / "logs/status").write_text("0\n")
    (docker.folder / "logs/console.log").unlink()
    assert done.returncode != 0
    said, = re.findall(r"SKIPPED, though.*", done.stdout)
    assert said == "SKIPPED, though WSF counts it as failed: PRECISION=amx_int8 needs the CPU flags amx_tile"
    row(docker, "status 77", said)


def test_a_gated_case_with_a_real_engine():
    """The FAKE docker makes way for the real one: WSF's ctest.sh to its list-kpi.sh with the image that is built."""
    release = os.environ.get("RELEASE", ":latest")
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    found = subprocess.run(["docker", "image", "inspect", IMAGE + release], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"no docker engine with {IMAGE}{release}: {(found.stderr.strip() or 'no word').splitlines()[-1]}")
    with copied(Path(os.environ["WSF_CHECKOUT"]), "docker") as made:
        checkout = made["docker"]
        (checkout.folder / "fakes/docker").unlink()
        checkout.groups = str(Path("/var/run/docker.sock").stat().st_gid)  # who may call the engine
        checkout.configure(RELEASE=release)
        done = checkout.sh("./ctest.sh", "-V", "--testcase", f"test_{CASE}", timeout=600,
                           CUSTOMER_ENV="ONEDNN_VERBOSE=0 KMP_BLOCKTIME=1", BATCH_SIZE="2")
        assert done.returncode == 0, done.stdout + done.stderr
        listed = checkout.sh("./list-kpi.sh", "--params", logs(checkout)).stdout
        print(done.stdout[-3000:], listed)
        assert re.search(r"^\*Throughput \(samples/sec\): [1-9]", listed, re.M)
        assert {"# status: passed", "# PRECISION: avx_fp32", "# BATCH_SIZE: 2",
                "# CUSTOMER_ENV: ONEDNN_VERBOSE=0 KMP_BLOCKTIME=1"} <= set(listed.splitlines())
        if "amx_tile" not in Path("/proc/cpuinfo").read_text():
            done = checkout.sh("./ctest.sh", "-V", "--testcase", f"test_{CASE.replace('avx_fp32', 'amx_int8')}")
            said, = re.findall(r"SKIPPED, though.*", done.stdout)
            print(said)
            assert done.returncode != 0 and "PRECISION=amx_int8 needs the CPU flags amx_tile" in said
