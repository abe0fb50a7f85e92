"""Mish and Softplus in steps that ONNX Runtime and LiteRT both have, in float.

TFLite has neither, and ONNX Runtime computes them four times as slowly as the steps. With s = Sigmoid(x):

    Softplus(x) = ln(1 + e^x)      = Relu(x) - ln(Sigmoid(|x|))
    Mish(x) = x tanh(ln(1 + e^x))  = x u / (2 - u), where u = s (2 - s)

The second follows from 1 + e^x = 1 / (1 - s) and tanh(ln n) = (n^2 - 1) / (n^2 + 1). Nothing in them overflows.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from edgegap.graph.nodes import DOMAIN, OPSET

_BODIES = {
    "Mish": """
        two = Constant <value_float: float = 2.0> ()
        s = Sigmoid (x)
        opposite = Sub (two, s)
        u = Mul (s, opposite)
        rest = Sub (two, u)
        share = Div (u, rest)
        y = Mul (x, share)
    """,
    "Softplus": """
        positive = Relu (x)
        size = Abs (x)
        s = Sigmoid (size)
        log = Log (s)
        y = Sub (positive, log)
    """,
}

COMPOSED = frozenset(_BODIES)
"""The ops that are functions in normal form."""


def composed(op_type: str) -> ir.Function:
    """The steps of an op of `COMPOSED` as an ONNX function of x, of any shape."""
    text = f'<domain: "{DOMAIN}", opset_import: ["": {OPSET}]> {op_type} (x) => (y) {{ {_BODIES[op_type]} }}'
    function: ir.Function = ir.serde.deserialize_function(onnx.parser.parse_function(text))
    return function
