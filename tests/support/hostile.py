"""Texts that some reader on the way to the runner may take for its own words; the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator

LETTERS = "aZ9 \t\n\"'`$\\(){}[];&|<>*?!#~%=,:@/-\x01\x7fé€𝄞\u2028"


def values(count: int = 200) -> list[str]:
    """The same ones each time."""
    random_ = random.Random(15)
    fixed = ["$(touch /tmp/x)", "a'b", 'a"b', "a\nb", "-e X=1", "--privileged", "%20", "$HOME", "A=1,B=2", "a\\", "é"]
    return fixed + ["x" + "".join(random_.choices(LETTERS, k=random_.randint(1, 40)))
                    for _ in range(count - len(fixed))]


def parameters(seed: int, count: int) -> Iterator[dict[str, str]]:
    """Texts of CUSTOMER_ENV and DATASET from signs that some reader on the way may take for its own."""
    pieces = ["$(id)", "`id`", "${HOME}", "$HOME", "$$", "$(MODE)", "\\", "\\n", "'", '"', "$'x'", ";id", "&", "|",
              ">f", "<f", "*", "?", "[a]", "{a,b}", "!", "#", "%", "%s", "~", ",", "(", ")", "options:", "image:",
              " options: X=x", "%20Y=y", " --owner=root", "--owner=root", "- name: Z", "value: v", ":", "{{x}}", "{%",
              "\t", "\n", "\x07", "\x85", "\xa0", "\u2028", "é", "€", "\U0001f600", "\udcff", "include(/etc/passwd)",
              "dnl", "changequote", "define(`A',`B')", "esyscmd(`id')", "K_MODE", "PLATFORM", "IMAGENAME", "-e", "=",
              "a", "0", "null", "---", "^", "]]", "\\x41", "$1", ",(),", "defn", "eval(1+1)", " #x=1", " -DK_MODE=x"]
    rng = random.Random(seed)
    for _ in range(count):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 4)))
        yield {"CUSTOMER_ENV": "A=1 B=" + text} if rng.random() < 0.6 else {"DATASET": "/data/" + text}
