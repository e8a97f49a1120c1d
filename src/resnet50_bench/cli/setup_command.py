"""``setup``: set up or list the environments that measure."""

from __future__ import annotations

import os

from ..arguments import Parser
from ..case import engines
from ..errors import BadInput
from ..stack import say, stacks
from ..stack.environment import StackChoice
from ..stack.native_libraries import set_up_native_libraries
from ..tables import aligned


def parser() -> Parser:
    options = Parser("resnet50-bench setup", "Install a PyTorch stack in a virtual environment, jemalloc and numactl. "
                     "No other command installs anything.", "scripts/setup.sh --stack current")
    what = options.add_mutually_exclusive_group()
    what.add_argument("--stack", metavar="NAME", help=f"the stack: {', '.join(stacks.STACKS)} (default: "
                                                      f"RESNET50_BENCH_STACK, else {stacks.DEFAULT})")
    what.add_argument("--host", action="store_true",
                      help="install only what list, compare and report need, for a host that does not measure")
    what.add_argument("--list", action="store_true", help="list all stacks, and the sizes of the installed ones")
    what.add_argument("--native-libraries", action="store_true", help="install only jemalloc and numactl")
    what.add_argument("--print-python", action="store_true",
                      help="print the path of the Python that runs the measurements")
    options.add_argument("--tools", action="store_true", help="also install the test tools, and print the Python")
    return options


def main(argv: list[str]) -> int:
    """Set up a stack, the host's small environment or the native libraries; or list the stacks. Raises BadInput."""
    options = parser().parse_args(argv)
    for name in ("list", "print_python", "native_libraries", "host"):
        if options.tools and getattr(options, name):
            raise BadInput(f"--tools and --{name.replace('_', '-')} exclude each other: the test tools go into a "
                           "stack's environment")
    choice = StackChoice.of(os.environ)
    if options.list:
        print(*_table(choice), sep="\n")
    elif options.print_python:
        print(choice.worker_python())
    elif options.native_libraries:
        set_up_native_libraries()
    elif options.host:
        say(f"ready: {choice.set_up_host()}")
    else:
        stack = stacks.named(options.stack, "--stack") if options.stack else choice.chosen()
        python = choice.set_up(stack, options.tools)  # first: what it refuses shall leave the machine as it was
        set_up_native_libraries()
        say(f"ready: {python}")
        if options.tools:
            print(python)
    return 0


def _table(choice: StackChoice) -> list[str]:
    rows = [("STACK", "SIZE", "ENGINES", "PURPOSE"),
            *((stack.name, _size(stack.name, choice), " ".join(engines.of_stack(stack.name)), stack.purpose)
              for stack in stacks.STACKS.values()),
            ("host", _size("host", choice), "-", "only to list, compare and report; without PyTorch")]
    return aligned(rows, left=(0, 2, 3))


def _size(name: str, choice: StackChoice) -> str:
    if not choice.is_set_up(name):
        return "not set up"
    return f"{sum(path.lstat().st_blocks * 512 for path in choice.folder(name).rglob('*')) / 1e9:.1f} GB"
