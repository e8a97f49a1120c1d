#!/usr/bin/env python3
"""Are equal things called equal, and is a step that lasts 5 % longer found? Real runs, each in fresh processes.

    python3 benchmarks/equal_and_slower.py FOLDER --runs 40 --trials 10 -- --precision=avx_int8 --batch_size=4 ...

(a) A/A: ``--runs`` runs of one case; ``--draws`` random draws of 5 runs a side, and all single pairs, judged by
``compare``: the share called faster or slower. (b) A/B: ``--trials`` times ``versus`` of the case against itself with a
busy wait in each step, calibrated by the median step of (a): the share found, and the rounds needed. The same FOLDER
goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from resnet50_bench.history import collection, comparison  # noqa: E402

SIDE = 5


def passed(folder: Path) -> dict | None:
    """The result in a folder, where it passed."""
    for path in folder.glob("benchmark_*.json"):
        result = json.loads(path.read_text())
        if result["failure"] is None:
            return result
    return None


def equal_runs(folder: Path, count: int, flags: list[str]) -> list[dict]:
    """``count`` results of the case; those that are there are not measured again."""
    results = []
    for number in range(1, count + 1):
        place = folder / f"run-{number:03}"
        place.mkdir(parents=True, exist_ok=True)
        result = passed(place)
        if result is None:
            subprocess.run([ROOT / "run_test.sh", *flags], cwd=place, stdout=subprocess.DEVNULL, check=True)
            result = passed(place)
        results.append(result)
        print(f"run {number}/{count}: {result['statistics']['throughput_images_per_s']:.2f} images/s, "
              f"{result['verdict']}", flush=True)
    return results


def called_different(sides: list[tuple[list, list]]) -> tuple[int, list[str]]:
    """(of how many pairs of sides ``compare`` says faster or slower, its words)."""
    said = [comparison.verdict(comparison.measure(*each)) for each in sides]
    wrong = [text for text in said if text.startswith("B is ")]
    return len(wrong), wrong


def report_equal(folder: Path, draws: int) -> None:
    """Judge draws of the runs against each other."""
    entries = [entry for entry in collection.find([folder]) if entry.primary]
    dice = random.Random(1)
    fives = []
    for _ in range(draws):
        drawn = dice.sample(entries, 2 * SIDE)
        fives.append((drawn[:SIDE], drawn[SIDE:]))
    singles = [([a], [b]) for a, b in itertools.combinations(entries, 2)]
    for what, sides in ((f"{SIDE} runs a side", fives), ("single runs", singles)):
        wrong, said = called_different(sides)
        print(f"A/A, {what}: {wrong} of {len(sides)} comparisons ({100 * wrong / len(sides):.1f} %) say faster or "
              "slower" + (f", such as: {said[0]}" if said else ""), flush=True)


def trial(folder: Path, wait_ns: int, rounds: int, seed: int, flags: list[str]) -> dict:
    """What ``versus`` comes to."""
    done = folder / "outcome-printed.json"
    if not done.exists():
        own = ["--a", "", "--b", f"CUSTOMER_ENV=SLOWER_STEP_NS={wait_ns}", "--seed", str(seed), *flags]
        known = (folder / "versus.json").exists()
        path = os.pathsep.join([str(ROOT / "benchmarks/slower_step"), *filter(None, [os.environ.get("PYTHONPATH")])])
        said = subprocess.run([ROOT / "scripts/resnet50-bench.sh", "versus", "--folder", folder, "--json", "--rounds",
                               str(rounds), *([] if known else own)],
                              env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=True).stdout
        done.write_text(said)
    return json.loads(done.read_text())


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     epilog="After -- stand the flags of run_test.sh.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=21, help="of a trial, at most")
    parser.add_argument("--slower", type=float, default=5.0, help="by how many %% a step lasts longer")
    words, flags = sys.argv[1:], []
    if "--" in words:
        words, flags = words[:words.index("--")], words[words.index("--") + 1:]
    given = parser.parse_args(words)
    if given.runs < 2 * SIDE:
        parser.error(f"--runs: at least {2 * SIDE}")
    results = equal_runs(given.folder / "equal", given.runs, flags)
    rates = [result["statistics"]["throughput_images_per_s"] for result in results]
    print(f"A/A: median {statistics.median(rates):.2f} images/s ({min(rates):.2f} to {max(rates):.2f}), standard "
          f"deviation {100 * statistics.stdev(rates) / statistics.fmean(rates):.2f} %")
    report_equal(given.folder / "equal", given.draws)
    step_ns = statistics.median(statistics.median(e - s for s, e in zip(run["starts_ns"], run["ends_ns"], strict=True))
                                for result in results for report in result["processes"] for run in report["runs"])
    wait_ns = round(step_ns * given.slower / 100)
    print(f"A/B: {wait_ns / 1e6:.3f} ms more in a step of {step_ns / 1e6:.3f} ms", flush=True)
    found, rounds, ratios = 0, [], []
    for number in range(1, given.trials + 1):
        outcome = trial(given.folder / f"slower-{given.slower:g}" / f"trial-{number:02}", wait_ns, given.rounds, number,
                        flags)
        pair, = outcome["pairs"]
        found += pair["verdict"] == "slower"
        rounds.append(len(outcome["rounds"]))
        ratios.append(pair["ratio"])
        print(f"trial {number}/{given.trials}: after {rounds[-1]} rounds: {pair['text']}", flush=True)
    if ratios:
        print(f"A/B: found in {found} of {given.trials} trials ({100 * found / given.trials:.0f} %); rounds: median "
              f"{statistics.median(rounds):g} ({min(rounds)} to {max(rounds)}); B/A: median "
              f"{statistics.median(ratios):.4f} ({min(ratios):.4f} to {max(ratios):.4f}), true "
              f"{1 / (1 + given.slower / 100):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
