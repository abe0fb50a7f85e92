"""The int8 runs of a check held against each other, integer by integer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgegap.bundle import Bundle
from edgegap.check.accuracy import Row
from edgegap.check.identity import Identity, Side, compare, first_difference
from edgegap.check.images import ImageSet
from edgegap.check.loading import input_grid
from edgegap.check.runs import Run
from edgegap.check.taps import subset
from edgegap.progress import Progress
from edgegap.run import Device, Local

INT8 = "int8.onnx"
_FEW = 8
"""Images on which the first layer that differs is looked for."""


@dataclass(frozen=True)
class Comparer:
    """Compares the int8 runs of one check.

    Args:
        bundle: that is checked.
        images: that they ran on.
        devices: those beside this machine that still answer.
        folder: for files on the way.
        progress: told how far it is.
    """

    bundle: Bundle
    images: ImageSet
    devices: Sequence[Device]
    folder: Path
    progress: Progress

    def identities(self, runs: Sequence[Run], rows: Sequence[Row], own: int) -> list[Identity]:
        """This machine's two files against each other, and every further run against this machine's of the same file.

        Args:
            runs: what ran.
            rows: what each gave.
            own: how many of them are this machine's, in each format's own runtime.
        """
        both = list(zip(runs, rows, strict=True))
        mine = [pair for pair in both[:own] if pair[0].entry.precision == "int8"]
        pairs = [(mine[0], mine[1])] if len(mine) == 2 else []
        for run, row in both[own:]:
            pairs += [(pair, (run, row)) for pair in mine if pair[0].entry == run.entry]
        return [self._compare(*pair) for pair in pairs]

    def _compare(self, a: tuple[Run, Row], b: tuple[Run, Row]) -> Identity:
        (left, right), rows = (a[0], b[0]), (a[1], b[1])
        exact = self.bundle.manifest.exactness == "exact" and left.exact and right.exact
        found = compare(
            (left.entry.name, right.entry.name),
            (left.runtime, right.runtime),
            (rows[0].logits, rows[1].logits),
            targets=(left.target, right.target),
            bound_lsb=0 if exact else None,
        )
        if not found.different or left.target == right.target:
            return found
        return replace(found, first_layer=self._first_layer(left, right))

    def _first_layer(self, left: Run, right: Run) -> str | None:
        onnx = self.bundle.file(INT8)
        if not self.devices or not onnx.is_file():
            return None
        sides = (
            Side(self.bundle.file(left.entry.name), left.runtime, [Local()]),
            Side(self.bundle.file(right.entry.name), right.runtime, self.devices),
        )
        few = subset(self.images, _FEW, self.folder / "few.npy")
        grid = input_grid(self.bundle.manifest, right.entry)
        return first_difference(onnx, sides, few, grid, self.folder, self.progress)
