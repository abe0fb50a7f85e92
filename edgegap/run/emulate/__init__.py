"""Boards that are emulated: QEMU's user mode, a Debian root of the board's architecture, and real wheels."""

from edgegap.run.emulate.device import emulated
from edgegap.run.emulate.instructions import Counts, count_instructions
from edgegap.run.emulate.setup import is_set_up, set_up

__all__ = ["Counts", "count_instructions", "emulated", "is_set_up", "set_up"]
