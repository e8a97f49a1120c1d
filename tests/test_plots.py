"""``report --png``: the page's charts as PNG files, from the same specifications."""

from __future__ import annotations

import functools
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.history import collection
from resnet50_bench.report import histogram, palette, points
from support import report_folder
from support.results import put, synthetic

Image = pytest.importorskip("PIL.Image")

ROOT = Path(__file__).parents[1]
HOSTILE = f"A=$\\frac{{x$_ 日本\u0007\ud800 ../../{report_folder.HOSTILE}{'long ' * 60}"


def fill(folder: Path) -> Path:
    """FAKE results: four points of one precision, one of them slow on an instance."""
    dice = random.Random(1)
    folder.mkdir()
    for number, (batch, cores) in enumerate(((1, 28), (16, 28), (1, 56), (16, 56))):
        made = report_folder.sweep_result("amx_int8", batch, cores, 10.0 * (batch + 1) - cores / 10, dice)
        made.started_at = f"2026-01-01T00:00:0{number}+00:00"
        put(folder, made, stamp=f"20260101-00000{number}")
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, str, list[collection.Entry]]:
    """(folder of pictures, the HTML beside it, the results)."""
    base = tmp_path_factory.mktemp("plots")
    folder = fill(base / "results")
    assert main(["report", str(folder), "--png", str(base / "new/png")]) == 0
    return base / "new/png", (folder / "report.html").read_text(), collection.find([folder])


@functools.cache
def colours(path: Path) -> set[tuple[int, int, int]]:
    with Image.open(path) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}


def rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(palette.LIGHT[name][1:]))


def test_every_chart_of_the_page_is_a_picture_that_is_not_blank(drawn):
    folder, page, _ = drawn
    names = ["curves-amx_int8-throughput.png", "heat-map-amx_int8-throughput.png",
             "instances-inference_throughput_amx_int8.png", "step-times-inference_throughput_amx_int8.png"]
    pictures = {path.name for path in folder.iterdir()}
    assert pictures >= {*names} and page.count("<figure>") == len(pictures)
    for path in folder.iterdir():
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG" and picture.size[0] == 3 * 380
            assert all(low < high for low, high in picture.convert("RGB").getextrema())
    assert {rgb("h0"), rgb("h6"), rgb("page")} <= colours(folder / names[1])
    assert {rgb("c0"), rgb("c1")} <= colours(folder / names[0])
    assert rgb("c2") not in colours(folder / names[0])


def test_the_page_names_colours_that_the_style_sheet_has_for_both_schemes(drawn):
    _, page, _ = drawn
    inside = "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    named = set(re.findall(r'(?:fill|stroke)="([^"]+)"', inside))
    assert {"var(--c0)", "var(--c1)", "var(--h6)", "var(--text)", "var(--grid)"} <= named
    assert not [colour for colour in named if colour not in ("none", "transparent")
                and colour not in palette.VARIABLES.values()]


def test_the_numbers_are_drawn(drawn):
    _, page, entries = drawn
    (name, inside), = points.grids(points.points(entries))
    curves, heat_map = (re.search(rf"<svg[^>]*><title[^>]*>{title} {name}.*?</svg>", page, re.S).group(0)
                        for title in ("Throughput of", "Heat map of"))
    assert ">28 cores per instance</text>" in curves and ">56 cores per instance</text>" in curves
    assert ">batch size</text>" in curves and ">Throughput (samples/sec)</text>" in curves
    for point in inside:
        assert f">{point.value:.0f}" in heat_map
    assert heat_map.count(" ★</text>") == 1


def test_a_percentile_beyond_the_axis_is_said_in_words():
    chart = histogram.of_steps("x", [10.0] * 98 + [4000.0] * 2)
    assert "2 steps above" in chart.caption and "P99 4000 ms" in chart.caption
    spec = json.dumps(chart.spec(palette.LIGHT))
    assert "P90 10.00" in spec and "P99" not in spec


def test_a_slow_instance_is_pointed_at(tmp_path):
    rates = (100.0, 100.0, 80.0)
    put(tmp_path, synthetic(
        placement={"processes": [{"process": 0, "instances": [{"instance": i, "cpus": [i]} for i in range(3)]}]},
        statistics={"instances": [{"instance": i, "throughput_images_per_s": rate} for i, rate in enumerate(rates)]}))
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    drawing = re.search(r"<svg[^>]*><title[^>]*>Instances.*?</svg>", page, re.S).group(0)
    assert drawing.count(">▼</text>") == 1
    assert "-20.0 % ▼" in page


def test_texts_of_a_result_are_neither_formulas_nor_paths(tmp_path):
    folder = tmp_path / "results"
    for number, text in enumerate((HOSTILE, HOSTILE + "$")):
        for batch in ("1", "2"):
            case = {"CUSTOMER_ENV": text, "BATCH_SIZE": batch, "CORES_PER_INSTANCE": "1"}
            put(folder, synthetic(rate=10.0 * int(batch), case=case), stamp=f"20260101-0{number}000{batch}")
    assert main(["report", str(folder), "--output", str(tmp_path / "r.html"), "--png", str(tmp_path / "png")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["png", "r.html", "results"]
    names = [path.name for path in (tmp_path / "png").iterdir()]
    maps_and_curves = [name for name in names if name.startswith(("heat-map", "curves"))]
    # Two maps and two curves, whose names are the same as far as they are kept.
    assert len(maps_and_curves) == 4 and sum(name.endswith("-2.png") for name in maps_and_curves) == 2
    assert all(len(name) < 100 and name.isascii() and not name.startswith(".") for name in names)


def test_steps_that_cannot_be_read_are_named_and_the_rest_is_drawn(tmp_path, capsys):
    put(tmp_path / "results", synthetic())
    assert main(["report", str(tmp_path / "results"), "--png", str(tmp_path / "png")]) == 0
    shown = capsys.readouterr()
    assert "its single steps cannot be read" in shown.err or "contains no steps" in shown.err
    assert not [path for path in (tmp_path / "png").glob("*") if path.name.startswith(("step-times", "instances"))]


def test_where_nothing_can_be_drawn_it_says_what_to_do_and_writes_nothing(tmp_path, monkeypatch, capsys):
    fill(tmp_path / "results")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert main(["report", str(tmp_path / "results"), "--output", str(tmp_path / "r.html"), "--png",
                 str(tmp_path / "png")]) == 3
    assert "the package vl_convert, which is not installed. Run scripts/setup.sh" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_file_is_no_folder_for_pictures(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "png").write_text("")
    assert main(["report", str(tmp_path / "results"), "--output", str(tmp_path / "r.html"), "--png",
                 str(tmp_path / "png")]) == 2
    assert "name a folder" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_what_draws_is_imported_for_charts_only(tmp_path):
    code = ("import sys; from resnet50_bench.cli.tree import main; main(sys.argv[1:]); "
            "print([m for m in ('vl_convert', 'numpy') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code, "report", str(tmp_path)],
                          env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}, capture_output=True,
                          text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
