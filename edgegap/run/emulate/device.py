"""An emulated board as a device: a process on this machine, by another interpreter."""

from __future__ import annotations

from edgegap.run.emulate.emulation import Emulation
from edgegap.run.local import Local
from edgegap.run.target import Target


def emulated(target: Target) -> Local:
    """The emulated board of a target. Its results are those of the real kernels; its times mean nothing.

    Raises:
        SettingsError: the target has no emulator.
        DeviceError: the emulator is not set up.
    """
    emulation = Emulation(target)
    emulation.require()
    return Local(target=target.name, place=f"emulated {target.name}", python=emulation.python)
