"""MODEL of `edgegap train --qat`: what `edgegap export` takes, or a bundle, which stands for its float network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgegap.bundle import Bundle, open_bundle
from edgegap.check.check import REFERENCE
from edgegap.data import Preprocessing, load_preprocessing
from edgegap.errors import DataError, InputError
from edgegap.graph.factory import checkpoint_of
from edgegap.train.images import TrainingData

_JOINED = " + "


@dataclass(frozen=True)
class Source:
    """Where a training begins.

    Args:
        model: MODEL as export takes it.
        preprocess: likewise, a name or a `.toml`; None where MODEL says it.
        preprocessing: what that means.
        classes: in the order of the outputs, where MODEL says it.
        classes_file: them as export takes them; None where MODEL says it.
        recipe: to quantize with.
    """

    model: str
    preprocess: str | None
    preprocessing: Preprocessing | None
    classes: tuple[str, ...] | None
    classes_file: Path | None
    recipe: str

    def check_classes(self, data: TrainingData) -> None:
        """Refuse images whose labels mean other classes.

        Raises:
            DataError: they do.
        """
        if None not in (self.classes, data.classes) and self.classes != data.classes:
            hint = "Both need the same classes in the same order: give the data that the network was trained with."
            raise DataError("its classes are not those of the network", where=data.spec, hint=hint)


def trained(recipe: str, epochs: int) -> str:
    """How a manifest calls a recipe and a training after it."""
    return f"{recipe}{_JOINED}{epochs} epochs of training"


def open_source(model: str, weights: Path | None, preprocess: str | None, recipe: str | None, folder: Path) -> Source:
    """Read what MODEL says of itself.

    Args:
        model: MODEL, or a bundle.
        weights: a state dict or a checkpoint, for a factory or a network of the zoo.
        preprocess: a name or a `.toml`, in place of what MODEL says.
        recipe: likewise.
        folder: for files that stand for what a bundle says.

    Raises:
        InputError: and its kinds, for a call that does not fit MODEL, a bundle that is altered or lacks its float
            network, and weights that cannot be read.
    """
    given = None if preprocess is None else load_preprocessing(preprocess)
    if Path(model).is_dir():
        if weights is not None:
            raise InputError("a bundle carries its own weights", where=str(weights), hint="Leave out --weights.")
        return _of_bundle(open_bundle(Path(model)), preprocess, given, recipe, folder)
    checkpoint = checkpoint_of(model, weights)
    own = None if checkpoint is None else checkpoint.preprocessing
    classes = None if checkpoint is None else checkpoint.classes
    return Source(model, preprocess, given or own, classes, None, recipe or "default")


def _of_bundle(
    bundle: Bundle, preprocess: str | None, given: Preprocessing | None, recipe: str | None, folder: Path
) -> Source:
    manifest = bundle.manifest
    if not any(entry.name == REFERENCE for entry in manifest.files):
        hint = "Give the network that it was made of."
        raise InputError(f"has no {REFERENCE} to train", where=str(bundle.path), hint=hint)
    if given is None and manifest.preprocessing is not None:
        given = Preprocessing.from_json(manifest.preprocessing)
        file = folder / "preprocess.toml"
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in given.to_json().items() if value is not None]
        file.write_text("".join(lines), encoding="utf-8")
        preprocess = str(file)
    classes = None
    if manifest.classes is not None and not any(" " in name for name in manifest.classes):  # a line's first word
        classes = folder / "classes.txt"
        rows = zip(manifest.classes, manifest.titles or manifest.classes, strict=True)
        classes.write_text("".join(f"{name} {title}\n" for name, title in rows), encoding="utf-8")
    made_by = (manifest.recipe or "default").split(_JOINED)[0]
    return Source(str(bundle.file(REFERENCE)), preprocess, given, manifest.classes, classes, recipe or made_by)
