"""The AMX emulator of tests/amx/emulator: built, its lists made, and commands run under it.

``PYTHONPATH=src:tests python3 -m support.amx_emulator ENVIRONMENT COMMAND...`` runs a command, and all that it starts,
as on a Xeon with AMX. Its speed says nothing. It needs root (mounts of its own), gcc with binutils, AVX-512 with VNNI,
and programs that are linked with glibc at run time. The /etc that they see is without other mounts below it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnet50_bench.files import locked
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.stack import user_cache
from support import amx_sites

SOURCES = Path(__file__).parents[1] / "amx/emulator"
NAME = "Intel(R) Xeon(R) Platinum 8480+ EMULATED"
NEEDED_FLAGS = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "fma")
_IDENTITY = {"vendor_id": "GenuineIntel", "cpu family": "6", "model": "143", "model name": NAME, "stepping": "8",
             "microcode": "0x2b0004d0"}
_AMDS_OWN = {"svm", "sse4a", "misalignsse", "3dnowprefetch", "osvw", "topoext", "clzero", "xsaveerptr", "cmp_legacy",
             "cr8_legacy", "fxsr_opt", "mmxext", "vmmcall", "extd_apicid"}
_CLAIMED = ("avx_vnni", "avx512_fp16", "amx_bf16", "amx_tile", "amx_int8")
#: In a mount namespace of its own. Where there is no /etc/ld.so.preload to mount over, a layer on /etc has it.
_ENTER = """set -eu
mount --bind "$1/cpuinfo" /proc/cpuinfo
if [ -e /etc/ld.so.preload ]; then mount --bind "$1/etc/ld.so.preload" /etc/ld.so.preload
else mount -t overlay overlay -o "lowerdir=$1/etc:/etc" /etc; fi
shift
exec "$@"
"""


class Unavailable(Exception):
    """Why commands cannot be run under the emulator here."""


def why_not() -> str | None:
    """None where the emulator can be used."""
    missing = [flag for flag in NEEDED_FLAGS if flag not in read_cpu().flags]
    if missing:
        return f"the emulator of AMX needs {' '.join(missing)}, which this CPU lacks"
    lacking = [program for program in ("gcc", "make", "objdump", "nm", "unshare") if not shutil.which(program)]
    if lacking:
        return f"the emulator of AMX needs {' '.join(lacking)}: apt-get install gcc make binutils util-linux"
    return None if os.geteuid() == 0 else "the emulator of AMX needs root: it mounts its own /proc/cpuinfo and /etc"


def cpuinfo(text: str) -> str:
    """/proc/cpuinfo of this machine -> the same with the identity and the AMX flags of the emulated Xeon."""
    lines = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        key = name.strip()
        if key == "flags":
            kept = [flag for flag in value.split() if flag not in _AMDS_OWN]
            value = " " + " ".join([*kept, *(flag for flag in _CLAIMED if flag not in kept)])
        lines.append(f"{name}{colon}{' ' + _IDENTITY[key] if key in _IDENTITY else value}")
    return "\n".join(lines) + "\n"


def build() -> Path:
    """The folder in the user's cache with the library, its unit test and the lists. Raises Unavailable."""
    sources = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        sources.update(path.name.encode() + b"\0" + path.read_bytes())
    top = user_cache.folder() / "amx-emulator"
    made = top / sources.hexdigest()[:12]
    (top / "sites").mkdir(parents=True, exist_ok=True)
    made.mkdir(exist_ok=True)
    with locked(top, wait=lambda: None):
        done = subprocess.run(["make", "--silent", "-C", SOURCES, f"OUT={made}"], capture_output=True, text=True,
                              check=False)
    if done.returncode != 0:
        raise Unavailable(f"the emulator of AMX cannot be built: {done.stderr.strip()[-1000:]}")
    return made


@dataclass(frozen=True)
class Emulator:
    """What commands run under; ``folder`` holds the library, its lists and its log."""

    folder: Path

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """``words`` in a mount namespace of its own, where every program sees AMX."""
        return ["unshare", "--mount", "--propagation", "private", "bash", "-c", _ENTER, "amx-emulator",
                str(self.folder), *map(str, words)]

    @property
    def log(self) -> str:
        """What the emulator did: libraries patched, the first product of each kind, and INVALID for what went wrong."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def assert_used(self) -> None:
        """Products were emulated, and nothing went wrong."""
        assert re.search(r": first tdp", self.log), f"nothing was emulated: {self.log}"
        assert "INVALID" not in self.log, self.log


def emulator(folder: Path, environments: Sequence[Path]) -> Emulator:
    """One for programs of these virtual environments, in ``folder``, an empty one. Raises Unavailable."""
    why = why_not()
    if why:
        raise Unavailable(why)
    built = build()
    lists = built.parent / "sites"
    with locked(lists, wait=lambda: None):
        for environment in environments:
            amx_sites.write_lists(environment, lists)
    library = folder / "libamxemulator.so"
    shutil.copy(built / library.name, library)
    shutil.copytree(lists, folder / "sites")
    (folder / "cpuinfo").write_text(cpuinfo(Path("/proc/cpuinfo").read_text()))
    (folder / "log").touch()
    (folder / "log").chmod(0o666)
    (folder / "etc").mkdir()
    others = Path("/etc/ld.so.preload")
    (folder / "etc/ld.so.preload").write_text((others.read_text() if others.exists() else "") + f"{library}\n")
    return Emulator(folder)


def main(words: Sequence[str]) -> int:
    """Run a command; its status."""
    if len(words) < 2:
        print("usage: python3 -m support.amx_emulator ENVIRONMENT COMMAND...", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = emulator(Path(folder), [Path(words[0])])
        except Unavailable as error:
            print(error, file=sys.stderr)
            return 77
        status = subprocess.run(made.command(words[1:]), check=False).returncode
        print(f"{shlex.join(words[1:])}: status {status}\n{made.log}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
