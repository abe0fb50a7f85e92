"""The command line."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import NoReturn

__all__ = ["command", "run"]

INTERRUPTED = 130

_YOUNG = 100_000
"""Objects that Python makes before it looks for garbage among them, in place of 700. Tracing a network makes millions
that live on, and looking through them again and again takes a tenth of an export."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line, of this process or as given, and return its exit status.

    0 done; 1 a gate failed; 2 the input or the call is wrong; 3 a device, disk or runtime failed; 130 interrupted.
    """
    try:
        from edgegap.cli.main import dispatch  # noqa: PLC0415  # a slow import, in which Ctrl-C may come too

        return dispatch(arguments)
    except KeyboardInterrupt:
        print("edgegap: interrupted; nothing half-written was left behind", file=sys.stderr)
        return INTERRUPTED


def command() -> NoReturn:
    """The `edgegap` of a shell: `run`, and an end without the second or two that Python takes to take torch apart."""
    gc.set_threshold(_YOUNG, 20, 20)
    status = run()
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads it any more, or its disk is full: Python's own end says so
        sys.exit(status)
    os._exit(status)
