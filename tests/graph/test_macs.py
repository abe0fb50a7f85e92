"""Multiply-accumulates, counted by hand."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
import pytest

from edgegap.errors import ModelError
from edgegap.graph.macs import count_macs

from .models import normal, parsed

CONSTANTS = {
    "w": normal(5, 4, 3, 3), "d": normal(4, 1, 3, 3), "fc": normal(144, 10), "cf": normal(10, 144), "c": normal(10),
}  # fmt: skip

CASES = {
    "y = Conv<pads=[1,1,1,1]>(x, w)": 2 * 5 * 6 * 6 * 4 * 9,
    "y = Conv(x, w)": 2 * 5 * 4 * 4 * 4 * 9,
    "y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)": 2 * 5 * 3 * 3 * 4 * 9,
    "y = Conv<group=4, pads=[1,1,1,1]>(x, d)": 2 * 4 * 6 * 6 * 9,
    "f = Flatten(x) y = Gemm(f, fc, c)": 2 * 144 * 10,
    "f = Flatten(x) y = Gemm<transB=1>(f, cf, c)": 2 * 144 * 10,
    "a = Relu(x) y = GlobalAveragePool(a)": 0,
}


def saved(model: ir.Model, folder: Path) -> Path:
    ir.save(model, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize("body", CASES)
def test_convolutions_and_matrix_products_count_their_products(body: str, tmp_path: Path) -> None:
    assert count_macs(saved(parsed(body, **CONSTANTS), tmp_path)) == CASES[body]


def test_a_dynamic_batch_counts_as_one(tmp_path: Path) -> None:
    model = parsed("y = Conv(x, w)", x="float[N,4,6,6]", **CONSTANTS)
    assert count_macs(saved(model, tmp_path)) == 5 * 4 * 4 * 4 * 9


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        count_macs(tmp_path / "broken.onnx")
