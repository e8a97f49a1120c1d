"""What a result says of the code that made it, by real git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.launch import versions

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", made], check=True)
    (made / "file").write_text("text")
    for words in (["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"]):
        subprocess.run(["git", "-C", made, *words], check=True)
    return made


def test_the_commit_and_whether_files_changed(checkout, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/of/another/checkout")  # as in a hook of git's
    found = versions._git(checkout)
    assert len(str(found["git_commit"])) == 40 and found["git_changed"] is False
    (checkout / "file").write_text("other")
    assert versions._git(checkout) == found | {"git_changed": True}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_another_users_checkout_is_read(checkout):
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 54321, 54321)
    refused = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert "dubious ownership" in refused.stderr
    assert "git_commit" in versions._git(checkout)


@pytest.mark.parametrize(("change", "why"), [
    (lambda folder: shutil.rmtree(folder / ".git"), "not a git checkout"),
    (lambda folder: (folder / ".git/HEAD").write_text("garbage"), "not a git repository"),
    (lambda folder: subprocess.run(["git", "init", "-q", "--separate-git-dir", "../away"], cwd=folder, check=True)
        and shutil.rmtree(folder.parent / "away"), "not a git repository")])
def test_why_there_is_no_commit(checkout, change, why):
    change(checkout)
    assert why in str(versions._git(checkout)["git_unknown"])


def test_without_git_that_is_said(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert versions._git(checkout) == {"git_unknown": "git is not installed"}
