"""Words for docker, podman, Apptainer, Enroot and Slurm; owners; cut streams; engines that are slow (FAKE ones)."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from resnet50_bench import backends
from resnet50_bench.backends import Settings, container, native, owner, slurm, workers
from resnet50_bench.backends.container import DOCKER, PODMAN
from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.ctest import settings
from resnet50_bench.errors import BadInput, Infrastructure
from support.hostile import values as hostile


@pytest.mark.parametrize("engine", [DOCKER, PODMAN])
@pytest.mark.parametrize("name", ["CUSTOMER_ENV", "DATASET"])
def test_an_engine_gets_each_hostile_value_as_one_word(engine, name):
    for value in hostile():
        words = container.run_command(engine, "image:1", {name: value}, (), "n", 60)
        assert words[words.index("--env") + 1] == f"{name}={value}" and words[0] == engine.name
    with pytest.raises(BadInput, match=f"{name}=.*is not UTF-8 text, and {engine.name} would change it"):
        container.run_command(engine, "image:1", {name: "a\udcffb"}, (), "n", 60)


@pytest.mark.parametrize("name", ["CUSTOMER_ENV", "DATASET"])
def test_a_slurm_job_gets_each_hostile_value_as_it_is(tmp_path, name):
    values = [*hostile(), "a\udcffb"]
    folders = [tmp_path / f"a 'folder' {number}/worker-0-c0" for number in range(len(values))]
    for folder, value in zip(folders, values, strict=True):
        folder.mkdir(parents=True)
        slurm._write_job({name: value}, folder, ["/runner"])
    each = f'for folder; do (. "$folder/job.env"; printf "%s\\0" "${{{name}}}"); bash -n "$folder/job.sh" || exit; done'
    seen = subprocess.run(["bash", "-c", each, "-", *folders], capture_output=True, check=True,
                          env={"PATH": os.environ["PATH"]})
    assert os.fsdecode(seen.stdout).split("\0")[:-1] == values and not seen.stderr


def test_apptainer_and_enroot_in_their_own_words():
    texts = {"CUSTOMER_ENV": "A=1,2 $(id)", "BATCH_SIZE": "4"}
    words, more = native.apptainer("/images/r.sif", texts, Path("/logs/w"), Path("/cache"))
    assert " ".join(words) == (
        "apptainer exec --no-eval --cleanenv --containall --writable-tmpfs --bind /logs/w:/home/bench/logs --bind "
        "/cache:/var/cache/resnet50-bench --pwd /home/bench/logs /images/r.sif /opt/resnet50/run_test.sh")
    assert more == {"APPTAINERENV_CUSTOMER_ENV": "A=1,2 $(id)", "APPTAINERENV_BATCH_SIZE": "4"}
    words, more = native.enroot("/images/r.sqsh", texts, Path("/logs/w"), Path("/cache"))
    assert words == ["enroot", "start", "--mount", "/logs/w:/home/bench/logs", "--mount",
                     "/cache:/var/cache/resnet50-bench", "--env", "CUSTOMER_ENV=A=1,2 $(id)", "--env", "BATCH_SIZE=4",
                     "/images/r.sqsh", "/opt/resnet50/run_test.sh"] and not more
    with pytest.raises(BadInput, match="CUSTOMER_ENV=.*two lines, which Enroot cannot pass on"):
        native.enroot("i", {"CUSTOMER_ENV": "a\nb"}, Path("/l"), Path("/c"))
    with pytest.raises(BadInput, match="/l:x: a path with one of"):
        native.apptainer("i", {}, Path("/l:x"), Path("/c"))


@pytest.mark.parametrize(("options", "expected"), [
    ("--nodes=2", ("", "")), ("--nodes=2 --docker", ("docker", container.IMAGE + ":latest")),
    ("--podman", ("podman", container.IMAGE + ":latest")), ("--apptainer=/i/r.sif", ("apptainer", "/i/r.sif")),
    ("--enroot=/i/r.sqsh", ("enroot", "/i/r.sqsh"))])
def test_slurm_takes_one_container_tool(options, expected):
    made = slurm.make(Settings("slurm", options=options))
    assert (made.tool, made.image) == expected
    assert made.options == (("--nodes=2",) if "nodes" in options else ())


@pytest.mark.parametrize(("options", "why"), [
    ("--docker --podman", "exclude each other"), ("--apptainer", "--apptainer=FILE needs an image file"),
    ("--podman=x", "takes no value"), ("'", "No closing quotation")])
def test_slurm_refuses_other_words_for_containers(options, why):
    with pytest.raises(BadInput, match=why):
        slurm.make(Settings("slurm", options=options))


def test_an_owner_is_known_to_have_gone_and_a_living_one_is_never_taken_for_it():
    mine = owner.owner()
    assert not owner.is_gone(mine)
    with subprocess.Popen(["sleep", "100"]) as other:
        name = owner.owner(other.pid)
        assert not owner.is_gone(name)
        other.kill()
    assert owner.is_gone(name)
    pid, ticks, namespace, boot, host = mine.split("-", 4)
    assert owner.is_gone(f"{pid}-{int(ticks) + 1}-{namespace}-{boot}-{host}"), "the number was given to another process"
    assert owner.is_gone(f"{pid}-{ticks}-{namespace}-{'0' * 12}-{host}"), "the machine was restarted"
    for elsewhere in (f"{pid}-1-{namespace}-{boot}-{host}x", f"{pid}-1-1-{boot}-{host}", "", "nonsense"):
        assert not owner.is_gone(elsewhere)


def archive(*names: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as made:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 1500
            made.addfile(entry, io.BytesIO(b"0\n".ljust(1500)))
    return sink.getvalue()


def test_a_stream_that_was_cut_anywhere_is_cut(tmp_path):
    whole = archive("status", "a.log")
    assert workers.extract(io.BytesIO(whole), tmp_path) is workers.Stream.WHOLE
    for length in (100, 512, 700, 2048, 2049, 2560, 3000, 4096, 4608):
        assert workers.extract(io.BytesIO(whole[:length]), tmp_path).value == "cut", length
    assert workers.extract(io.BytesIO(b""), tmp_path) is workers.Stream.EMPTY


@pytest.mark.parametrize(("text", "status"), [("0\n", 0), ("", None), ("x", None), (None, None)])
def test_an_empty_status_is_none(tmp_path, text, status):
    if text is not None:
        (tmp_path / "status").write_text(text)
    assert workers.read_status(tmp_path) == status and workers.read_node(tmp_path).status == status


def test_a_timeout_above_cmakes_is_refused():
    assert settings.timeout_s("50", 60.0) == 50 and settings.timeout_s(None, 60.0) == 60
    with pytest.raises(BadInput, match="TIMEOUT=61 is above the build folder's 60, at which ctest ends a case"):
        settings.timeout_s("61", 60.0)
    with pytest.raises(BadInput, match="not a number of seconds"):
        settings.timeout_s("soon", 60.0)


FAKE = """#!/bin/sh
# FAKE {name}: a container whose run has passed; some answers are late.
case "$1" in
    version|info|image) exit {answers} ;;
    run) echo {name}-1 ;;
    exec) exec cat {folder}/stream.tar ;;
    kill|rm) {slow} ;;
    logs) exit 0 ;;
    ps|inspect) exit 0 ;;
esac
"""


@pytest.fixture
def engines(tmp_path, monkeypatch):
    """FAKE docker and podman, by the words that they are made of."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "stream.tar").write_bytes(archive("status", "a.log"))

    def make(name: str, answers: int = 0, slow: str = "exit 0") -> None:
        (tmp_path / name).write_text(FAKE.format(name=name, folder=tmp_path, answers=answers, slow=slow))
        (tmp_path / name).chmod(0o755)

    return make


@pytest.mark.parametrize(("docker", "podman", "expected"), [
    (0, 0, "BACKEND: docker (docker answers and has the image)"),
    (1, 0, "BACKEND: podman (docker is installed but does not answer; podman answers and has the image)"),
    (1, 1, "BACKEND: native (docker is installed but does not answer; podman is installed but does not answer)")])
def test_auto_asks_docker_then_podman_and_says_why(engines, docker, podman, expected):
    engines("docker", docker)
    engines("podman", podman)
    assert backends.choose(Settings())[1] == expected


def test_an_engine_that_is_slow_at_the_end_fails_no_case_that_passed(engines, tmp_path, monkeypatch, capfd):
    engines("docker", slow="exec sleep 30")
    monkeypatch.setattr(container.ContainerRuntime.ask, "__kwdefaults__", {"patience_s": 0.2})
    logs = tmp_path / "logs"
    logs.mkdir()
    backend, _ = backends.choose(Settings("docker"))
    assert backend.run({}, logs, 60.0) == 0
    assert "error: docker has not removed resnet50-bench-" in capfd.readouterr().err, "and that is said"


def test_a_sbatch_that_hangs_is_given_up(tmp_path, monkeypatch):
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexec sleep 30\n# FAKE")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "SUBMISSION_S", 0.2)
    with pytest.raises(Infrastructure, match=r"sbatch did not answer within 0\.2 s"):
        slurm._submit(tmp_path / "job.sh", tmp_path, 60.0, ())


def test_the_catalogue_does_not_hold_our_own_variables():
    assert container.DEADLINE not in CATALOGUE
