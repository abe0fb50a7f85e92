"""What a check is asked for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from edgegap.run.devices import Where
from edgegap.run.job import Runtime


@dataclass(frozen=True)
class CheckSettings:
    """What a check is asked for.

    Args:
        data: DATA.
        classes: a file with the order of the classes; the bundle's own where None.
        samples: how many images, 0 for all.
        strict: a corrupt image is an error.
        threads: for each runtime.
        max_drop_pp: the gate, percentage points; None for none.
        resume: go on where an interrupted check of the same images stopped.
        where: the device that the files run on beside this machine.
        runtimes: there; the device's own where empty. On this machine, further ones.
    """

    data: str
    classes: Path | None = None
    samples: int = 0
    strict: bool = False
    threads: int = 1
    max_drop_pp: float | None = None
    resume: bool = False
    where: Where = field(default_factory=Where)
    runtimes: tuple[Runtime, ...] = ()

    def command(self, bundle: Path) -> str:
        """The command that asks for the same; hosts are left out, for a record names none."""
        words = ["edgegap", "check", str(bundle), "--data", self.data]
        words += ["--classes", str(self.classes)] if self.classes else []
        words += ["--samples", str(self.samples)] if self.samples else []
        words += ["--max-drop", f"{self.max_drop_pp:g}"] if self.max_drop_pp is not None else []
        words += [word for runtime in self.runtimes for word in ("--runtime", runtime)]
        if self.where.elsewhere:
            words += ["--target", self.where.target, *(["--emulate"] if self.where.emulate else ["--host", "HOST"])]
        return shlex.join(words)
