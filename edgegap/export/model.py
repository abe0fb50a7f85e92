"""MODEL in: from what a person typed to a canonical float model, checked against where it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from scipy.special import log_softmax

from edgegap.errors import InputError, InternalError, ModelError
from edgegap.export.settings import ExportSettings
from edgegap.graph.canonical import canonicalize
from edgegap.graph.factory import build
from edgegap.graph.load import batch_of, load_onnx, static_input_shape
from edgegap.graph.nodes import describe
from edgegap.graph.outputs import keep_first_output, leave_out_softmax
from edgegap.graph.shapes import check_batch
from edgegap.graph.trace import evaluate, trace
from edgegap.ort import session
from edgegap.qdq import Qdq, is_quantized, read_qdq

if TYPE_CHECKING:
    import torch

NOISE = 1e-4
"""The largest difference between two float32 evaluations of one network, as a share of its largest output. Sums in
another order part by about 1e-6 on the networks that we measured; a wrong layer parts by far more."""

_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class FloatModel:
    """The float reference.

    Args:
        model: in canonical form, batch 1.
        original: how to compute the same outputs without EdgeGAP's passes: the torch module, the .onnx file, or that
            file without its quantization, serialized; None once that was compared.
        spec: what the user typed.
        batch: of the original: a number, or the name of a dynamic one.
        qdq: the quantization that came with it; `model` is the same network without it, its weights dequantized.
        notices: one line each on what was done to read it.
        softmax: the op that ends the original and is left out here: Softmax or LogSoftmax.
    """

    model: ir.Model
    original: torch.nn.Module | Path | bytes | None
    spec: str
    batch: int | str = 1
    qdq: Qdq | None = None
    notices: tuple[str, ...] = ()
    softmax: str | None = None

    def compared(self, images: NDArray[np.float32]) -> FloatModel:
        """This model without its original, whose weights may be a copy of their own, once the outputs of both were
        compared for float32 images [n, C, H, W].

        Raises:
            ModelError: the original cannot run, or gives NaN or infinity.
            InternalError: they differ by more than float32 noise.
        """
        if self.original is None:
            raise InternalError("it was compared before", where=self.spec)
        if isinstance(self.original, Path | bytes):
            try:
                expected = _run(session(self.original), images, self.batch if isinstance(self.batch, int) else 1)
            except Exception as error:  # each of ONNX Runtime's errors is a class of its own
                hint = "onnx.checker.check_model(path, full_check=True) may say more."
                raise ModelError(f"ONNX Runtime cannot run it: {error}", where=self.spec, hint=hint) from error
        else:
            expected = evaluate(self.original, images)
        if not np.isfinite(expected).all():
            layer = _first_not_finite(self.model, images)
            hint = "Check the preprocessing: the pixels may be scaled wrongly for this network."
            raise ModelError(
                f"{layer or 'the network'} gives NaN or infinity for real images", where=self.spec, hint=hint
            )
        try:
            found = _run(session(self.model), images, 1)
        except Exception as error:  # each of ONNX Runtime's errors is a class of its own
            hint = "A Reshape in it may name the batch: export it with a batch of 1, or a dynamic one."
            raise ModelError(f"cannot run with a batch of 1: {error}", where=self.spec, hint=hint) from error
        if found.shape != expected.shape:
            raise ModelError(
                f"its output is {list(expected.shape[1:])} for an image, not one row of logits", where=self.spec
            )
        if self.softmax is not None:
            expected, found = _log_probabilities(expected, found, self.softmax)
        off = float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))
        if off > NOISE:
            raise InternalError(
                f"the float ONNX differs from the network by {off:.1e} of its largest output",
                where=self.spec,
                hint="Please report this network: a pass of EdgeGAP changed what it computes.",
            )
        return replace(self, original=None)


def _run(runner: Any, images: NDArray[np.float32], batch: int) -> NDArray[np.float32]:
    """The first output for each image, of a session that takes `batch` of them, or of lines [C, L], at a time; one of
    several inputs takes the channels of an image apart.
    """
    sources = runner.get_inputs()
    ends = np.cumsum([source.shape[1] for source in sources[:-1]], dtype=np.intp)
    given = images[:, :, 0] if len(sources[0].shape) == 3 else images
    outputs = []
    for image in given:
        parts = np.split(np.repeat(image[None], batch, axis=0), ends, axis=1)
        outputs.append(runner.run(None, {source.name: part for source, part in zip(sources, parts, strict=True)})[0])
    return np.concatenate([output[: len(output) // batch] for output in outputs])


def _log_probabilities(
    expected: NDArray[np.float32], found: NDArray[np.float32], softmax: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities or their logarithms, and logits, each as logarithms of probabilities, over axis 1: they part where
    the probabilities are too near 0 or 1 to. What float32 cannot tell from 0 counts as the smallest that it can.
    """
    if softmax == "Softmax":
        expected = np.log(np.maximum(expected, _TINY))
    found = log_softmax(found, axis=1)
    return np.maximum(expected, np.log(_TINY)), np.maximum(found, np.log(_TINY))


def _first_not_finite(model: ir.Model, images: NDArray[np.float32]) -> str | None:
    """The first layer, in the order of the graph, whose output is not finite for some image."""
    tapped = model.clone()
    tapped.graph.outputs.clear()
    tapped.graph.outputs.extend(node.outputs[0] for node in tapped.graph)
    runner = session(tapped)
    source = runner.get_inputs()[0].name
    for image in images:
        arrays = runner.run(None, {source: image[None]})
        for node, array in zip(tapped.graph, arrays, strict=True):
            if not np.isfinite(array).all():
                return describe(node)
    return None


@dataclass(frozen=True)
class Given:
    """MODEL as it was given, before any pass.

    Args:
        model: with one output.
        shape: C, H, W of its input.
        original: as in `FloatModel`.
        batch: likewise.
        notices: one line each on what was done to read it.
        softmax: as in `FloatModel`.
    """

    model: ir.Model
    shape: tuple[int, int, int]
    original: torch.nn.Module | Path
    batch: int | str
    notices: tuple[str, ...]
    softmax: str | None


def read_model(
    spec: str,
    weights: Path | None,
    input_shape: tuple[int, int, int] | None,
    seen: tuple[int, int, int] | None,
    trained: tuple[int, int, int] | None = None,
    *,
    channels: tuple[int, ...] = (),
    trust: bool = False,
) -> Given:
    """Read MODEL.

    Args:
        spec: `file.py:factory`, `package.module:factory`, `zoo:NAME`, a checkpoint, a `.pt2` exported program, or an
            `.onnx`, float or QDQ.
        weights: a state dict or a checkpoint, for a factory or a network of the zoo.
        input_shape: C, H, W as the user gave it.
        seen: C, H, W of the images, where there are any.
        trained: C, H, W that a checkpoint was trained with, where there is one.
        channels: of each input of a torch network that takes several, which `input_shape` joins.
        trust: whether a `.pt2` may be loaded, which can run any code.

    Raises:
        InputError: a call that does not fit the kind of MODEL.
        ModelError: and its kinds, for a network that cannot be read.
    """
    notices: list[str] = []
    if spec.endswith(".onnx"):
        if weights is not None:
            raise InputError("an .onnx file carries its own weights", where=str(weights), hint="Leave out --weights.")
        model = load_onnx(Path(spec), notices.append)
        original: torch.nn.Module | Path = Path(spec)
        batch = batch_of(model)
        own = static_input_shape(model)
        shape = _agreed(input_shape, own, seen, spec)
    else:
        original, batch = build(spec, weights, trust=trust, say=notices.append), 1
        shape = _agreed(input_shape, trained, seen, spec)
        model = trace(original, shape, spec, channels, notices.append)
    dropped = keep_first_output(model)
    if dropped is not None:
        notices.append(dropped)
    softmax = None if is_quantized(model) else leave_out_softmax(model)
    if softmax is not None:
        notices.append(
            f"the {softmax} that ends the network is left out: the files give the logits, whose largest is of the same "
            "class"
        )
    return Given(model, shape, original, batch, tuple(notices), softmax)


def given_model(
    settings: ExportSettings, seen: tuple[int, int, int] | None, trained: tuple[int, int, int] | None
) -> Given:
    """`read_model` of the MODEL of a call."""
    return read_model(
        settings.model,
        settings.weights,
        settings.input_shape,
        seen,
        trained,
        channels=settings.input_channels,
        trust=settings.trust,
    )


def load_model(given: Given, spec: str) -> FloatModel:
    """The canonical float model of what was given; its model is changed in place.

    Args:
        given: MODEL as `read_model` gave it.
        spec: what the user typed, to name it.

    Raises:
        ModelError: and its kinds, for a network that cannot be handled.
    """
    model = given.model
    try:
        if is_quantized(model):
            qdq = read_qdq(model, (1, *given.shape))
            return FloatModel(qdq.float_model, qdq.original, spec, given.batch, qdq, given.notices)
        canonicalize(model, (1, *given.shape))
        check_batch(model)
    except ModelError as error:
        error.where = error.where or spec
        raise
    return FloatModel(model, given.original, spec, given.batch, None, given.notices, given.softmax)


def _agreed(
    given: tuple[int, int, int] | None,
    own: tuple[int, int, int] | None,
    seen: tuple[int, int, int] | None,
    spec: str,
) -> tuple[int, int, int]:
    """The one C, H, W that the call, the file and the images agree on."""
    named = [(given, "--input-shape says"), (own, "the file takes"), (seen, "the preprocessed images have")]
    known = [(shape, who) for shape, who in named if shape is not None]
    if not known:
        hint = "Give --input-shape C,H,W (C,L of lines), or --calib and --preprocess, whose images show it."
        raise InputError("the size of the input is not known", where=spec, hint=hint)
    first, who = known[0]
    for shape, other in known[1:]:
        if shape != first:
            hint = "Set resize, crop and channels in the preprocessing so that the images have the network's size."
            raise InputError(f"{who} {_text(first)}, but {other} {_text(shape)}", where=spec, hint=hint)
    return first


def _text(shape: tuple[int, int, int]) -> str:
    return "C,H,W = " + ",".join(map(str, shape))
