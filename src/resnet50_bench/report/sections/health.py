"""Each result's verdict, its checks, and their remedies."""

from __future__ import annotations

from collections.abc import Sequence

from ...history.collection import Entry
from ...result.records import Check, Verdict
from ..drawing import Gallery
from ..markup import Html, el, fold, join, short, when
from . import Results, Section

#: verdict -> (sign, so that colour is not the only thing that tells them apart)
SIGNS = {"valid": "✓", "noisy": "≈", "invalid": "✕", "failed": "✕", "ok": "✓", "unknown": "?", "note": "i"}
_OPEN_UP_TO = 12
_WORST_FIRST = (Verdict.INVALID, Verdict.NOISY, Verdict.NOTE, Verdict.UNKNOWN)


def badge(word: str) -> Html:
    """A verdict as a word with sign and colour."""
    kind = word if word in SIGNS else "unknown"
    return el("span", el("span", SIGNS[kind], aria_hidden="true"), f" {word}", class_=f"badge {kind}")


def _inside(results: Results, _: Gallery) -> Sequence[Html]:
    """A fold for each result, below one for each case; a result's row in the table links to its fold."""
    cases: dict[str, list[tuple[int, Entry]]] = {}
    for index, entry in enumerate(results.entries):
        cases.setdefault(entry.case, []).append((index, entry))
    folds = []
    few = len(results.entries) <= _OPEN_UP_TO
    for case, runs in cases.items():
        words = [entry.outcome for _, entry in runs]
        counts = [f"{words.count(word)} {word}" for word in ("failed", "invalid", "noisy", "valid") if word in words]
        folds.append(fold(join((el("b", case), f" – {', '.join(counts)}")), *(_result(*run, few) for run in runs),
                          class_="case", open=few))
    return folds


def _result(index: int, entry: Entry, few: bool) -> Html:
    checks = entry.result.checks
    bad = [check for check in checks if check.verdict is not Verdict.OK]
    fine = [check for check in checks if check.verdict is Verdict.OK]
    inside: list[Html] = []
    if entry.failure is not None:
        inside.append(el("p", el("b", "Why it failed: "), entry.failure))
    elif not entry.primary:
        inside.append(el("p", el("b", "Why it has no KPI: "), entry.unusable))
    inside += [_check(check) for check in sorted(bad, key=lambda check: _WORST_FIRST.index(check.verdict))]
    if fine:
        inside.append(el("p", badge("ok"), f" {len(fine)}: ",
                         "; ".join(f"{check.name} ({check.reading})" for check in fine), class_="fine"))
    if not checks:
        inside.append(el("p", "No checks were made.", class_="hint"))
    parameters = [f"{name}={value}" for name, value in entry.result.parameters().items() if value]
    inside += [el("p", "Parameters: ", " ".join(parameters), class_="fine"),
               el("p", f"File: {entry.path}", class_="fine")]
    iteration = f", iteration {entry.iteration}" if entry.iteration else ""
    kpi = f"{short(entry.primary[2])} {entry.primary[1]}" if entry.primary else "no KPI"
    worst = ", ".join(check.name for check in bad if check.verdict in (Verdict.NOISY, Verdict.INVALID))
    title = join((badge(entry.outcome), f" {when(entry.started_at)}{iteration}, batch "
                  f"{entry.result.parameter('BATCH_SIZE') or '?'}, {kpi}{': ' * bool(worst)}{worst}"))
    return fold(title, *inside, id=f"r{index}", class_="result", open=few and entry.outcome != "valid")


def _check(check: Check) -> Html:
    parts: list[object] = [badge(check.verdict.value), " ", el("b", check.name), ": ", check.reading]
    if check.message:
        parts.append(f" – {check.message}")
    if check.remedy:
        parts.append(el("span", el("b", "What to do: "), check.remedy, class_="remedy"))
    return el("div", *parts, class_="check")


SECTION = Section(80, "health", "Health", _inside, "Health of each result",
                  "What was checked, and what to do about each problem.")
