"""The command line."""

from __future__ import annotations

import sys

__all__ = ["run"]

INTERRUPTED = 130


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
