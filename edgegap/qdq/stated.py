"""From a QDQ model that was read to a lowered float model and the grid that the file states for each of its values.

Rules:
    1. Quantization commutes with ops that move values: an op that computes lies on the grid of the QuantizeLinear
       behind it, even where others move its values in between.
    2. Where a value on one grid is quantized on another, a requantize (see `lower`) goes in between: in front of a
       Concat's input, behind anything else.
    3. What computes between no DequantizeLinear and no QuantizeLinear is a float island, and refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgegap.errors import UnsupportedOpError
from edgegap.graph.nodes import constant, describe, operand, replace, unsupported
from edgegap.qdq.parameters import grid_of_activation
from edgegap.quantize.classes import limits_of
from edgegap.quantize.lower import ACTIVATIONS, ARITHMETIC, PASSING, lower, requantize
from edgegap.quantize.parameters import Grid

ISLAND = "Let its quantizer put QuantizeLinear and DequantizeLinear around it, or quantize with EdgeGAP: --int8."


@dataclass(frozen=True)
class Lowered:
    """A lowered float model, and what the file states about it.

    Args:
        model: without QuantizeLinear and DequantizeLinear.
        grids: of every activation, by name.
        linear: for each Conv and Gemm, by the name of its output, the name that this output had in the file.
    """

    model: ir.Model
    grids: dict[str, Grid]
    linear: dict[str, str]


def stated_grids(model: ir.Model, *, clipping: bool = False) -> Lowered:
    """Apply the rules above to a copy of a canonical QDQ model.

    Args:
        model: as `read_qdq` gives it.
        clipping: whether a Relu or Clip may stand in front of a grid that spans more than it lets through.

    Raises:
        UnsupportedOpError: a float island, or a value with two grids at once.
    """
    lowered = model.clone()
    _drop_free_activations(lowered)
    lower(lowered)
    for node in lowered.graph:
        if node.op_type in ARITHMETIC:
            _refuse_float_operands(node)
    grids: dict[ir.Value, Grid] = {}
    for node in lowered.graph:
        if node.op_type == "QuantizeLinear":
            _settle(node, grids)
        elif node.op_type in ARITHMETIC:
            result = behind_activation(node)
            grids[result] = _grid_behind(node, result, clipping=clipping)
        elif node.op_type in PASSING:
            _move(node, grids)
    for node in lowered.graph:
        y = node.outputs[0]
        if node.op_type in PASSING and y not in grids:  # the reshapes around a requantize
            grids[y] = grids[operand(node)]
    linear = {n.outputs[0]: str(n.outputs[0].name) for n in lowered.graph if n.op_type in ("Conv", "Gemm")}
    for node in lowered.graph:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            replace(node, operand(node))
    names = {str(value.name): grid for value, grid in grids.items()}
    return Lowered(lowered, names, {str(y.name): name for y, name in linear.items()})


def _drop_free_activations(model: ir.Model) -> None:
    """A Relu or Clip of a dequantized value whose grid ends where it clips does nothing."""
    for node in model.graph:
        first = operand(node).producer() if node.op_type in ACTIVATIONS else None
        if first is not None and first.op_type == "DequantizeLinear" and _is_free(node, grid_of_activation(first)):
            replace(node, operand(node))


def _is_free(activation: ir.Node, grid: Grid) -> bool:
    """Whether saturation clips exactly as the activation does, on the integers."""
    limits = limits_of(activation)
    return bool(limits.lo <= grid.lo + grid.scale / 2 and limits.hi >= grid.hi - grid.scale / 2)


def behind_activation(node: ir.Node) -> ir.Value:
    """What `node` computes, behind the Relu or Clip that follows it."""
    readers = node.outputs[0].consumers()
    return readers[0].outputs[0] if len(readers) == 1 and readers[0].op_type in ACTIVATIONS else node.outputs[0]


def _quantizers(value: ir.Value) -> list[ir.Node] | None:
    """The QuantizeLinear nodes that read a value, also behind ops that move it; None where something else reads it."""
    found: list[ir.Node] = []
    for reader in value.consumers():
        if reader.op_type == "QuantizeLinear":
            found.append(reader)
        elif reader.op_type in PASSING and (behind := _quantizers(reader.outputs[0])):
            found += behind
        else:
            return None
    return None if value.is_graph_output() else found


def _grid_behind(node: ir.Node, result: ir.Value, *, clipping: bool) -> Grid:
    quantizers = _quantizers(result)
    if not quantizers:
        raise unsupported(node, "its output is not quantized: it computes in float", ISLAND)
    grids = {grid_of_activation(q): q for q in quantizers}
    if len(grids) > 1:
        names = " and ".join(f"'{q.name}'" for q in grids.values())
        hint = "Let its quantizer give one value one set of parameters."
        raise unsupported(node, f"its output is quantized twice with different parameters ({names})", hint)
    grid = next(iter(grids))
    activation = result.producer()
    if activation is not None and activation is not node and not clipping and not _is_free(activation, grid):
        raise unsupported(
            activation,
            f"it clips to less than its grid spans ({grid.lo:g} to {grid.hi:g}), which no exact int8 form does",
            "Quantize activations asymmetrically (ActivationSymmetric=False), or let --resnap change this grid.",
        )
    return grid


def _refuse_float_operands(node: ir.Node) -> None:
    for value in node.inputs:
        if value is not None and constant(value) is None and not _is_dequantized(value):
            producer = value.producer()
            whose = "the network's input" if producer is None else f"the output of {describe(producer)}"
            raise unsupported(node, f"{whose} reaches it in float", ISLAND)


def _is_dequantized(value: ir.Value) -> bool:
    node = value.producer()
    if node is None:
        return False
    if node.op_type in PASSING:
        inputs = node.inputs if node.op_type == "Concat" else node.inputs[:1]
        return all(v is not None and _is_dequantized(v) for v in inputs)
    return node.op_type == "DequantizeLinear"


def _settle(node: ir.Node, grids: dict[ir.Value, Grid]) -> None:
    """Rule 2 for a QuantizeLinear: its DequantizeLinears read what it reads, or a requantized copy."""
    x, grid = operand(node), grid_of_activation(node)
    if x.is_graph_input() and x not in grids:
        grids[x] = grid
    if grids[x] != grid:
        grids[requantize(node, 0)] = grid
        grids[operand(node)] = grid
    for reader in node.outputs[0].consumers():
        grids[reader.outputs[0]] = grid


def _move(node: ir.Node, grids: dict[ir.Value, Grid]) -> None:
    """Rule 2 for an op that moves values."""
    y = node.outputs[0]
    indices = range(len(node.inputs) if node.op_type == "Concat" else 1)
    given = [grids.get(operand(node, index)) for index in indices]
    grid = given[0]
    if len(set(given)) > 1:
        quantizers = _quantizers(y)
        if not quantizers:
            raise unsupported(node, "its inputs have different parameters, and its output is not quantized", ISLAND)
        grid = grid_of_activation(quantizers[0])
        for index, one in zip(indices, given, strict=True):
            if one != grid:
                grids[requantize(node, index)] = grid
    if grid is None:
        raise UnsupportedOpError("it moves float values", where=describe(node), hint=ISLAND)
    grids[y] = grid
