"""``report --png``: real pictures by matplotlib, read back, that show what the HTML shows."""

from __future__ import annotations

import functools
import html
import random
import subprocess
import sys
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.history import collection
from resnet50_bench.report import figures, plots, points
from support import report_folder
from support.results import put, synthetic

pytest.importorskip("matplotlib", reason="the test tools are not set up")
Image = pytest.importorskip("PIL.Image")

ROOT = Path(__file__).parents[1]
HOSTILE = f"A=$\\frac{{x$_ 日本\u0007\ud800 ../../{report_folder.HOSTILE}{'long ' * 60}"


def fill(folder: Path) -> Path:
    """FAKE results: four points of one precision, one of them slow on an instance, and a latency run."""
    dice = random.Random(1)
    folder.mkdir()
    for number, (batch, cores) in enumerate(((1, 28), (16, 28), (1, 56), (16, 56))):
        made = report_folder.sweep_result("amx_int8", batch, cores, 10.0 * (batch + 1) - cores / 10, dice)
        made.started_at = f"2026-01-01T00:00:0{number}+00:00"
        put(folder, made, stamp=f"20260101-00000{number}")
    put(folder, report_folder.sweep_result("amx_int8", 1, 4, 50.0, dice, mode="latency"), "inference_latency_amx_int8",
        stamp="20260101-000010")
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, str, list[collection.Entry]]:
    """(folder of pictures, the HTML beside it, the results)."""
    base = tmp_path_factory.mktemp("plots")
    folder = fill(base / "results")
    assert main(["report", str(folder), "--output", str(base / "r.html"), "--png", str(base / "new/png")]) == 0
    return base / "new/png", html.unescape((base / "r.html").read_text()), collection.find([folder])


@functools.cache
def colours(path: Path) -> set[tuple[int, int, int]]:
    with Image.open(path) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}


def rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(plots._colour(name)[1:]))


def test_every_chart_of_the_report_is_a_picture_that_is_not_blank(drawn):
    folder, _, _ = drawn
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves-amx_int8-throughput.png", "heat-map-amx_int8-throughput.png",
        "instances-inference_latency_amx_int8.png", "instances-inference_throughput_amx_int8.png",
        "step-times-inference_latency_amx_int8.png", "step-times-inference_throughput_amx_int8.png"]
    for path in folder.iterdir():
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("PNG", (1200, 750))
        assert len(colours(path)) > 20
    assert {rgb("h0"), rgb("h6"), rgb("page")} <= colours(folder / "heat-map-amx_int8-throughput.png")
    assert {rgb("c0"), rgb("c1")} <= colours(folder / "curves-amx_int8-throughput.png")
    assert rgb("c2") not in colours(folder / "curves-amx_int8-throughput.png")


def test_titles_units_and_captions_are_the_htmls(drawn):
    folder, page, entries = drawn
    for path in folder.glob("[chs]*.png"):
        with Image.open(path) as picture:
            assert f">{picture.text['Title']}<" in page or f'"{picture.text["Title"]}"' in page, path.name
    (name, inside), = points.grids(points.points(entries))
    entry = next(entry for entry in entries if entry.mode == "latency")
    for made in (plots.curves(figures.curves(name, inside)),
                 plots.histogram(figures.histogram(entry.case, points.step_times(entry)))):
        axes, = made.axes
        assert f">{axes.get_xlabel()}</text>" in page and f">{axes.get_ylabel()}</text>" in page
    caption = figures.heat_map(name, inside).caption
    assert plots.heat_map(figures.heat_map(name, inside)).axes[0].get_title().startswith(caption)
    assert f">{caption}<" in page
    rates, = plots.instances("x", figures.instances(entry)).axes
    assert f">{rates.get_ylabel()}</th>" in page


def test_the_numbers_are_drawn(drawn):
    _, _, entries = drawn
    (name, inside), = points.grids(points.points(entries))
    value = {(point.batch, point.cores): point.value for point in inside}
    lines = plots.curves(figures.curves(name, inside)).axes[0].get_lines()
    assert [(line.get_label(), list(line.get_xdata()), list(line.get_ydata())) for line in lines] == [
        (f"{cores} cores an instance", [1, 16], [value[1, cores], value[16, cores]]) for cores in (28, 56)]
    texts = [text.get_text() for text in plots.heat_map(figures.heat_map(name, inside)).axes[0].texts]
    assert len(texts) == 4 and sum("★" in text for text in texts) == 1
    entry = next(entry for entry in entries if entry.mode == "throughput")
    bars = plots.instances("x", figures.instances(entry)).axes[0].patches
    assert [bar.get_height() for bar in bars] == [
        each.throughput_images_per_s for each in entry.result.statistics.instances]
    times = points.step_times(entry)
    shown = figures.histogram("x", times)
    assert sum(bar.get_height() for bar in plots.histogram(shown).axes[0].patches) == len(times) - shown.beyond


def test_a_percentile_beyond_the_axis_is_said_in_words():
    shown = figures.histogram("x", [10.0] * 98 + [4000.0] * 2)
    axes, = plots.histogram(shown).axes
    assert "2 steps above" in axes.get_title() and "P99 4000 ms" in axes.get_title()
    assert {text.get_text() for text in axes.texts} == {"P50 10.00 ms", "P90 10.00 ms"}


def test_a_slow_instance_is_pointed_at(tmp_path):
    rates = (100.0, 100.0, 80.0)
    put(tmp_path, synthetic(
        placement={"processes": [{"process": 0, "instances": [{"instance": i, "cpus": [i]} for i in range(3)]}]},
        statistics={"instances": [{"instance": i, "throughput_images_per_s": rate} for i, rate in enumerate(rates)]}))
    entry, = collection.find([tmp_path])
    axes, = plots.instances("x", figures.instances(entry)).axes
    assert [(text.get_text(), text.xy[0]) for text in axes.texts] == [("▼", 2)]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0\ncpus 0", "1\ncpus 1", "2\ncpus 2"]


def test_texts_of_a_result_are_neither_formulas_nor_paths(tmp_path):
    folder = tmp_path / "results"
    for number, text in enumerate((HOSTILE, HOSTILE + "$")):
        for batch in ("1", "2"):
            case = {"CUSTOMER_ENV": text, "BATCH_SIZE": batch, "CORES_PER_INSTANCE": "1"}
            put(folder, synthetic(rate=10.0 * int(batch), case=case), stamp=f"20260101-0{number}000{batch}")
    assert main(["report", str(folder), "--output", str(tmp_path / "r.html"), "--png", str(tmp_path / "png")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["png", "r.html", "results"]
    names = [path.name for path in (tmp_path / "png").iterdir()]
    # Two maps and two curves, whose names are the same as far as they are kept, and the instances of the one case.
    assert len(names) == 5 and sum(name.endswith("-2.png") for name in names) == 2
    assert all(len(name) < 100 and name.isascii() and not name.startswith(".") for name in names)


def test_steps_that_cannot_be_read_are_named_and_the_rest_is_drawn(tmp_path, capsys):
    put(tmp_path / "results", synthetic())
    assert main(["report", str(tmp_path / "results"), "--output", str(tmp_path / "r.html"), "--png",
                 str(tmp_path / "png")]) == 0
    shown = capsys.readouterr()
    assert "its single steps cannot be read" in shown.err or "holds no steps" in shown.err
    assert "png: 1 picture" in shown.out
    assert [path.name for path in (tmp_path / "png").iterdir()] == ["instances-inference_throughput_amx_int8.png"]


def test_without_matplotlib_it_says_what_to_install_and_writes_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "results").mkdir()
    words = ["report", str(tmp_path / "results"), "--output", str(tmp_path / "r.html")]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*words, "--png", str(tmp_path / "png")]) == 3
    assert "matplotlib is not there): run scripts/setup.sh" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert main(words) == 0


def test_a_file_is_no_folder_for_pictures(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "png").write_text("")
    assert main(["report", str(tmp_path / "results"), "--output", str(tmp_path / "r.html"), "--png",
                 str(tmp_path / "png")]) == 2
    assert "name a folder" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_matplotlib_is_imported_for_pictures_only(tmp_path):
    code = ("import sys; from resnet50_bench.cli.tree import main; main(sys.argv[1:]); "
            "print([m for m in ('matplotlib', 'numpy') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code, "report", str(tmp_path), "--output", str(tmp_path / "r.html")],
                          env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}, capture_output=True,
                          text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
