"""Ctrl-C and SIGTERM at any moment: one KeyboardInterrupt, which neither a library nor a second signal can spoil."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time

_SAME = 1.0
"""Seconds in which further signals mean the first: timeout sends two, to the process and to its group, and the second
must not break off the cleaning up after the first."""


class Interrupt:
    """A signal handler that raises KeyboardInterrupt.

    Attributes:
        came: whether a signal came. An error after that is most likely what a compiled module made of the interrupt.
    """

    def __init__(self) -> None:
        self.came = False
        self._last = -math.inf

    def install(self) -> None:
        """Handle SIGINT and SIGTERM alike in this process from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._raise)
        sys.unraisablehook = self._again

    def _raise(self, number: int, frame: object) -> None:
        del number, frame
        self.came = True
        now = time.monotonic()
        if now - self._last > _SAME:
            self._last = now
            raise KeyboardInterrupt

    def _again(self, ignored: sys.UnraisableHookArgs) -> None:
        """Python ignores what the callback of a weak reference raises, and imports have many: raise it again later."""
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(ignored)
            return
        self._last = -math.inf
        threading.Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
