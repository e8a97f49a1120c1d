"""The colours of the report, by name: for a light and a dark screen as CSS, and as they are for pictures.

tests/test_report.py checks that every pair of ink and ground has a contrast of 4.5 or more.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Colours of a heat map from worst to best, and colours of lines and instances.
STEPS, COLOURS = 7, 8
Palette = Mapping[str, str]

LIGHT: Palette = {
    "page": "#ffffff", "card": "#f6f8fa", "text": "#1b1f24", "quiet": "#57606a", "border": "#c3cad2",
    "link": "#0b5cad", "good": "#116329", "good-back": "#dafbe1", "warn": "#754800", "warn-back": "#fff4d1",
    "bad": "#a40e26", "bad-back": "#ffebe9", "unsure": "#414a53", "unsure-back": "#e4e8ec", "grid": "#d9dee4",
    "ink": "#ffffff",
    "c0": "#0b5cad", "c1": "#9a3412", "c2": "#116f4e", "c3": "#7c3aed", "c4": "#9d174d", "c5": "#0e6f87",
    "c6": "#7d490b", "c7": "#475569",
    "h0": "#eef4fb", "h1": "#d3e4f5", "h2": "#b1d0ee", "h3": "#8dbbe6", "h4": "#2f74b5", "h5": "#165a99",
    "h6": "#0a3f73", "low-ink": "#10202f", "high-ink": "#ffffff"}
DARK: Palette = {
    "page": "#0f1419", "card": "#171d24", "text": "#e6edf3", "quiet": "#9fabb8", "border": "#3a4653",
    "link": "#79bdff", "good": "#7ee2a0", "good-back": "#12301d", "warn": "#f2cc60", "warn-back": "#35290a",
    "bad": "#ffa198", "bad-back": "#3d1418", "unsure": "#c3ccd6", "unsure-back": "#2a333d", "grid": "#2b343e",
    "ink": "#0f1419",
    "c0": "#6cb6ff", "c1": "#ffa76b", "c2": "#5fd6a2", "c3": "#c3a6ff", "c4": "#ff9ac1", "c5": "#67d4e6",
    "c6": "#e3c35a", "c7": "#b6c2cf",
    "h0": "#16222e", "h1": "#1a324a", "h2": "#1f4466", "h3": "#265781", "h4": "#6cb0ea", "h5": "#96caf7",
    "h6": "#c4e3ff", "low-ink": "#ffffff", "high-ink": "#07131f"}
#: CSS variables for charts in the page. The browser inserts the scheme's colours, on paper the light ones.
VARIABLES: Palette = {name: f"var(--{name})" for name in LIGHT}
#: A picture stands on paper, not on a card.
PICTURE: Palette = {**LIGHT, "card": LIGHT["page"]}


def style() -> str:
    """The variables as CSS."""
    return (f":root {{ color-scheme: light dark; {_variables(LIGHT)} }}\n"
            f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}\n")


def _variables(colours: Palette) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
