"""How good a quantization is: measured on the artifact, in its runtime, and never on the network that learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.check.predict import Prediction, predict
from edgegap.disk import disk_errors
from edgegap.progress import silent
from edgegap.train.evaluate import Accuracy

_MAKE_ROOM = "Make room there, or point TMPDIR at a folder with more."


@dataclass
class Measure:
    """Runs networks over images in ONNX Runtime, exactly as `check` does.

    Args:
        images: labelled.
        folder: for the files.
        threads: for the runtime.

    Attributes:
        answers: the class of each image, int64 [n], by every network that was measured, in order.
    """

    images: ImageSet
    folder: Path
    threads: int
    answers: list[NDArray[np.int64]] = field(default_factory=list)

    def __call__(self, model: ir.Model) -> Accuracy:
        """How good a network is: float, or the QDQ model of an export."""
        path = self.folder / "measured.onnx"
        with disk_errors(path, _MAKE_ROOM):
            ir.save(model, path)
        (result,) = predict([Prediction(path, self.images, threads=self.threads)], silent)
        scores = result.outputs.reshape(len(result.outputs), -1).astype(np.float64)
        answers = scores.argmax(axis=1)
        self.answers.append(answers)
        top = scores.max(axis=1)
        own = scores[np.arange(len(scores)), self.images.labels]
        loss = top + np.log(np.exp(scores - top[:, None]).sum(axis=1)) - own
        return Accuracy(float(loss.mean()), 100 * float((answers == self.images.labels).mean()))
