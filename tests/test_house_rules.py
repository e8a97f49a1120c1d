"""The rules of the house that a machine can check."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resnet50_bench.case import platforms

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
SHELL = [*ROOT.glob("*.sh"), *ROOT.glob("scripts/*.sh"), ROOT / ".ci/run"]


def test_the_host_side_starts_without_torch_and_fast():
    code = ("import sys; from resnet50_bench.cli import ctest_command, case_command, one_run; "
            "print([m for m in ('torch', 'numpy') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_workers_side_imports_torch():
    rooms = {path.relative_to(ROOT / "src/resnet50_bench").parts[0] for path in SOURCES
             if re.search(r"^\s*(import|from) torch", path.read_text(), re.M)}
    assert rooms == {"worker"}


def test_the_environment_is_handed_on_and_changed_by_nobody():
    """But by a worker, which is a process of its own."""
    change = re.compile(r"del os\.environ|os\.environ(?:\[[^]]*\] *=(?!=)|\.(?:pop|clear|update|setdefault)\(|\s*\|=)")
    assert all(map(change.search, ('os.environ["A"] = x', 'os.environ.pop("A")', "os.environ |= more")))
    assert not change.search('os.environ["A"] == x')
    assert {path.parents[len(path.relative_to(ROOT / "src/resnet50_bench").parts) - 2].name for path in SOURCES
            if change.search(path.read_text())} == {"worker"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_files_are_small_and_say_what_they_do(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 350
    assert text.startswith('"""')


def test_tests_import_only_what_they_share():
    """Helpers live in tests/support/: a test that imports another one breaks with it."""
    other_test = re.compile(r"^\s*(?:from|import) (?:\.|test_|conftest|(?:tests|program|engine|container|scheduler)\b)",
                            re.M)
    assert all(map(other_test.search, ("from test_run import x", "    from .test_run import x", "import tests.x")))
    for path in (ROOT / "tests").rglob("*.py"):
        assert not other_test.search(path.read_text()), path
        assert path.parent.name == "support" or path.name.startswith(("test_", "conftest")), f"{path} is no test"


def test_every_platform_is_a_small_file():
    for name in platforms.PLATFORMS:
        assert len((ROOT / f"cmake/{name}.cmake").read_text().splitlines()) <= 5


def test_no_path_of_this_machine_and_no_swallowed_failure():
    for path in (*SOURCES, *SHELL):
        text = path.read_text()
        assert "|| true" not in text, path
        assert "/work/" not in text and "/root/" not in text, path
        assert "shell=True" not in text, path


def test_ruff_is_content():
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    done = subprocess.run([ruff, "check", ROOT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_is_content():
    done = subprocess.run(["shellcheck", *SHELL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
