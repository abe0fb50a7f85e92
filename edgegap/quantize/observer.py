"""The observer: run calibration images through the float model and keep statistics of its activations."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import DataError, ModelError
from edgegap.graph.nodes import describe, sole_consumer
from edgegap.ort import session
from edgegap.quantize.lower import ACTIVATIONS, ARITHMETIC, PASSING
from edgegap.quantize.statistics import Statistics

BATCH = 1
"""Images per calibration batch. The activations of one image are all the memory that calibration takes, and the cache
still holds them when they are read: 8 at a time took 1.5 times as long."""


def observed_values(model: ir.Model) -> list[ir.Value]:
    """The activations that need statistics: outputs of arithmetic, behind the activation that follows it alone."""
    values = []
    for node in model.graph:
        if node.op_type in ARITHMETIC:
            y = node.outputs[0]
            consumers = y.consumers()
            if len(consumers) == 1 and consumers[0].op_type in ACTIVATIONS:
                y = consumers[0].outputs[0]
            values.append(y)
    return values


def observe(model: ir.Model, batches: Iterable[NDArray[np.float32]], *, detailed: bool) -> dict[str, Statistics]:
    """Statistics of every observed value and of the input, by name.

    Args:
        model: a canonical float model that is lowered.
        batches: float32 [n, C, H, W], iterated once.
        detailed: also keep histograms.

    Raises:
        ModelError: a NaN or an infinity in an activation, naming the layer.
        DataError: no images.
    """
    values = observed_values(model)
    names = [str(value.name) for value in values]
    runner = session(tapped(model, names))
    source = str(model.graph.inputs[0].name)
    statistics = {name: Statistics() for name in (source, *names)}
    logits = {str(value.name) for value in values if _is_output(value)}
    for batch in batches:
        statistics[source].update(batch, detailed=detailed)
        computed = runner.run(names, {source: batch}) if names else []  # none: a network that only moves values
        for value, array in zip(values, computed, strict=True):
            tracked = statistics[str(value.name)]
            tracked.update(array, detailed=detailed, logits=value.name in logits)
            if not np.isfinite(tracked.hi - tracked.lo):
                producer = value.producer()
                raise ModelError(
                    "its output is NaN or infinite on the calibration images",
                    where=describe(producer) if producer is not None else source,
                    hint="Check the preprocessing: the pixels may be scaled wrongly for this network.",
                )
    if not statistics[source].images:
        raise DataError("there are no calibration images", hint="Give some with --calib.")
    return statistics


def _is_output(value: ir.Value) -> bool:
    """Whether a value is the network's output, but for ops that move it."""
    while not value.is_graph_output():
        reader = sole_consumer(value)
        if reader is None or reader.op_type not in PASSING:
            return False
        value = reader.outputs[0]
    return True


def tapped(model: ir.Model, names: list[str]) -> ir.Model:
    """A copy of the model, its weights shared, with a free batch size and the values of these names for its outputs."""
    copy = model.clone()
    graph = copy.graph
    shape = list(graph.inputs[0].shape or ())
    graph.inputs[0].shape = ir.Shape(["N", *shape[1:]])
    by_name = {output.name: output for node in graph for output in node.outputs}
    for output in by_name.values():
        output.shape = None
    graph.outputs.clear()
    graph.outputs.extend(by_name[name] for name in names)
    return copy
