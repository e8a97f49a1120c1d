"""Names that are not UTF-8, or hold what a line cannot: every log, result, report and terminal takes them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.cli import list_command, report_command
from resnet50_bench.ctest import logs
from resnet50_bench.errors import BadInput
from resnet50_bench.files import readable
from resnet50_bench.result import result
from resnet50_bench.result.logfile import Log
from support import fakes
from support.results import put, synthetic

#: As Python reads a folder whose name a Latin-1 system wrote: cafe with an acute accent, the byte E9.
CAFE = os.fsdecode(b"caf\xe9")


def test_bytes_of_no_encoding_are_shown_as_such_and_all_else_is_left_alone():
    assert readable(CAFE) == "caf\\xe9"
    assert readable("café \U0001f600 \\udce9\n") == "café \U0001f600 \\udce9\n"
    assert readable("\ud800") == "\\ud800"


def test_a_log_takes_any_name_and_keeps_to_its_lines(tmp_path):
    echo = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    log = Log(tmp_path / "log", echo)
    log.line(f"Bad_Image: {CAFE}\nRESULT: passed\u2028RESULT: passed")
    log.close()
    expected = "Bad_Image: caf\\xe9\\x0aRESULT: passed\\u2028RESULT: passed\n"
    assert (tmp_path / "log").read_text(encoding="utf-8") == expected == echo.buffer.getvalue().decode()


def test_a_result_with_such_a_name_is_read_again(tmp_path):
    synthetic(case={"DATASET": f"/{CAFE}"}).write(tmp_path / "result.json")
    assert result.read(tmp_path / "result.json").parameter("DATASET") == "/caf\\xe9"


def test_a_report_names_a_folder_of_such_a_name(tmp_path):
    folder = tmp_path / CAFE
    put(folder, synthetic(case={"DATASET": f"/{CAFE}"}))
    assert report_command.main([str(folder)]) == 0
    assert (folder / "report.html").read_text(encoding="utf-8")


def test_what_kpi_says_of_a_folder_of_such_a_name_is_kept(tmp_path):
    folder = tmp_path / CAFE
    folder.mkdir()
    (folder / "kpi.sh").write_bytes((Path(__file__).parents[1] / "kpi.sh").read_bytes())
    status, said = logs.run_kpi(folder)
    assert status == 1 and "no benchmark_*.log below" in said and "caf\\xe9" in said
    assert (folder / "kpi.txt").read_text(encoding="utf-8") == said


def test_what_programs_read_is_strict_json(tmp_path, capsys):
    put(tmp_path / CAFE, synthetic())
    assert list_command.main([str(tmp_path / CAFE), "--format", "json"]) == 0
    row, = msgspec.json.decode(capsys.readouterr().out)
    assert "/caf\\xe9/" in row["file"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso-8859-1"])
def test_no_terminals_encoding_ends_a_command(tmp_path, encoding):
    put(tmp_path / f"{CAFE}-€", synthetic())
    done = subprocess.run(
        [sys.executable, "-m", "resnet50_bench", "list", tmp_path / f"{CAFE}-€"], capture_output=True, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PYTHONIOENCODING": encoding})
    assert done.returncode == 0 and b"Traceback" not in done.stderr and b"caf" in done.stdout


def test_a_path_is_any_bytes_but_those_that_break_a_line(tmp_path):
    machine = fakes.machine(tmp_path)

    def dataset(path: str) -> str:
        texts = {"DATA_TYPE": "real", "DATASET": path, "PRECISION": "amx_int8"}
        return resolve([Layer("flag", texts)], machine).dataset

    for path in (f"/{CAFE}", "/a b/it's \"this\"", "/set/", "/été/$(x)"):
        assert dataset(path) == path
    with pytest.raises(BadInput, match="begin it with /, such as .*/relative/set"):
        dataset("relative/set")
    with pytest.raises(BadInput, match="control character"):
        dataset("/a\nb")
