"""Results -> one HTML page that contains its style and script, and refers to no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from ..history.collection import Entry
from ..spelling import plural
from . import palette
from .drawing import Gallery
from .markup import Html, el
from .sections import Results, sections

_HERE = Path(__file__).parent


def page(entries: Sequence[Entry], left_out: list[str], title: str, gallery: Gallery | None = None) -> str:
    """The page about ``entries`` (the newest first). ``left_out`` names the unusable files.

    Its charts are then in ``gallery``.
    """
    gallery = gallery if gallery is not None else Gallery()
    results = Results(entries, left_out)
    shown = {section: html for section in sections() if (html := section.html(results, gallery))}
    links = [el("li", el("a", section.title, href=f"#{section.name}")) for section in shown]
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    rest = el("section", el("h2", "Left out"), el("ul", *(el("li", reason) for reason in left_out)), id="left-out")
    script = (_HERE / "script.js").read_text(encoding="utf-8")
    body = el("body", el("a", "Skip to the results", href="#results", class_="skip"),
              el("header", el("h1", title), el("p", f"{plural(len(entries), 'result')}; made {now}", class_="hint"),
                 el("nav", el("ul", *links), aria_label="Sections")),
              el("main", *shown.values(), rest if left_out else ""), el("script", Html(script)))
    text = f"<!DOCTYPE html>\n{el('html', _head(title, script), body, lang='en')}\n"
    # Names of files, and JSON, may contain what no text file can.
    return text.encode("utf-8", "replace").decode()


def _head(title: str, script: str) -> Html:
    """The page's head. Only this ``script`` may run: code injected by a result would not have its hash."""
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script_hash}'; img-src data:; "
              "base-uri 'none'; form-action 'none'")
    style = palette.style() + (_HERE / "style.css").read_text(encoding="utf-8")
    return el("head", el("meta", charset="utf-8"),
              el("meta", http_equiv="Content-Security-Policy", content=Html(policy)),
              el("meta", name="viewport", content="width=device-width, initial-scale=1"),
              el("meta", name="color-scheme", content="light dark"), el("link", rel="icon", href="data:,"),
              el("title", title), el("style", Html(style)))
