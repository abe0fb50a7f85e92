"""The canonical float form: what every later step may rely on, and the passes that lead to it.

A canonical model has one input and one output, opset 18, static shapes, and only these nodes, their attributes written
out: Conv, Gemm, Add, Mul, Div (of two activations), Concat, MaxPool, AveragePool (counting its padding),
GlobalAveragePool, GlobalLpPool (of p = 2), Relu, Clip, Pad (by a constant), Slice, Flatten, Reshape, Resize (nearest,
asymmetric, floor), Transpose, LayerNormalization (over the last axis, with a scale of ones), Elu, Gelu, HardSwish,
Mish, Sigmoid, Softplus, Tanh. No node depends on the batch size.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgegap.errors import ModelError
from edgegap.graph.activations import rewrite_activations
from edgegap.graph.affine import fold_affine
from edgegap.graph.bilinear import rewrite_bilinear
from edgegap.graph.constants import fold_constants
from edgegap.graph.depth_to_space import rewrite_depth_to_space
from edgegap.graph.extremes import rewrite_extremes
from edgegap.graph.flatten import normalize_reshapes
from edgegap.graph.group_norm import rewrite_instance_norms, spell_group_norms
from edgegap.graph.identities import remove_identities
from edgegap.graph.linear import normalize_linear
from edgegap.graph.lines import lift_lines
from edgegap.graph.nodes import (
    GELU_OPSET,
    IR_VERSION,
    OPSET,
    attribute,
    constant,
    describe,
    module_path,
    operand,
    required_constant,
    shape_of,
    unsupported,
)
from edgegap.graph.normalization import check_layer_norm, normalize_layer_norms
from edgegap.graph.padding import HUGE, normalize_padding
from edgegap.graph.pooling import normalize_pools, recognize_global_average_pool
from edgegap.graph.radix import rewrite_radix_attention
from edgegap.graph.reductions import rewrite_reductions
from edgegap.graph.resizing import normalize_resizes
from edgegap.graph.shapes import FITS, bind_input, infer_shapes
from edgegap.graph.slicing import normalize_slices
from edgegap.graph.spellings import recognize_functions
from edgegap.graph.splitting import rewrite_splits
from edgegap.graph.subtraction import rewrite_subtraction
from edgegap.graph.transposed import rewrite_transposed_convolutions
from edgegap.graph.transposing import sink_transposes

_COMPUTING = {"Conv", "Gemm", "Add", "Mul", "Div", "LayerNormalization", "Relu", "Clip"}
_POOLING = {"AveragePool", "GlobalAveragePool", "GlobalLpPool"}
_FUNCTIONS = {"Elu", "Gelu", "HardSwish", "Mish", "Sigmoid", "Softplus", "Tanh"}
_MOVING = {"Concat", "MaxPool", "Pad", "Slice", "Flatten", "Reshape", "Resize", "Transpose"}
_OF_MAPS = _POOLING | {"MaxPool"}
CANONICAL_OPS = frozenset(_COMPUTING | _POOLING | _FUNCTIONS | _MOVING)

PASSES: tuple[Callable[[ir.Model], bool], ...] = (
    fold_constants,
    spell_group_norms,
    remove_identities,
    recognize_functions,
    rewrite_activations,
    rewrite_splits,
    lift_lines,
    rewrite_extremes,
    rewrite_bilinear,
    rewrite_transposed_convolutions,
    rewrite_depth_to_space,
    normalize_padding,
    normalize_pools,
    recognize_global_average_pool,
    rewrite_reductions,
    normalize_reshapes,
    rewrite_instance_norms,
    normalize_layer_norms,
    normalize_linear,
    sink_transposes,
    remove_identities,
    fold_affine,
    rewrite_radix_attention,
    rewrite_subtraction,
    normalize_slices,
    normalize_resizes,
    remove_identities,
)

_HINTS = {
    "GatherND": "Take slices, and join them with cat; resize with mode='nearest' in place of 'nearest-exact'.",
    "Erf": "As a part of GELU it can be done: x * (1 + Erf(x / sqrt 2)) / 2.",
    "Greater": "As a part of torch's Softplus it can be done, with its own beta of 1 and threshold of 20.",
    "ReduceL2": "Take the length of each channel's map: over height and width.",
    "Selu": "Use ELU or ReLU.",
    "Softmax": "One that ends the network is left out; inside, over two values, it is a Sigmoid.",
    "Squeeze": "squeeze() of one image drops the batch axis too: use flatten(1).",
}


def canonicalize(model: ir.Model, input_shape: tuple[int, ...]) -> ir.Model:
    """Bring a float model into canonical form, in place.

    Args:
        model: a model with one input and one output.
        input_shape: N, C, H, W to bind.

    Raises:
        UnsupportedOpError: naming the first node that has no canonical form.
        ModelError: for a graph that is not a classifier of one input and one output.
    """
    source = model.graph.inputs[0]
    if source.dtype != ir.DataType.FLOAT:
        raise ModelError(
            f"the input '{source.name}' has type {source.dtype}, not float32",
            hint="Export the network with a float32 example input.",
        )
    for node in model.graph:
        if node.domain not in ("", "ai.onnx"):
            raise unsupported(node, f"its domain is {node.domain}, not ONNX's own", "Export it as standard ONNX ops.")
    bind_input(model, input_shape)
    apply_passes(model)
    check_nodes(model)
    has_gelu = any(node.op_type == "Gelu" for node in model.graph)
    model.graph.opset_imports.clear()
    model.graph.opset_imports[""] = GELU_OPSET if has_gelu else OPSET
    model.ir_version = IR_VERSION
    return model


def apply_passes(model: ir.Model) -> None:
    """Every pass, until none changes anything, in place; QuantizeLinear and DequantizeLinear may stand in between.

    Args:
        model: with its input bound.
    """
    for _ in range(4):
        changes = [_apply(step, model) for step in PASSES]
        if not any(changes):
            break
    RemoveUnusedNodesPass()(model)


def _apply(step: Callable[[ir.Model], bool], model: ir.Model) -> bool:
    changed = step(model)
    if changed:
        RemoveUnusedNodesPass()(model)
        infer_shapes(model)
    return changed


def check_nodes(model: ir.Model) -> None:
    """Raise UnsupportedOpError for the first node that has no place in the canonical form."""
    for node in model.graph:
        if node.op_type not in CANONICAL_OPS:
            path = module_path(node)
            hint = _HINTS.get(
                node.op_type, f"Replace {path or 'it'} with one of: {', '.join(sorted(CANONICAL_OPS))}, or BatchNorm."
            )
            raise unsupported(node, f"{node.op_type} has no exact int8 form here yet", hint)
        if node.op_type in ("Conv", "Gemm") and constant(node.inputs[1]) is None:
            raise unsupported(node, "its weight is computed at run time", "Make the weight a parameter.")
        if node.op_type == "Concat" and any(constant(value) is not None for value in node.inputs):
            raise unsupported(node, "it joins a constant to the image's values", "Join only what is computed.")
        if node.op_type == "Div" and constant(node.inputs[0]) is not None:
            raise unsupported(node, "it divides a constant", "Divide what is computed.")
        if node.op_type == "GlobalLpPool" and attribute(node, "p", 2) != 2:
            raise unsupported(node, f"its p is {attribute(node, 'p')}", "Take the Euclidean norm, of p = 2.")
        if node.op_type == "LayerNormalization":
            check_layer_norm(node)
        if node.op_type == "Clip":
            _check_clip(node)
        if node.op_type == "Pad" and len(node.inputs) > 2 and node.inputs[2] is not None:
            fill = required_constant(node, 2, "fill").item()
            if not abs(fill) < HUGE:
                raise unsupported(node, f"it pads with {fill:g}", "Let the pool that reads it do the padding.")
        if node.op_type in _OF_MAPS and len(shape_of(operand(node))) != 4:
            what = f"it takes a value of {len(shape_of(operand(node)))} axes"
            raise unsupported(node, what, "Give it maps, [N, C, H, W].")
        _check_shapes(node)
    if not list(model.graph):
        raise ModelError("the network has no layers", where=str(model.graph.name))


def _check_clip(node: ir.Node) -> None:
    """Zero lies on every grid, so a Clip must let it through."""
    for index, name, side in ((1, "minimum", 1), (2, "maximum", -1)):
        if index < len(node.inputs) and node.inputs[index] is not None:
            end = float(required_constant(node, index, name).item())
            if end * side > 0:
                raise unsupported(node, f"its {name} is {end:g}, so that it never gives 0", "Clip to a range around 0.")


def _check_shapes(node: ir.Node) -> None:
    """What ONNX's shape inference lets pass: an empty map, and a convolution of another number of channels."""
    shape = shape_of(node.outputs[0])
    if min(shape, default=1) < 1:
        raise ModelError(f"its output has the shape {list(shape)}", where=describe(node), hint=FITS)
    if node.op_type == "Conv":
        given, wanted = shape_of(operand(node))[1], shape_of(operand(node, 1))[1] * attribute(node, "group", 1)
        if given != wanted:
            raise ModelError(f"it takes {wanted} channels, not {given}", where=describe(node), hint=FITS)
