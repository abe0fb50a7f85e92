"""A session in this process: from a model whose weights it reads where they are."""

from __future__ import annotations

import gc

import numpy as np
import onnx_ir as ir
import pytest

from edgegap.ort import session


@pytest.mark.parametrize("fused", [True, False])
def test_a_model_gives_what_it_gives_serialized_and_stays_as_it_is(fused: bool) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(64, 32, 3, 3)).astype(np.float32)
    x = ir.val("x", dtype=ir.DataType.FLOAT, shape=ir.Shape([1, 32, 9, 9]))
    w = ir.val("w", const_value=ir.tensor(weight, name="w"))
    conv = ir.node("Conv", [x, w], {"pads": [1, 1, 1, 1]})
    conv.outputs[0].name = "y"
    model = ir.Model(
        ir.Graph([x], conv.outputs, nodes=[conv], initializers=[w], opset_imports={"": 18}, name="g"), ir_version=10
    )
    images = rng.normal(size=(1, 32, 9, 9)).astype(np.float32)
    serialized = ir.to_proto(model).SerializeToString()
    runner = session(model, fused=fused)
    assert ir.to_proto(model).SerializeToString() == serialized
    del model, w, conv
    gc.collect()
    assert np.array_equal(
        runner.run(None, {"x": images})[0], session(serialized, fused=fused).run(None, {"x": images})[0]
    )
