"""`pip install .` gives a command that measures without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.engine


def test_the_installed_command_runs_a_case(tmp_path):
    copy, home = tmp_path / "copy", tmp_path / "home"  # pip builds inside the source folder
    subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    subprocess.run([sys.executable, "-m", "pip", "--python", home / "bin/python", "install", "-q", copy], check=True)
    done = subprocess.run([home / "bin/resnet50-bench", "run", "--precision=avx2_fp32", "--case_type=gated",
                           "--steps=2", "--warmup_steps=1"],
                          cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RESULT: passed" in done.stdout
