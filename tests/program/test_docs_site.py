"""scripts/docs.sh: the site of docs/, in which a dead link is an error."""

from __future__ import annotations

import subprocess

import pytest

from support.pages import ROOT


def test_the_site_has_every_page_and_no_dead_link():
    done = subprocess.run([ROOT / "scripts/docs.sh", "--site"], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-2:]}")
    assert done.returncode == 0, done.stderr
    pages = [page.relative_to(ROOT / "docs").with_suffix(".html") for page in ROOT.glob("docs/**/*.md")]
    missing = [str(page) for page in pages if not (ROOT / "build/site" / page).exists()]
    assert missing == ["README.html"], "it is the site's index.html"
