"""Nothing in a network may depend on how many images there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgegap.errors import ModelError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.shapes import check_batch

from .models import ints, normal, parsed

IMAGE = (1, 4, 6, 6)


def checked(body: str, **more: Any) -> None:
    model = parsed(f"a = Conv(x, w) {body}", x="float[1,4,6,6]", w=normal(4, 4, 1, 1), **more)
    check_batch(canonicalize(model, IMAGE))


def test_a_shuffle_and_a_head_follow_the_batch() -> None:
    body = """b = Reshape(a, split) c = Transpose<perm=[0,2,1,3,4]>(b) d = Reshape(c, maps) p = GlobalAveragePool(d)
              y = Reshape(p, rows)"""
    checked(body, split=ints(1, 2, 2, 6, 6), maps=ints(1, 4, 6, 6), rows=ints(1, -1))


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ("b = Gather<axis=0>(a, i) y = Relu(b)", {"i": np.array(0)}),
        ("b = Gather<axis=0>(a, i) r = Reshape(b, s) y = Relu(r)", {"i": np.array(0), "s": ints(1, 4, 6, 6)}),
        ('y = Pad<mode="edge">(a, p)', {"p": ints(1, 0, 0, 0, 1, 0, 0, 0)}),
        ("y = Pad(a, p)", {"p": ints(1, 0, 0, 0, 1, 0, 0, 0)}),
        (
            "b = Pad(a, p) c = Slice(b, zero, one, zero) y = Add(a, c)",
            {"p": ints(1, 0, 0, 0, 0, 0, 0, 0), "zero": ints(0), "one": ints(1)},
        ),
        ("y = Mul(a, m)", {"m": normal(3, 4, 6, 6)}),
        ("y = Concat<axis=0>(a, a)", {}),
        ("y = Reshape(a, all)", {"all": ints(-1)}),
    ],
)
def test_what_does_not_follow_the_batch_is_refused(body: str, more: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        checked(body, **more)
    assert "first axis" in str(caught.value.hint)
