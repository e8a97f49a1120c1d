"""The scripts that users type, as processes: they refuse as the commands do, and say which Python they need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def test_the_real_scripts_refuse_too(tmp_path):
    root = Path(__file__).parents[2]
    kept = {name: text for name, text in os.environ.items() if name in ("PATH", "HOME", "XDG_CACHE_HOME")}
    for script, words in (("ctest.sh", ["-N", "--batchsize=8"]), ("ctest.sh", ["--lop", "3"]),
                          ("ctest.sh", ["--gat", "references.yaml"]),
                          ("ctest.sh", ["--testcase", "X", "-R", "training"]),
                          ("list-kpi.sh", ["--al"]), ("build.sh", ["--bmo"])):
        done = subprocess.run([root / script, *words], cwd=tmp_path, capture_output=True, text=True, check=False,
                              env=kept | {"RESNET50_BENCH_BUILD": str(tmp_path / "build")})
        named = words[-1] if script != "ctest.sh" else next(w for w in reversed(words) if w.startswith("-"))
        assert done.returncode == 2 and named.partition("=")[0] in done.stderr and not done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_scripts_work_through_symbolic_links_and_say_which_python_they_need(tmp_path):
    root = Path(__file__).parents[2]
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "env", "dirname", "readlink"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    for name in ("resnet50-bench.sh", "setup.sh"):
        link = tmp_path / name
        link.symlink_to(root / "scripts" / name)

        def call(path: str, link: Path = link) -> tuple[int, str]:
            done = subprocess.run([link, "--nix"], capture_output=True, text=True, check=False,
                                  env={"PATH": path, "HOME": str(tmp_path)})
            return done.returncode, done.stderr

        (tools / "python3").unlink(missing_ok=True)
        status, said = call(os.environ["PATH"])
        assert status == 2 and said.startswith("error: --nix is not an option")
        status, said = call(str(tools))
        assert status == 3 and "error: python3 of 3.10 or newer is needed (there is none): apt-get" in said
        (tools / "python3").write_text('#!/usr/bin/env bash\n[ "$1" = --version ] && echo "FAKE 3.6"\n')
        (tools / "python3").chmod(0o755)
        status, said = call(str(tools))
        assert status == 3 and "(FAKE 3.6)" in said and len(said.splitlines()) == 1
