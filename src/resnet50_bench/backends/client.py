"""A command that has something made elsewhere (sbatch a job, docker a container) -> its answer, heard out."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Mapping, Sequence


def heard_out(command: Sequence[str], undo: Callable[[str], None],
              patience_s: float | None = None,
              environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Its status and what it printed; ``environment`` takes the place of this process's.

    Where a signal comes in the middle or ``patience_s`` is over (TimeoutExpired), it is heard out all the same,
    and ``undo`` gets the number that it printed: nothing that was made is left.
    """
    # In a session of its own Ctrl-C does not reach it, so what it has made is always known here.
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=environment, start_new_session=True)
    try:
        out, err = client.communicate(timeout=patience_s)
    except BaseException:
        with contextlib.suppress(subprocess.TimeoutExpired):
            out, _ = client.communicate(timeout=patience_s)
            if out:
                undo(out.strip())
        client.kill()
        client.communicate()
        raise
    return subprocess.CompletedProcess(command, client.returncode, out, err)
