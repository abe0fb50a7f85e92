"""Images in: from what a person types (a folder, an .npz, a callable, the digits) to batches of pixels."""

from __future__ import annotations

from edgegap.data.batch import Batch, batches
from edgegap.data.classes import read_classes, read_titles
from edgegap.data.preprocess import PRESETS, Preprocessing, load_preprocessing
from edgegap.data.source import DataSource, Sample
from edgegap.data.spec import open_data

__all__ = [
    "PRESETS",
    "Batch",
    "DataSource",
    "Preprocessing",
    "Sample",
    "batches",
    "load_preprocessing",
    "open_data",
    "read_classes",
    "read_titles",
]
