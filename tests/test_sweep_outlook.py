"""A sweep's line of progress: the time that is left, by a FAKE clock, and which values are means. Runs are FAKE."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from resnet50_bench.sweep import sweep
from support.fake_sweep import FakeMachine

RIVALS = ("--precision=avx2_int8", "--batch_size=16 32 64", "--cores_per_instance=2")


@pytest.fixture
def timed(fake, monkeypatch) -> FakeMachine:
    monkeypatch.setattr(sweep, "time", SimpleNamespace(monotonic=lambda: fake.now))
    return fake


def lines(capsys) -> list[str]:
    """One for each run."""
    return [line for line in capsys.readouterr().out.splitlines() if re.match(r"\[[#.]+\] ", line)]


def left_s(line: str) -> int:
    minutes, seconds = re.search(r"about (\d+):(\d\d) left", line).groups()
    return 60 * int(minutes) + int(seconds)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("flags", [RIVALS, ("--precision=avx2_int8",)], ids=["duel", "search and duel"])
def test_the_time_left_is_right_to_a_factor_of_one_and_a_half(timed, capsys, flags, spread):
    timed.spread = spread
    assert timed.sweep(*flags) == 0
    said, end = lines(capsys), timed.now
    assert len(said) == len(timed.ended_at) and len(said) > 10
    for at, line in list(zip(timed.ended_at, said, strict=True))[3:-1]:
        assert 2 / 3 <= (at + left_s(line)) / end <= 3 / 2, f"after {at:.0f} of {end:.0f} s: {line}"
    duel = [(at, line) for at, line in zip(timed.ended_at, said, strict=True) if "restarts" in line][3:-1]
    assert all(2 / 3 <= (left_s(line) + 1) / (end - at) <= 3 / 2 for at, line in duel), (end, duel)


def test_a_line_shows_its_own_run_and_marks_the_mean(timed, capsys):
    timed.spread = 0.05
    timed.sweep(*RIVALS)
    said = [line for line in lines(capsys) if "BS 64 CPI 2: " in line]
    assert [re.findall(r"mean of (\d) restarts", line.partition(" | best so far")[0]) for line in said] == [
        [], [], ["2"], ["3"], ["4"], ["5"]]
    own = [float(re.search(r"CPI 2: ([\d.]+)", line)[1]) for line in said[1:]]
    mean = [float(re.search(r"restarts ([\d.]+)", line)[1]) for line in said[2:]]
    assert mean == pytest.approx([sum(own[:count]) / count for count in (2, 3, 4, 5)], rel=1e-3)


def test_the_config_of_the_best_names_its_ties(timed, capsys):
    timed.spread = 0.1
    timed.sweep(*RIVALS)
    ties = [line for line in (timed.folder / "best.yaml").read_text().splitlines() if "no difference shown to" in line]
    assert len(ties) == 1 and len(re.findall(r"BS (16|32|64) CPI 2", ties[0])) == 2
    timed.spread, timed.folder = 0.0, timed.folder.parent / "decided"
    timed.sweep(*RIVALS)
    assert "no difference shown to" not in (timed.folder / "best.yaml").read_text()
