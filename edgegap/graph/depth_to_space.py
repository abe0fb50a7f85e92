"""DepthToSpace and SpaceToDepth (PixelShuffle, PixelUnshuffle) as Reshape, Transpose, Reshape.

Rules, for blocks of b x b:
    1. DepthToSpace, CRD: [N, C, b, b, H, W] to [N, C, H, b, W, b]; DCR: [N, b, b, C, H, W] to the same.
    2. SpaceToDepth: [N, C, H, b, W, b] to [N, b, b, C, H, W].
"""

from __future__ import annotations

import onnx_ir as ir

from edgegap.graph.nodes import attribute, new_node, operand, reshaped, shape_of, take_over

_CRD = (0, 1, 4, 2, 5, 3)
_DCR = (0, 3, 4, 1, 5, 2)
_DEPTH = (0, 3, 5, 1, 2, 4)


def rewrite_depth_to_space(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type not in ("DepthToSpace", "SpaceToDepth"):
            continue
        x, b, name = operand(node), attribute(node, "blocksize"), str(node.outputs[0].name)
        n, c, h, w = shape_of(x)
        if node.op_type == "SpaceToDepth":
            value = _moved(node, x, (n, c, h // b, b, w // b, b), _DEPTH, shape_of(node.outputs[0]), name)
        elif attribute(node, "mode", "DCR") == "CRD":
            value = depth_to_space(node, x, (b, b), name=name)
        else:
            value = _moved(node, x, (n, b, b, c // b**2, h, w), _DCR, shape_of(node.outputs[0]), name)
        take_over(node, value)
        changed = True
    return changed


def depth_to_space(like: ir.Node, x: ir.Value, block: tuple[int, int], *, name: str) -> ir.Value:
    """The map of which channel c * bh * bw + i * bw + j of `x` holds the pixels (i, j) of each block of channel c.

    Args:
        like: the node that the new ones stand in front of.
        x: [N, C * bh * bw, H, W].
        block: bh, bw.
        name: what the names of the new values begin with.

    Returns:
        [N, C, H * bh, W * bw].
    """
    n, channels, h, w = shape_of(x)
    bh, bw = block
    c = channels // (bh * bw)
    return _moved(like, x, (n, c, bh, bw, h, w), _CRD, (n, c, h * bh, w * bw), name)


def _moved(
    like: ir.Node,
    x: ir.Value,
    split: tuple[int, ...],
    perm: tuple[int, ...],
    shape: tuple[int, ...],
    name: str,
) -> ir.Value:
    blocks = reshaped(like, x, split, name=f"{name}_blocks")
    turned = tuple(split[axis] for axis in perm)
    moved = new_node(like, "Transpose", [blocks], {"perm": list(perm)}, name=f"{name}_moved", shape=turned)
    return reshaped(like, moved.outputs[0], shape, name=f"{name}_spread")
