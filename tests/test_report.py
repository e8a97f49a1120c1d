"""The report: every result in one file that refers to nothing, whatever texts the results hold."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.history import collection
from resnet50_bench.report import chart, histogram, markup, palette, points
from resnet50_bench.report import page as page_module
from support import report_folder, report_history
from support.report_folder import HOSTILE
from support.results import put, synthetic

ROOT = Path(__file__).parents[1]
VOID = {"meta", "link", "input", "br"}


class Reader(HTMLParser):
    """Elements in order, with complaints about what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def made(folder: Path, *words: str) -> str:
    """The report about ``folder``."""
    output = folder.parent / "report.html"
    assert main(["report", str(folder), "--output", str(output), *words]) == 0
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("full") / "results"
    folder.mkdir()
    assert report_folder.fill(folder, ["amx_int8"]) == 19
    report_history.days(folder)
    report_history.versus(folder)
    return made(folder, "--title", f"Title {HOSTILE}")


def test_hostile_text_stays_text(full):
    read = Reader(full)
    assert HOSTILE not in full
    assert len(read.all("script")) == 1
    assert read.all("img") == []
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert f"Title {HOSTILE}" in "".join(text for tag, text in read.texts if tag == "h1")
    for place in ("dd", "p", "span", "h3"):  # the kernel, parameters, a remedy, the CPU
        assert HOSTILE in "".join(text for tag, text in read.texts if tag == place)


def test_every_text_is_escaped_unless_it_was_made_as_html():
    assert markup.el("p", "<b>", markup.el("i", "&"), title='"<') == '<p title="&#34;&lt;">&lt;b&gt;<i>&amp;</i></p>'
    assert markup.join(("<", markup.el("br"))) == "&lt;<br>"
    assert markup.el("p", class_="a", data_v=None, hidden=True, open=False) == '<p class="a" hidden></p>'


def test_one_file_that_refers_to_nothing(full):
    read = Reader(full)
    references = [value for _, attributes in read.elements for name, value in attributes.items()
                  if name in ("src", "href", "srcset", "action", "data", "xlink:href", "poster")]
    assert {value for value in references if not value.startswith("#")} == {"data:,"}
    identifiers = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {value[1:] for value in references if value.startswith("#")} <= set(identifiers)
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp", full)


def test_only_its_own_script_may_run(full):
    policy = next(each["content"] for each in Reader(full).all("meta") if "http-equiv" in each)
    script = re.search(r"<script>(.*)</script>", full, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert f"script-src 'sha256-{digest}';" in policy


def test_the_sections_and_what_they_show(full):
    expected = ["summary", "versus", "time", "sweep", "cases", "results", "health", "system", "left-out"]
    assert [name for name in re.findall(r'<section id="([\w-]+)"', full) if name in expected] == expected
    assert "★" in full
    assert "B is faster than A by 4.0 %" in full
    assert re.search(r"<td>worse</td>.*<td>as before</td>", full)
    assert "killed by SIGKILL" in full
    assert "raise MIN_DURATION" in full
    assert "move the guest to dedicated cores" in full
    assert "Socket 1" in full and "NUMA node 3" in full


def test_a_comparisons_picture_has_the_leader_first_and_each_sides_own_settings(tmp_path):
    """The leader has no interval, for all intervals are of ratios to it."""
    report_history.versus(tmp_path)
    file = tmp_path / "malloc/outcome.json"
    outcome = json.loads(file.read_text())
    outcome["pairs"][0] |= {"a": "B", "b": "A", "verdict": "slower"}
    outcome |= {"question": "best", "leader": "B"}
    outcome["sides"]["A"]["what"] = 'CUSTOMER_ENV="KMP_BLOCKTIME=1 KMP_AFFINITY=granularity=fine,compact,1,0"'
    file.write_text(json.dumps(outcome))
    drawing = next(each for each in re.findall(r"<svg.*?</svg>", made(tmp_path), re.S) if "Throughput, malloc" in each)
    labels = re.findall(r'<text text-anchor="end" transform="translate\([-\d.]+,([\d.]+)\)"[^>]*>(.*?)</text>', drawing)
    texts = [text.replace("<tspan x", " <tspan x") for _, text in sorted(labels, key=lambda label: float(label[0]))]
    leader, other = (html.unescape(re.sub("<[^>]+>", "", text)) for text in texts)
    assert leader == "B (leader): MALLOC=jemalloc"
    assert other.startswith('A: CUSTOMER_ENV="KMP_B') and other.endswith("…")


def test_charts_and_tables_can_be_read_without_seeing_them(full):
    read = Reader(full)
    drawn = [each for each in read.all("svg") if each.get("aria-hidden") != "true"]
    assert len(drawn) >= 7
    identifiers = {attributes.get("id") for _, attributes in read.elements}
    for svg in drawn:
        assert svg["role"] == "img"
        assert set(svg["aria-labelledby"].split()) <= identifiers
    assert all(each.get("scope") in ("col", "row") for each in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table"))
    assert full.count("The numbers</summary>") == len(drawn)
    assert {each.get("aria-sort") for each in read.all("th")} == {None, "none", "descending"}


def test_every_result_is_in_the_table_and_an_unusable_one_has_no_numbers(tmp_path):
    folder = tmp_path / "results"
    put(folder, synthetic(rate=123.4), stamp="20260101-000001")
    put(folder, synthetic(rate=777.7, verdict="noisy", reasons=["steal"]), stamp="20260101-000002")
    put(folder, synthetic(rate=888.8, latency_ms=55.5, verdict="invalid", reasons=["overlap"]), stamp="20260101-000003")
    put(folder, synthetic(rate=999.9, failure="out of memory", verdict="invalid"), stamp="20260101-000004")
    (folder / "benchmark_bad.json").write_text("{")
    text = made(folder)
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', text)
    assert sorted(kind for kind, _ in rows) == ["failed", "invalid", "noisy", "valid"]
    assert [(kind, "123.4" in row, "777.7" in row) for kind, row in rows if kind in ("valid", "noisy")] == [
        ("noisy", False, True), ("valid", True, False)]
    assert "888.8" not in text and "999.9" not in text
    assert "out of memory" in dict(rows)["failed"] and "overlap" in dict(rows)["invalid"]
    assert "benchmark_bad.json cannot be read" in text[text.index("<h2>Left out</h2>"):]


def test_repeated_runs_are_one_point_with_an_interval_between_runs(tmp_path):
    for number, rate in enumerate((100, 101, 102), start=1):
        put(tmp_path, synthetic(rate=rate, case={"CORES_PER_INSTANCE": "2"}), iteration=number)
    other = {"CORES_PER_INSTANCE": "2", "BATCH_SIZE": "8"}
    put(tmp_path, synthetic(rate=50, case=other, statistics={"throughput_ci95": [49, 51]}),
        stamp="20260102-000000")
    repeated, single = sorted(points.points(collection.find([tmp_path])), key=lambda point: -point.value)
    assert (repeated.value, repeated.source) == (101, "between 3 runs")
    assert (repeated.low, repeated.high) == pytest.approx((98.52, 103.48), abs=0.01)
    assert (single.low, single.high, single.source) == (49, 51, "within one run")
    assert points.best([single, repeated]) == [(repeated, 1, 0)], "one restart cannot be told from others"
    (name, inside), = points.grids([repeated, single])
    assert name == "amx_int8 · throughput"
    assert [(point.batch, point.cores) for point in inside] == [(4, 2), (8, 2)]


def test_the_best_is_told_from_those_that_differ_by_more_than_restarts(tmp_path):
    for place, rates in enumerate(((100, 101, 102), (50, 51, 52), (99, 100, 104)), start=1):
        for number, rate in enumerate(rates, start=1):
            put(tmp_path, synthetic(rate=rate, case={"BATCH_SIZE": str(place)}), stamp=f"20260101-00000{place}",
                iteration=number)
    (winner, others, told), = points.best(points.points(collection.find([tmp_path])))
    assert (others, told) == (2, 1) and winner.value == 101
    assert "1 of 2" in page_module.page(collection.find([tmp_path]), [], "title")


def test_further_runs_of_a_warm_worker_are_no_restarts(tmp_path):
    warm = {"processes": [{"process": 0, "instances": [{"instance": 0, "cpus": [0]}]}], "workers": "warm"}
    for number, (rate, placement) in enumerate(((90, warm), (91, warm), (100, warm | {"workers": "fresh"}),
                                                (102, warm | {"workers": "fresh"})), start=1):
        put(tmp_path, synthetic(rate=rate, placement=placement), iteration=number)
    entries = collection.find([tmp_path])
    point, = points.points(entries)
    assert (point.value, point.source, len(point.entries)) == (101, "between 2 runs", 4)
    point, = points.points([entry for entry in entries if entry.result.placement.workers == "warm"])
    assert point.source.startswith("one run")


def test_lower_latency_is_better(tmp_path):
    for number, latency in enumerate((40.0, 30.0)):
        put(tmp_path, synthetic(latency_ms=latency, case={"MODE": "latency", "BATCH_SIZE": str(number + 1)},
                                statistics={"throughput_ci95": [90, 110]}), stamp=f"20260101-00000{number}")
    (winner, others, told), = points.best(points.points(collection.find([tmp_path])))
    assert (winner.value, others, told) == (30, 1, 0)
    assert (winner.low, winner.high) == pytest.approx((27, 33))


@pytest.mark.parametrize(("changes", "place"), [
    ({"statistics": {"throughput_ci95": "x"}}, "$.statistics.throughput_ci95"),
    ({"statistics": {"throughput_ci95": [None, 1]}}, "$.statistics.throughput_ci95[0]"),
    ({"statistics": {"instances": 3}}, "$.statistics.instances"), ({"topology": {"cores": "?"}}, "$.topology.cores"),
    ({"checks": None}, "$.checks"), ({"checks": [{"name": "x", "reading": "", "verdict": "?"}]}, "$.checks[0].verdict"),
    ({"software": {"torch": [2]}}, "$.software")])
def test_a_damaged_result_is_left_out_with_its_place_and_the_others_are_shown(tmp_path, changes, place):
    folder = tmp_path / "results"
    put(folder, synthetic())
    path = put(folder, synthetic(), stamp="20260102-000000")
    document = json.loads(path.read_text())
    for name, value in changes.items():
        document[name] = document[name] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(document))
    page = made(folder)
    assert page.count('<tr class="valid">') == 1
    left_out = page[page.index("Left out"):]
    assert path.name in left_out and place in html.unescape(left_out)


@pytest.mark.parametrize("changes", [{"statistics": {"throughput_ci95": [3, 2]}}, {"statistics": {"latency_ms": None}},
                                     {"placement": {}}, {"case": {"BATCH_SIZE": "many"}}, {"invented": {"later": 1}}])
def test_a_result_that_lacks_something_or_says_more_is_shown(tmp_path, changes):
    folder = tmp_path / "results"
    path = put(folder, synthetic())
    document = json.loads(path.read_text())
    for name, value in changes.items():
        document[name] = document.get(name, {}) | value if value else value
    path.write_text(json.dumps(document))
    assert made(folder).count('<tr class="valid">') == 1


def test_texts_that_no_file_can_hold(tmp_path):
    put(tmp_path / "results", synthetic(case={"CUSTOMER_ENV": "\ud800"}))
    assert "CUSTOMER_ENV=\\ud800" in made(tmp_path / "results")


@pytest.mark.parametrize("values", [[5.0], [5.0] * 100, [1.0, 1e6], [*([10.0] * 500), 4000.0], [0.001, 0.002]])
def test_histogram_counts_every_step(values):
    drawn = histogram.of_steps("a case", values)
    assert sum(count for _, count in drawn.rows) == len(values)
    json.dumps(drawn.spec(palette.LIGHT), allow_nan=False)


@pytest.mark.parametrize(("low", "high", "ticks"), [(0, 100, [0, 25, 50, 75, 100]), (0, 3, [0, 1, 2, 3]), (5, 5, [5])])
def test_ticks_are_round(low, high, ticks):
    assert chart.nice_ticks(low, high) == ticks


def _luminance(colour: str) -> float:
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_contrast(colours):
    pairs = [(ink, back) for ink in ("text", "quiet", "link", "bad") for back in ("page", "card")]
    pairs += [(kind, f"{kind}-back") for kind in ("good", "warn", "bad", "unsure")]
    pairs += [("ink", f"c{i}") for i in range(8)] + [(f"c{i}", back) for i in range(8) for back in ("page", "card")]
    pairs += [("low-ink" if i < 4 else "high-ink", f"h{i}") for i in range(7)]
    for ink, back in pairs:
        dark, light = sorted((_luminance(colours[ink]), _luminance(colours[back])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, back)


@pytest.mark.parametrize("words", [["--output", "x.txt"], ["--output", "none/x.html"], ["none"]])
def test_bad_input(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 2


def test_without_words_it_lies_beside_the_logs_and_says_where(tmp_path, monkeypatch, capsys):
    logs = tmp_path / "build/workload/ResNet50-Pytorch-Xeon-Public"
    put(logs, synthetic())
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path / "build"))
    assert main(["report"]) == 0
    assert capsys.readouterr().out.startswith(f"{logs / 'report.html'}: 1 result")
    assert '<tr class="valid">' in (logs / "report.html").read_text()


def test_no_results(tmp_path):
    (tmp_path / "results").mkdir()
    text = made(tmp_path / "results")
    Reader(text)
    assert "There are no results here." in text


def test_a_chart_is_added_by_one_file(tmp_path):
    shutil.copytree(ROOT / "src/resnet50_bench", tmp_path / "resnet50_bench")
    shutil.copy(ROOT / "tests/support/new_chart.py", tmp_path / "resnet50_bench/report/sections/verdicts.py")
    put(tmp_path / "results", synthetic())
    done = subprocess.run([sys.executable, "-m", "resnet50_bench", "report", "results", "--png", "png"], cwd=tmp_path,
                          env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "results/report.html").read_text()
    assert '<a href="#verdicts">Verdicts</a>' in page
    shown = re.findall(r'<section id="([\w-]+)"', page)
    assert shown.index("results") < shown.index("verdicts") < shown.index("health"), "in the order of their places"
    assert ">Verdicts</title>" in page
    assert (tmp_path / "png/verdicts.png").exists()
