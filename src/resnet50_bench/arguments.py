"""argparse whose complaints are BadInput: one way to refuse a command line."""

from __future__ import annotations

import argparse

from .errors import BadInput


class Parser(argparse.ArgumentParser):
    """As argparse's, but a wrong word raises BadInput instead of ending the process."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise BadInput(f"{message}; see {self.prog} --help")
