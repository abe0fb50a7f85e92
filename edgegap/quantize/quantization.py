"""A quantization: a lowered float model with a grid for each of its values and integers for each of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from edgegap.quantize.floats import real_values
from edgegap.quantize.normal_form import Io, write_normal_form
from edgegap.quantize.parameters import Grid
from edgegap.quantize.simulation import Simulation
from edgegap.quantize.verify import verify_normal_form
from edgegap.quantize.weights import LinearParameters


@dataclass(frozen=True)
class Quantization:
    """All that quantization decides.

    Args:
        model: lowered, in float.
        grids: of every activation and constant operand, by the name of the value.
        linear: the integers of every Conv and Gemm, by the name of its output.
        float_layers: those that stay in float all the same, by that name.
    """

    model: ir.Model
    grids: Mapping[str, Grid]
    linear: Mapping[str, LinearParameters]
    float_layers: frozenset[str] = frozenset()

    @property
    def input_grid(self) -> Grid:
        """The grid of the input."""
        return self.grids[str(self.model.graph.inputs[0].name)]

    def normal_form(self, io: Io = "float") -> ir.Model:
        """The QDQ model, verified.

        Args:
            io: whether it takes and gives float values, or uint8 integers.

        Raises:
            InternalError: it breaks a rule of the normal form.
        """
        written = write_normal_form(self.model, self.grids, self.linear, io, self.float_layers)
        verify_normal_form(written)
        return written

    def simulation(self, io: Io = "float") -> Simulation:
        """The quantized network in torch.

        Args:
            io: as of the normal form: integers for an output are on its grid even behind a float layer.
        """
        real = real_values(self.model, self.float_layers, io)
        grids = {name: grid for name, grid in self.grids.items() if name not in real}
        linear = {name: layer for name, layer in self.linear.items() if name not in self.float_layers}
        return Simulation(self.model, grids, linear)


@dataclass(frozen=True)
class Quantized:
    """A quantization and how it came about.

    Args:
        parts: what was decided.
        model: it as a QDQ model in normal form.
        notices: one line on everything that a user should know, such as a channel without weights.
        images: how many calibration images were seen.
    """

    parts: Quantization
    model: ir.Model
    notices: tuple[str, ...]
    images: int

    @property
    def input_grid(self) -> Grid:
        """The grid of the input."""
        return self.parts.input_grid
