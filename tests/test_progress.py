"""What a user sees while a case measures: a live view on a terminal (a real pseudo-terminal), plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from resnet50_bench.launch import surroundings, window
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.launch.window import ProgressView, line
from resnet50_bench.protocol.messages import Progress as State


def state(instance: int = 0, done: int = 50, wanted: int = 200, **more: int | str) -> State:
    return State(instance, done, wanted, elapsed_s=10.0, last_ms=199.5, **more)


def test_a_line_shows_steps_rate_latency_and_the_time_left():
    assert line(state(), 8, 0) == ("instance 0: 50 of 200 steps, 25 % | 40.0 images/s | last 199.5 ms | 0:30 left")
    assert "top-1 75.00 %" in line(state(counted=4, right=3), 8, 0)
    assert "loss 1.250" in line(state(loss="1.250"), 8, 0)


def test_the_later_of_steps_and_duration_decides():
    assert "25 %" in line(state(done=200), 1, 40.0) and "0:30 left" in line(state(done=200), 1, 40.0)
    assert "left" not in line(state(done=200), 1, 0)


def test_an_instance_that_has_not_begun_shows_no_rate():
    assert line(State(0, 0, 200, 0.0, 0.0), 8, 0) == "instance 0: 0 of 200 steps"


def test_ctest_sh_reads_how_far_it_is_from_a_file_that_goes_with_the_view(tmp_path, monkeypatch):
    monkeypatch.setenv(surroundings.STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(window, "PLAIN_S", 0.0)
    shown = ProgressView(8, 0, Surroundings(os.environ))
    shown.update(state())
    assert "25 %" in (tmp_path / "state").read_text()
    shown.update(state(1, done=20))
    assert "2 instances" in (tmp_path / "state").read_text() and "10 %" in (tmp_path / "state").read_text()
    shown.close()
    assert not (tmp_path / "state").exists()
    (tmp_path / "gone").mkdir()
    monkeypatch.setenv(surroundings.STATE_VARIABLE, str(tmp_path / "gone/state"))
    shown = ProgressView(8, 0, Surroundings(os.environ))
    (tmp_path / "gone").rmdir()
    shown.update(state())  # ctest.sh has ended, the case goes on
    shown.close()


def test_elsewhere_plain_lines_come_now_and_then(capsys, monkeypatch):
    monkeypatch.delenv(surroundings.TERMINAL_VARIABLE, raising=False)
    shown = ProgressView(8, 0, Surroundings(os.environ))
    assert shown.every_s == window.PLAIN_S
    shown.update(state())
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(shown, "_shown", shown._shown - window.PLAIN_S)
    shown.update(state(1, counted=10, right=5))
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "2 instances: 80.0 images/s | top-1 50.00 %; the last is instance 0" in out
    assert "\x1b" not in out


def test_a_terminal_that_ctest_named_gets_a_view_that_goes_away(monkeypatch, capsys):
    reader, writer = pty.openpty()
    monkeypatch.setenv(surroundings.TERMINAL_VARIABLE, os.ttyname(writer))
    shown = ProgressView(8, 0, Surroundings(os.environ))
    assert shown.every_s == window.LIVE_S
    for number in (0, 1, 0, 1):
        shown.update(state(number))
    shown.close()
    written = ""
    while not written.endswith("\x1b[J"):  # the kernel hands a terminal's text on in pieces, and not at once
        written += os.read(reader, 100_000).decode()
    for end in (reader, writer):
        os.close(end)
    shown._terminal.close()
    assert "instance 0: 50 of 200" in written and "instance 1: 50 of 200" in written
    assert written.endswith("\x1b[2F\x1b[J")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("named", ["/nowhere/at/all", ""])
def test_a_terminal_that_is_gone_is_no_failure(monkeypatch, named):
    monkeypatch.setenv(surroundings.TERMINAL_VARIABLE, named)
    assert not sys.stdout.isatty() and ProgressView(1, 0, Surroundings(os.environ)).every_s == window.PLAIN_S


def test_runs_at_once_do_not_share_a_terminal():
    assert Surroundings({surroundings.TERMINAL_VARIABLE: "/dev/tty"}).terminal == "/dev/tty"
    assert Surroundings({surroundings.TERMINAL_VARIABLE: "/dev/tty"}, burst=2).terminal is None
