"""`edgegap ops` tells the truth: what it says of each form of an op is what the runtimes do."""

from __future__ import annotations

import ast
import inspect

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from tflite.runtimes import run_onnx, run_tflite, signed

from edgegap.export.ops import support_of, supported_ops
from edgegap.export.rehearsal import pixel_table, rehearse
from edgegap.graph.canonical import CANONICAL_OPS, PASSES, canonicalize
from edgegap.graph.supported import INPUT_SHAPE, PROBES, Probe
from edgegap.tflite import write_tflite
from edgegap.tflite.ops import SPELLINGS

BOUNDARY = {"QuantizeLinear", "DequantizeLinear"}
SHOWN = {probe.op for probe in PROBES}
FILES = {"float.onnx", "float.tflite", "int8.onnx", "int8.tflite"}
TABLE = pixel_table(INPUT_SHAPE[1])


def named_by(step: object) -> set[str]:
    """The ops whose names stand in the module of a pass."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(step)))  # type: ignore[arg-type]  # a pass has a module
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {name for name in strings if name.isidentifier() and onnx.defs.has(name)}


def image_of(seed: int) -> NDArray[np.float32]:
    pixels = np.random.default_rng(seed).integers(0, 256, INPUT_SHAPE)
    return TABLE[np.arange(INPUT_SHAPE[1])[None, :, None, None], pixels]


def test_every_op_that_a_pass_names_is_in_the_table() -> None:
    named = set().union(*map(named_by, PASSES)) - BOUNDARY
    assert len(named) > 20
    assert named <= SHOWN


def test_every_canonical_op_and_every_spelling_is_in_the_table() -> None:
    assert CANONICAL_OPS <= SHOWN
    assert set(SPELLINGS) - BOUNDARY <= SHOWN


def test_no_two_rows_have_one_name_and_each_body_shows_its_op() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES)
    patterns = {"as Erf", "as Tanh", "as x * HardSigmoid(x)", "as Softplus and Tanh", "as Log and Tanh"}
    assert all(probe.op in probe.ops for probe in PROBES if probe.form not in patterns)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_row_states_what_the_runtimes_do(probe: Probe) -> None:
    support = support_of(probe)
    assert set(support.files) <= FILES
    if not support.files:
        assert support.why
        assert support.hint
        return
    images = [image_of(seed) for seed in range(1, 5)]
    image = images[0]
    original = probe.model()
    (expected,) = run_onnx(ir.to_proto(original), {"x": image})
    canonical = canonicalize(probe.model(), INPUT_SHAPE)
    close = {"rtol": 1e-4, "atol": 1e-4 * np.abs(expected).max()}
    np.testing.assert_allclose(run_onnx(ir.to_proto(canonical), {"x": image})[0], expected, **close)
    if "float.tflite" in support.files:
        np.testing.assert_allclose(run_tflite(write_tflite(canonical), {"x": image})[0], expected, **close)
    if "int8.onnx" in support.files:
        quantized = rehearse(canonical, TABLE, "int8")
        model = ir.to_proto(quantized.model)
        file = write_tflite(quantized.model) if "int8.tflite" in support.files else None
        seen: set[int] = set()
        for each in images:
            feeds = {"x": quantized.input_grid.quantize(each)}
            (ours,) = run_onnx(model, feeds)
            seen |= set(ours.flat)
            if file is not None and support.bound_lsb is not None:
                (theirs,) = run_tflite(file, feeds)
                assert np.abs(signed(ours).astype(int) - theirs.astype(int)).max() <= support.bound_lsb
        assert len(seen) > 2, "the probe's own data are useless"


def test_every_canonical_op_is_written_in_both_formats() -> None:
    written = {row["op"] for row in supported_ops()["ops"] if set(row["files"]) == FILES}
    assert written >= CANONICAL_OPS


def test_an_op_of_no_runtime_is_refused_with_its_reason() -> None:
    support = support_of(Probe("Det", "", "y = Det (m)"))
    assert support.files == ()
    assert "Det" in str(support.why)
