"""One place for the results of all commands; and the checkout that a build folder is for."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from resnet50_bench.cli import engines_command, sweep_command, versus_command
from resnet50_bench.cli.tree import main
from resnet50_bench.ctest import background, build_folder
from resnet50_bench.files import write_json
from support.fake_checkout import Checkout
from support.results import put, synthetic

needs_cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")


class Stop(Exception):
    """The command has said where it would write."""


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A build folder of its own, seen from another current folder."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path / "build"))
    return tmp_path / "build"


@pytest.mark.parametrize(("kind", "where", "words"), [
    ("versus", (versus_command, "compare"), ["--a", "", "--b", ""]),
    ("engines", (engines_command.match, "prepared"), []),
    ("sweep", (sweep_command.sweep, "begin"), ["--batch_size=1 2"])])
def test_a_comparison_a_table_and_a_sweep_are_beside_the_results_of_cases(built, monkeypatch, kind, where, words):
    told = []

    def measure(*arguments: object, **more: object) -> None:
        told.extend(argument for argument in arguments if isinstance(argument, type(built)))
        raise Stop

    monkeypatch.setattr(*where, measure)
    with pytest.raises(Stop):
        main([kind, *words])
    assert told[0].is_relative_to(build_folder.results_folder()) and f"-{kind}" in str(told[0])


def test_list_and_report_read_all_of_it(built, capsys):
    for name in ("20261129-101500-versus/A/round-001", "20261129-111500-sweep/avx2_fp32_b1_c2"):
        synthetic().write(_made(built / build_folder.WORKLOAD_FOLDER / name) / "benchmark_x.json")
    put(built / build_folder.WORKLOAD_FOLDER, synthetic())
    assert main(["list", "--json"]) == main(["report"]) == 0
    said = capsys.readouterr().out
    assert said.count('"logs"') == 3 and ": 3 results" in said


def _made(folder):
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Checkout:
    """A checkout in which a case was run, with a setting of its own."""
    checkout = Checkout(tmp_path_factory.mktemp("checkouts") / "first")
    subprocess.run(["cmake", "-S", checkout.folder, "-B", checkout.build, "-DTIMEOUT=99"], check=True,
                   capture_output=True)
    assert checkout.ctest("--testcase", checkout.case).returncode == 0
    assert checkout.ctest("-N", "--platform=ROME").returncode == 0
    return checkout


@pytest.fixture
def copy(first, tmp_path) -> Checkout:
    return first.copy(tmp_path / "copy")


@needs_cmake
@pytest.mark.parametrize("script", ["ctest.sh", f"build/{build_folder.WORKLOAD_FOLDER}/ctest.sh"])
def test_a_copied_checkout_runs_its_own_code_and_logs_into_itself(first, copy, script):
    before = len(first.logs())
    done = copy.run(copy.folder / script, "--testcase", copy.case)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(copy.logs()) == before + 1 and len(first.logs()) == before, "what was copied stays"
    assert build_folder.configured(copy.build, "TIMEOUT") == "99"
    text = (copy.build / "CTestTestfile.cmake").read_text()
    assert str(first.folder) not in text and str(copy.folder) in text


@needs_cmake
def test_a_copys_folder_of_another_platform_is_its_own_too(first, copy):
    assert "Total Tests" in copy.ctest("-N", "--platform=ROME").stdout
    assert str(first.folder) not in (copy.build / "platforms/ROME/CTestTestfile.cmake").read_text()


@needs_cmake
@pytest.mark.parametrize("script", ["ctest.sh", f"build/{build_folder.WORKLOAD_FOLDER}/ctest.sh"])
def test_a_moved_checkout_runs_on(copy, tmp_path, script):
    assert copy.ctest("-N").returncode == 0
    moved = copy.move(tmp_path / "moved it's")
    done = moved.run(moved.folder / script, "--testcase", moved.case)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(moved.logs()) == 2


@needs_cmake
def test_a_chosen_build_folder_of_another_checkout_is_refused_until_that_is_gone(first, copy, tmp_path):
    shared = tmp_path / "shared"
    assert copy.ctest("-N", RESNET50_BENCH_BUILD=str(shared)).returncode == 0
    refused = first.ctest("-N", RESNET50_BENCH_BUILD=str(shared))
    assert refused.returncode == 2 and str(copy.folder) in refused.stderr, refused.stderr
    wrapper = shared / build_folder.WORKLOAD_FOLDER / "ctest.sh"
    assert copy.run(wrapper, "-N").returncode == 0
    copy.move(tmp_path / "moved")
    assert first.run(wrapper, "-N").returncode == 3, "the wrapper's checkout is gone"
    assert first.ctest("-N", RESNET50_BENCH_BUILD=str(shared)).returncode == 0


@needs_cmake
def test_a_touched_source_has_the_folder_configured_once(copy):
    assert copy.ctest("-N").returncode == 0
    (copy.folder / "CMakeLists.txt").touch()  # as git does when it goes to another branch and back
    written = []  # cmake writes the Makefile each time
    for _ in range(3):
        assert copy.ctest("-N").returncode == 0
        written.append((copy.build / "Makefile").stat().st_mtime_ns)
    assert len(set(written)) == 1, "the first call alone runs cmake"


@needs_cmake
def test_the_checkout_itself_is_no_build_folder(first):
    refused = first.ctest("-N", RESNET50_BENCH_BUILD=str(first.folder))
    assert refused.returncode == 2 and "checkout itself" in refused.stderr, refused.stderr
    assert not (first.folder / "CMakeCache.txt").exists()


@needs_cmake
@pytest.mark.skipif(not shutil.which("cmake", path=os.defpath), reason="cmake is not where a shell without PATH looks")
def test_a_folder_is_configured_without_path(copy):
    done = copy.run("env", "-u", "PATH", copy.folder / "ctest.sh", "-N")
    assert done.returncode == 0 and "Total Tests" in done.stdout, done.stdout + done.stderr


@needs_cmake
def test_a_file_that_rsync_brought_with_its_old_time_is_seen(copy):
    assert copy.ctest("-N").returncode == 0
    newer = copy.folder / "cmake/standalone.cmake"
    newer.write_text(newer.read_text().replace("setup_environment", "set_up"))
    os.utime(newer, (0, 0))
    assert "set_up" in copy.ctest("-N").stdout


@needs_cmake
@pytest.mark.parametrize(("name", "content"), [
    ("CTestTestfile.cmake", b""), ("CTestTestfile.cmake", b"add_test("), ("CMakeCache.txt", b""),
    ("CMakeCache.txt", b"\xff\0CMAKE_HOME_DIRECTORY:INTERNAL=")])
def test_a_build_folder_that_a_full_disk_has_damaged_is_configured_again(copy, name, content):
    assert copy.ctest("-N").returncode == 0
    (copy.build / name).write_bytes(content)
    done = copy.ctest("-N")
    assert done.returncode == 0 and "Total Tests: 0" not in done.stdout, done.stdout + done.stderr


@needs_cmake
def test_a_full_disk_is_said_and_is_no_empty_matrix(first, tmp_path):
    mount = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=64k t {tmp_path} && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    done = first.run(*mount, first.folder / "ctest.sh", "-N", RESNET50_BENCH_BUILD=str(tmp_path / "build"))
    assert done.returncode == 3 and str(tmp_path) in done.stderr, done.stdout + done.stderr


@needs_cmake
def test_a_machine_with_cmake_and_without_make_lists_the_cases(first, tmp_path):
    for name in ("bash", "env", "dirname", "readlink", "python3", "cmake", "ctest"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = first.ctest("-N", PATH=str(tmp_path), RESNET50_BENCH_BUILD=str(tmp_path / "build"))
    assert done.returncode == 0 and "Total Tests" in done.stdout, done.stdout + done.stderr


@needs_cmake
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_failure(first, closed):
    before = len(first.logs())
    done = first.run("bash", "-c", f"exec ./ctest.sh --testcase {first.case} {closed}")
    assert done.returncode == 0 and len(first.logs()) == before + 1, done.stdout + done.stderr


@needs_cmake
def test_two_first_calls_at_once_configure_once(first, tmp_path):
    build = str(tmp_path / "build")
    started = [subprocess.Popen([first.folder / "ctest.sh", "-N"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=first.environment | {"RESNET50_BENCH_BUILD": build}) for _ in range(4)]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said


@needs_cmake
@pytest.mark.parametrize("variables", [{"CMAKE_GENERATOR": "Ninja Multi-Config"}, {"CMAKE_GENERATOR": "no such one"},
                                       {"BASH_ENV": "/prints"}])
def test_variables_for_other_programs_do_not_reach_the_configuration(first, tmp_path, variables):
    if "BASH_ENV" in variables:
        (tmp_path / "prints").write_text("echo hello\n")
        variables = {"BASH_ENV": str(tmp_path / "prints")}
    done = first.ctest("-N", RESNET50_BENCH_BUILD=str(tmp_path / "build"), **variables)
    assert done.returncode == 0 and "Total Tests" in done.stdout, done.stdout + done.stderr


def test_a_copys_background_runs_are_not_its_own(tmp_path, capsys):
    for number, name in enumerate(("first", "copy")):
        folder = tmp_path / name / "background/x"
        folder.mkdir(parents=True)
        write_json(folder / "run.json", {
            "pid": 1, "ticks": 1, "boot": "", "log": "", "words": [], "started": "2026", "folder": str(
                tmp_path / "first/background/x")})
        assert len(background.records(tmp_path / name)) == 1 - number
