"""CONTRIBUTING's "How to add", done in a scratch copy: each addition works by touching only the files named there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.program
ROOT = Path(__file__).parents[2]
SOURCE = "src/resnet50_bench/"


class Scratch:
    """A copy of what an addition needs, in which only files that CONTRIBUTING names may change."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        for name in ("src", "cmake", "scripts", "docs", "tests/support"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("CMakeLists.txt", "kubernetes-config.yaml.m4", "ctest.sh"):
            shutil.copy2(ROOT / name, folder / name)
        text = (ROOT / "CONTRIBUTING.md").read_text()
        section = re.search(rf"^\*\*{what}\*\*.*?(?=^\*\*|^## )", text, re.M | re.S)
        assert section, f"CONTRIBUTING does not say how to add {what}"
        self.named = re.findall(r"`([\w./-]+)`", section.group())

    def change(self, path: str, before: str, after: str) -> None:
        """Replace ``before``, which is there, by ``after``; an empty ``before`` makes the file."""
        self._must_be_named(path)
        file = self.folder / path
        text = file.read_text() if before else ""
        assert before in text, f"{path} has no {before!r} any more"
        file.write_text(text.replace(before, after, 1) if before else after)

    def _must_be_named(self, path: str) -> None:
        short = path.removeprefix(SOURCE)
        assert any(short == name or (name.endswith("/") and short.startswith(name))
                   or re.fullmatch(name.replace("NAME", "[A-Z_a-z]+"), short) for name in self.named), (
            f"CONTRIBUTING does not name {path}")

    def python(self, code: str) -> str:
        """What the code prints, run on the copy."""
        done = subprocess.run([sys.executable, "-c", code], cwd=self.folder, capture_output=True, text=True,
                              check=False, env={"PYTHONPATH": f"{self.folder}/src:{self.folder}/tests",
                                                "PATH": "/usr/bin:/bin"})
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_a_platform(tmp_path):
    scratch = Scratch(tmp_path, "A platform")
    scratch.change(SOURCE + "case/platforms.py", "_ALL = (\n",
                   '_ALL = (\n    Platform("NEWP", ("avx_fp32",), "GenuineIntel", 6, (0xFE,)),\n')
    scratch.change("cmake/NEWP.cmake", "", 'include("${CMAKE_CURRENT_LIST_DIR}/matrix.cmake")\n'
                   "add_resnet50_cases(avx_fp32)\n")
    assert scratch.python("from resnet50_bench.case.parameters import CATALOGUE; "
                          "print(CATALOGUE['PLATFORM'].parse('newp'))") == "NEWP\n"
    if shutil.which("cmake"):
        done = subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "build", "-DPLATFORM=NEWP"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "inference_throughput_avx_fp32" in (tmp_path / "build/CTestTestfile.cmake").read_text()


def test_a_precision(tmp_path):
    scratch = Scratch(tmp_path, "A precision")
    scratch.change(SOURCE + "case/precision.py", "_ALL = (\n",
                   '_ALL = (\n    Precision("new_bf16", BF16, "avx10_2", ("avx10_2",), r"avx10_2", ("bf16",)),\n')
    scratch.change(SOURCE + "case/platforms.py", '"avx_bfloat16")', '"avx_bfloat16", "new_bf16")')
    assert "inference_throughput_new_bf16_gated" in scratch.python(
        "from resnet50_bench.case.case import every_option; print(*every_option())")


def test_a_parameter(tmp_path):
    scratch = Scratch(tmp_path, "A parameter")
    scratch.change(SOURCE + "case/parameters.py", "_CATALOGUE = (\n", '_CATALOGUE = (\n'
                   '    Parameter("NEWPARAMETER", "what it means", "0, 1, 2 ...", _integer(0), (_when(7),), _TUNED),\n')
    scratch.change(SOURCE + "case/case.py", "    workload: str\n", "    workload: str\n    newparameter: int\n")
    scratch.change("kubernetes-config.yaml.m4", "K_ROW(`WORKLOAD')dnl\n",
                   "K_ROW(`WORKLOAD')dnl\nK_ROW(`NEWPARAMETER')dnl\n")
    shown = scratch.python("""
from pathlib import Path
from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.case.defaults import Machine
from resnet50_bench.case.flags import plain_text
from resnet50_bench.case.parameters import Role, having
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.machine.topology import read_topology
case = resolve([Layer("flag", {"PRECISION": "avx2_fp32", "NEWPARAMETER": "9"})], Machine(read_cpu(), read_topology()))
print(case.newparameter, case.texts()["NEWPARAMETER"], "NEWPARAMETER" in having(Role.COMPARED))
print("--newparameter" in plain_text())
""")
    assert shown.split() == ["9", "9", "True", "True"]


def test_an_engine(tmp_path):
    scratch = Scratch(tmp_path, "An engine")
    scratch.change(SOURCE + "case/engines.py", "_ALL = (\n", '_ALL = (\n    EngineFacts("NEWENGINE", "PyTorch+New", '
                   '"newengine", ("ipex",), made_with={"new-package": "New_Version"}),\n')
    scratch.change(SOURCE + "worker/engines/newengine.py", "", "ENGINE = object()\n")
    assert scratch.python("from resnet50_bench.case.parameters import CATALOGUE\n"
                          "from resnet50_bench.case import engines\n"
                          "print(CATALOGUE['TORCH_TYPE'].parse('newengine'), 'new-package' in engines.PACKAGES, "
                          "engines.VERSION_LINES['New_Version'])") == "NEWENGINE True new-package\n"


def test_a_package(tmp_path):
    scratch = Scratch(tmp_path, "A package")
    scratch.change(SOURCE + "case/engines.py", '"TorchAO_Version"', '"TorchAO_Version", "new-package": "New_Version"')
    assert scratch.python("from resnet50_bench.case import engines\n"
                          "from resnet50_bench.launch import versions\n"
                          "print('new-package' in versions._MEASURED, engines.VERSION_LINES['New_Version'])"
                          ) == "True new-package\n"


def test_a_check(tmp_path):
    scratch = Scratch(tmp_path, "A check")
    scratch.change(SOURCE + "result/checks/window.py", "    return [overlap(window), ",
                   "    return [_new(window), overlap(window), ")
    scratch.change(SOURCE + "result/checks/window.py", "def overlap(", 'def _new(window: Window) -> Check:\n'
                   '    return judge("new", "1", True, Verdict.NOISY, "it is new", "wait")\n\n\ndef overlap(')
    assert scratch.python("from resnet50_bench.result.checks import overall, result_checks\n"
                          "from support import documents\n"
                          "print(overall(result_checks(documents.result()))[1])") == "['new: it is new (1)']\n"


def test_a_chart(tmp_path):
    scratch = Scratch(tmp_path, "A chart")
    scratch.change(SOURCE + "report/sections/newchart.py", "", (
        "from ..markup import el\nfrom . import Section\n"
        'SECTION = Section(1, "newchart", "A new chart", lambda results, gallery: [el("p", "drawn here")])\n'))
    assert "drawn here" in scratch.python("from resnet50_bench.report.drawing import Gallery\n"
                                          "from resnet50_bench.report.page import page\n"
                                          "print(page([], [], 'x', Gallery()))")
