"""The report in headless Chromium: no error, nothing wider than the window, sorting, filter and links work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from support import report_folder, report_history

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")]
#: Screenshots for a person to look at go here, if it is set; never into the repository.
SHOTS = os.environ.get("REPORT_SCREENSHOTS")
SCHEMES = {"light": "--blink-settings=preferredColorScheme=1", "dark": "--blink-settings=preferredColorScheme=0"}
#: Only --screenshot and a device's own metrics give less than 500 px; an iframe is as narrow as it says.
FRAME = '<!DOCTYPE html><style>*{margin:0;border:0}</style><iframe src="%s" style="width:%dpx;height:900px"></iframe>'
DRIVER = """
const seen = {};
const rows = () => Array.from(document.querySelectorAll(".sortable tbody tr"));
const column = (i) => rows().map((row) => row.cells[i].dataset.v ?? row.cells[i].textContent);
const heads = Array.from(document.querySelectorAll(".sortable thead th"));
const click = (i) => { heads[i].querySelector("button").focus(); document.activeElement.click(); };
click(2); seen.ascending = column(2); seen.sorts = heads.map((head) => head.getAttribute("aria-sort"));
click(2); seen.descending = column(2); seen.sort = heads[2].getAttribute("aria-sort");
click(1); seen.cases = column(1);
const field = document.getElementById("filter");
field.value = "SIGKILL"; field.dispatchEvent(new Event("input"));
seen.shown = rows().filter((row) => !row.hidden).length; seen.said = document.getElementById("shown").textContent;
field.value = ""; field.dispatchEvent(new Event("input"));
seen.back = rows().filter((row) => !row.hidden).length;
location.hash = "#r3";
setTimeout(() => {
  const target = document.getElementById("r3");
  seen.open = target.open && target.parentElement.open;
  seen.focus = document.activeElement === target.querySelector("summary");
  seen.title = document.title;
  document.documentElement.dataset.seen = JSON.stringify(seen);
}, 300);
"""


def chromium(tmp_path: Path, url: str, *words: str) -> tuple[str, str]:
    """(stdout, what the page's console and the network layer complained about)."""
    done = subprocess.run(
        [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-"
         "networking", "--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=3000", *words, url], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines()
                                  if re.search(r"CONSOLE|ERR_|Refused|violates", line))


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("report")
    (base / "results").mkdir()
    assert report_folder.fill(base / "results") == 49
    assert report_history.days(base / "results") + report_history.versus(base / "results") == 21
    assert main(["report", str(base / "results"), "--output", str(base / "report.html")]) == 0
    return base / "report.html"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 390])
def test_no_error_and_nothing_wider_than_the_window(report, tmp_path, width, scheme):
    dom, complaints = chromium(tmp_path, report.as_uri(), f"--window-size={width},900", SCHEMES[scheme], "--dump-dom")
    assert complaints == ""
    found = dict(re.findall(r'data-(scroll-width|inner-width)="(\d+)"', dom))
    assert found["scroll-width"] == found["inner-width"]
    if width > 500:  # a window is not made narrower than that; the next test is
        assert found["inner-width"] == str(width)
    assert "<title>ResNet50 on CPUs</title>" in dom
    shot = (Path(SHOTS) if SHOTS else tmp_path) / f"report-{width}-{scheme}.png"
    _, complaints = chromium(tmp_path, report.as_uri(), f"--window-size={width},{8200 if width > 500 else 9600}",
                             SCHEMES[scheme], f"--screenshot={shot}")
    assert complaints == ""
    assert shot.stat().st_size > 20_000


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone(report, tmp_path, width):
    """In a frame of that width; all folds open, as what is inside them may be the widest."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    tell = "parent.document.documentElement.dataset.inside = document.documentElement.scrollWidth"
    opened = text.replace("<details", "<details open").replace("</body>", f"<script>{tell}</script></body>")
    (tmp_path / "opened.html").write_text(opened)
    (tmp_path / "frame.html").write_text(FRAME % ("opened.html", width))
    dom, complaints = chromium(tmp_path, (tmp_path / "frame.html").as_uri(), "--allow-file-access-from-files",
                               "--window-size=800,900", "--dump-dom")
    assert complaints == ""
    assert re.search(r'data-inside="(\d+)"', dom).group(1) == str(width)


def test_sorting_filter_and_links(report, tmp_path):
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    (tmp_path / "driven.html").write_text(text.replace("</body>", f"<script>{DRIVER}</script></body>"))
    dom, complaints = chromium(tmp_path, (tmp_path / "driven.html").as_uri(), "--dump-dom")
    assert complaints == ""
    seen = json.loads(re.search(r'data-seen="([^"]*)"', dom).group(1).replace("&quot;", '"'))
    values = [float(value) for value in seen["ascending"] if value]
    assert len(values) == 68 and values == sorted(values)
    assert seen["ascending"][-2:] == seen["descending"][-2:] == ["", ""]
    assert [float(value) for value in seen["descending"] if value] == values[::-1]
    assert seen["sorts"].count("ascending") == 1 and seen["sorts"].count("none") == 12
    assert seen["sort"] == "descending"
    assert seen["cases"] == sorted(seen["cases"])
    assert (seen["shown"], seen["said"], seen["back"]) == (1, "1 of 70 shown", 70)
    assert seen["open"] and seen["focus"]
    assert seen["title"] == "ResNet50 on CPUs"


def test_a_script_that_was_smuggled_in_would_not_run(report, tmp_path):
    evil = report.read_text().replace("</body>", "<script>document.title = 'owned'</script></body>")
    (tmp_path / "evil.html").write_text(evil)
    dom, complaints = chromium(tmp_path, (tmp_path / "evil.html").as_uri(), "--dump-dom")
    assert "<title>ResNet50 on CPUs</title>" in dom
    assert "Content Security Policy" in complaints


def test_it_prints(report, tmp_path):
    paper = (Path(SHOTS) if SHOTS else tmp_path) / "report.pdf"
    _, complaints = chromium(tmp_path, report.as_uri(), f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    assert complaints == ""
    assert paper.read_bytes().startswith(b"%PDF")
