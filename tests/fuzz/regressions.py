"""Networks that broke a promise once, as small as they would get, and why."""

from __future__ import annotations

from .networks import Layer, Network

REGRESSIONS: dict[str, Network] = {
    # every input of the Concat had to be requantized, and its own class was used before that
    "concat of nothing but the image": Network((Layer("concat", other=1),), head="gap-linear", spelling=1),
    # the two runtimes round a product differently on a tie, and there are many where the ratio of scales is 1/2
    "product by a constant of halves": Network(
        (Layer("average_pool", source=1, a=5, b=1, c=5),), spelling=3, channels=1, height=14, width=12, seed=8705
    ),
    "product by a constant of quarters": Network(
        (Layer("average_pool", source=3, other=5, a=1, b=3, c=4),), channels=1, height=14, seed=6278
    ),
    # the fill was clipped to a range that begins at 0, without a word
    "pad by a negative value behind a square": Network(
        (Layer("mul", a=1), Layer("pad", c=1)), head="gap-linear", spelling=4, channels=4, wild=4, seed=8820
    ),
    # the same where ranges of least squared error clip it
    "pad by a negative value under clipped ranges": Network(
        (Layer("relu"), Layer("pad", c=1)), head="gap", channels=1, seed=1393
    ),
    # nothing was to be set apart, and so the default epsilon was never written out: float.tflite gave NaN
    "norm without scale, bias and epsilon": Network((Layer("conv", a=4), Layer("layer_norm"))),
    # a product that is 0 on all images got a scale that no ratio of its operands' comes near to
    "product that is always 0": Network((Layer("mul"), Layer("mul")), seed=8),
    # the map lay as [N, C, H, W] in memory, its lengths were said to lie otherwise, and LiteRT did not load the file
    "lengths of a map in another layout": Network((Layer("group_norm"), Layer("response_norm"))),
}

REFUSED = Network(
    (
        Layer("grouped", a=3, b=3, c=5),
        Layer("batch_norm"),
        Layer("batch_norm"),
        Layer("add", source=2, other=4, a=2, c=1),
        Layer("clip", source=2, other=1, a=3),
        Layer("mul", source=1, other=1, a=1, b=4, c=2),
        Layer("pad", b=4, c=5),
        Layer("clip", source=3, other=1, a=1),
    ),
    channels=1,
    wild=4,
    seed=8951,
)
"""A Clip to [0, 1] of a sum of values in the hundreds: no scale of the sum's group is fine enough to clip alike."""
