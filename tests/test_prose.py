"""The pages that users read are in plain English, as far as a machine can tell."""

from __future__ import annotations

import pytest

from support.pages import PAGES
from support.prose import faults, sentences

MARKDOWN = [page for page in PAGES if page.suffix == ".md" and page.name != "commands.md"]


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: "/".join(page.parts[-2:]))
def test_a_page_is_plain_english(page):
    assert faults(page.read_text(), names_tests=page.name == "CONTRIBUTING.md") == []


def test_sentences_are_found_in_text_lists_and_tables_and_not_in_code():
    page = ("# A head\n\nOne. Two `x. Y` [three](x.md)!\n\n- Four\n  five\n\n| six | Seven. Eight |\n| --- | --- |\n\n"
            "```\nNo. No\n```\n")
    assert [*sentences(page)] == ["A head", "One.", "Two `____` three!", "Four five", "six", "Seven.", "Eight"]


@pytest.mark.parametrize("text", ["Measured by turns.", "Status shows how they fare.", f"It has {'many ' * 30}words.",
                                  "`test_that_it_runs` shows it.", "See `src/resnet50_bench/files.py`."])
def test_what_a_reader_stumbles_over_is_found(text):
    assert len(faults(text)) == 1
