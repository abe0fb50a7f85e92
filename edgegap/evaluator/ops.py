"""What each op of the canonical form computes, in torch: one small function per op.

A function takes the node, for its attributes, and the tensors of its inputs (None for one that is left out).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from edgegap.graph.nodes import attribute

if TYPE_CHECKING:
    import torch

Operation = Callable[[ir.Node, Any], "torch.Tensor"]


def _functional() -> Any:
    import torch.nn.functional  # noqa: PLC0415  # only whoever evaluates waits for torch

    return torch.nn.functional


def _conv(node: ir.Node, inputs: Any) -> torch.Tensor:
    x, weight, bias = inputs
    top, left, bottom, right = attribute(node, "pads")
    symmetric = (top, left) == (bottom, right)
    if not symmetric:
        x = _functional().pad(x, (left, right, top, bottom))
    y: torch.Tensor = _functional().conv2d(
        x,
        weight,
        bias,
        attribute(node, "strides"),
        (top, left) if symmetric else 0,
        attribute(node, "dilations"),
        attribute(node, "group"),
    )
    return y


def _gemm(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = _functional().linear(*inputs)
    return y


def _add(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0] + inputs[1]
    return y


def _mul(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0] * inputs[1]
    return y


def _div(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0] / inputs[1]
    return y


def _elu(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = _functional().elu(inputs[0])
    return y


def _gelu(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = _functional().gelu(inputs[0], approximate=attribute(node, "approximate", "none"))
    return y


def _layer_normalization(node: ir.Node, inputs: Any) -> torch.Tensor:
    x, scale = inputs
    y: torch.Tensor = _functional().layer_norm(x, scale.shape, scale, eps=attribute(node, "epsilon"))
    return y


def _resize(node: ir.Node, inputs: Any) -> torch.Tensor:
    import torch  # noqa: PLC0415  # only whoever evaluates waits for torch

    y: torch.Tensor = inputs[0]
    for axis, scale in ((2, inputs[2][2].item()), (3, inputs[2][3].item())):
        size = y.shape[axis]
        new = round(size * scale)
        y = y.index_select(axis, torch.arange(new, device=y.device) * size // new)
    return y


def _hard_swish(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = _functional().hardswish(inputs[0])
    return y


def _mish(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = _functional().mish(inputs[0])
    return y


def _softplus(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = _functional().softplus(inputs[0])
    return y


def _sigmoid(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0].sigmoid()
    return y


def _tanh(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0].tanh()
    return y


def _relu(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0].relu()
    return y


def _clip(node: ir.Node, inputs: Any) -> torch.Tensor:
    lo, hi = (*inputs[1:], None, None)[:2]
    y: torch.Tensor = inputs[0].clamp(lo, hi)
    return y


def _concat(node: ir.Node, inputs: Any) -> torch.Tensor:
    import torch  # noqa: PLC0415  # only whoever evaluates waits for torch

    return torch.cat(list(inputs), attribute(node, "axis"))


def _max_pool(node: ir.Node, inputs: Any) -> torch.Tensor:
    """Padding is minus infinity, which torch's own max_pool2d allows for half a kernel at most."""
    top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
    x = inputs[0]
    if top or left or bottom or right:
        x = _functional().pad(x, (left, right, top, bottom), value=float("-inf"))
    strides, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
    y: torch.Tensor = _functional().max_pool2d(x, attribute(node, "kernel_shape"), strides, dilation=dilations)
    return y


def _average_pool(node: ir.Node, inputs: Any) -> torch.Tensor:
    """The padding counts, in canonical form."""
    top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
    x = _functional().pad(inputs[0], (left, right, top, bottom))
    y: torch.Tensor = _functional().avg_pool2d(x, attribute(node, "kernel_shape"), attribute(node, "strides", [1, 1]))
    return y


def _global_average_pool(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0].mean((2, 3), keepdim=True)
    return y


def _global_lp_pool(node: ir.Node, inputs: Any) -> torch.Tensor:
    """Of p = 2, in canonical form."""
    y: torch.Tensor = inputs[0].norm(dim=(2, 3), keepdim=True)
    return y


def _pad(node: ir.Node, inputs: Any) -> torch.Tensor:
    x, pads, *more = inputs
    axes = more[1].tolist() if len(more) > 1 and more[1] is not None else range(x.ndim)
    given = pads.tolist()
    before, after = dict(zip(axes, given, strict=False)), dict(zip(axes, given[len(given) // 2 :], strict=True))
    # torch counts axes from the last
    widths = [width for axis in reversed(range(x.ndim)) for width in (before.get(axis, 0), after.get(axis, 0))]
    value = float(more[0]) if more and more[0] is not None else 0.0
    y: torch.Tensor = _functional().pad(x, widths, value=value)
    return y


def _slice(node: ir.Node, inputs: Any) -> torch.Tensor:
    x, *columns = inputs
    window = [slice(None)] * x.ndim
    for start, end, axis, step in zip(*(column.tolist() for column in columns), strict=True):
        window[axis] = slice(start, end, step)
    y: torch.Tensor = x[tuple(window)]
    return y


def _flatten(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0].flatten(1)
    return y


def _reshape(node: ir.Node, inputs: Any) -> torch.Tensor:
    """A 0 keeps the size of that axis, as the batch's in canonical form."""
    x, shape = inputs
    y: torch.Tensor = x.reshape([size or x.shape[axis] for axis, size in enumerate(shape.tolist())])
    return y


def _transpose(node: ir.Node, inputs: Any) -> torch.Tensor:
    y: torch.Tensor = inputs[0].permute(attribute(node, "perm"))
    return y


OPERATIONS: dict[str, Operation] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _div,
    "Elu": _elu,
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "GlobalLpPool": _global_lp_pool,
    "HardSwish": _hard_swish,
    "LayerNormalization": _layer_normalization,
    "MaxPool": _max_pool,
    "Mish": _mish,
    "Mul": _mul,
    "Pad": _pad,
    "Relu": _relu,
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _sigmoid,
    "Slice": _slice,
    "Softplus": _softplus,
    "Tanh": _tanh,
    "Transpose": _transpose,
}
"""Every op of the canonical form (`edgegap.graph.canonical.CANONICAL_OPS`)."""
