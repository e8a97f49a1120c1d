"""The scripts of the images' stages as a build runs them, against a FAKE server that breaks off."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTENT = bytes(range(256)) * 4000
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]
NAME = f"resnet50-{DIGITS}.pth"

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


class Server(ThreadingHTTPServer):
    """Sends ``CONTENT``, at most ``most`` bytes of it a request; with ``ranges`` it can begin in the middle."""

    def __init__(self, most: int = len(CONTENT), ranges: bool = True, status: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.most, self.ranges, self.status = most, ranges, status
        self.firsts: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(asked.group(1)) if asked and self.server.ranges else 0
        self.server.firsts.append(int(asked.group(1)) if asked else 0)
        beyond = first >= len(CONTENT)
        self.send_response(self.server.status or (416 if beyond else 206 if first else 200))
        self.send_header("Content-Length", str(len(CONTENT) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(CONTENT[first:first + self.server.most])

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def serve():
    made = []

    def start(**what) -> Server:
        made.append(Server(**what))
        return made[-1]

    yield start
    for server in made:
        server.shutdown()
        server.server_close()


def fetch(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    (folder / "assets").mkdir(exist_ok=True)
    return subprocess.run(
        [ROOT / "scripts/fetch-weights.sh", folder / "assets", folder / "out"], capture_output=True, text=True,
        check=False, env=os.environ | {"WITH_WEIGHTS": "yes", "RESNET50_WEIGHTS_VER": NAME, "FETCH_PAUSE_S": "0",
                                       "RESNET50_WEIGHTS_REPO": url})


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path, serve):
    server = serve(most=400_000)
    done = fetch(tmp_path, server.url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / NAME).read_bytes() == CONTENT
    assert server.firsts == [0, 400_000, 800_000]


def test_where_nothing_comes_any_more_it_ends_and_says_so(tmp_path, serve):
    server = serve(most=0)
    done = fetch(tmp_path, server.url)
    assert done.returncode == 1 and len(server.firsts) == 5
    assert f"error: {server.url} cannot be fetched (curl ended with 18" in done.stderr
    assert not (tmp_path / "out" / NAME).exists() and not (tmp_path / "assets" / NAME).exists()


@pytest.mark.parametrize(("there", "ranges"), [(1000, False), (len(CONTENT) + 5, True)],
                         ids=["no ranges", "more than there is"])
def test_where_a_server_cannot_go_on_it_begins_anew(tmp_path, serve, there, ranges):
    server = serve(ranges=ranges)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / f"{NAME}.partial").write_bytes(b"x" * there)
    done = fetch(tmp_path, server.url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / NAME).read_bytes() == CONTENT and server.firsts == [there, 0]


def test_what_the_server_refuses_is_asked_for_once(tmp_path, serve):
    server = serve(status=404)
    done = fetch(tmp_path, server.url)
    assert done.returncode == 1 and len(server.firsts) == 1
    assert f"error: {server.url} cannot be fetched" in done.stderr and "HTTP 404" in done.stderr


@pytest.mark.parametrize("name", ["Dockerfile.2.model", "Dockerfile.4.dataset"])
def test_a_stage_that_fetches_has_the_script_for_it(name):
    assert re.search(r"^COPY scripts/fetch-\w+\.sh scripts/fetch\.sh ", (ROOT / name).read_text(), re.M)


def test_a_containers_console_log_is_whole_when_it_is_packed(tmp_path):
    (tmp_path / "run_test.sh").write_text("#!/bin/sh\nseq 1 50000\nexit 3\n")
    (tmp_path / "run_test.sh").chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    # A slow tee, as on a slow disk: what it has not written yet must not be missing.
    (tools / "tee").write_text('#!/bin/sh\nall=$(cat)\nsleep 0.5\necho "$all" > "$1"\n')
    (tools / "sleep").write_text('#!/bin/sh\n[ "$1" = infinity ] || exec /bin/sleep "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    script = tmp_path / "main.sh"
    text = (ROOT / "scripts/container-main.sh").read_text()
    script.write_text(text.replace("/opt/resnet50/", f"{tmp_path}/").replace("/export-logs", f"{tmp_path}/logs.tar"))
    subprocess.run(["bash", script], cwd=tmp_path, env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
                   timeout=60, check=True)
    packed = subprocess.run(["tar", "xOf", tmp_path / "logs.tar", "./console.log"], capture_output=True, text=True,
                            check=True).stdout
    assert packed.splitlines()[-1] == "50000"
    assert subprocess.run(["tar", "xOf", tmp_path / "logs.tar", "status"], capture_output=True, text=True,
                          check=True).stdout == "3\n"
