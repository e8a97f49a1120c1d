"""One place for the results of all commands; and the checkout that a build folder is for."""

from __future__ import annotations

import pytest

from resnet50_bench.cli import engines_command, sweep_command, versus_command
from resnet50_bench.cli.tree import main
from resnet50_bench.ctest import build_folder
from support.results import put, synthetic


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
    ("versus", (versus_command, "measured"), ["--a", "", "--b", ""]),
    ("engines", (engines_command.engines_match, "prepared"), []),
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
