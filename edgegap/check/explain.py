"""Class maps of single images as pictures: `edgegap explain`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Bundle, FileEntry, Manifest, write_json
from edgegap.check.images import MAKE_ROOM, ImageSet
from edgegap.check.loading import input_grid, load_images, open_for
from edgegap.check.maps import (
    ClassMaps,
    FloatMaps,
    MapSimilarity,
    class_maps,
    class_name,
    compare_maps,
    float_maps,
    no_maps,
    similarity,
)
from edgegap.check.overlay import Caption, Pixels, draw
from edgegap.check.predict import OutputGrid
from edgegap.check.taps import subset
from edgegap.data.folder import FolderSource
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import BundleError, DataError, InputError
from edgegap.progress import Progress

RECORD = "maps.json"
MOVED = 6
"""Images of the data that are drawn because their maps moved most."""

ORDINARY = 3
"""Images that are drawn beside them, from the middle of the order."""

_NO_INT8 = "there is no int8.onnx: the maps are of the float network alone"


@dataclass(frozen=True)
class Explained:
    """What was drawn.

    Args:
        record: the JSON record, 'edgegap.explain/1'.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Drawing:
    """An image that gets a picture.

    Args:
        index: of the image in its set.
        why: 'asked', 'moved' or 'ordinary'.
    """

    index: int
    why: str


def explain(
    bundle: Bundle,
    output: Path,
    progress: Progress,
    *,
    where: Path,
    data: str | None,
    image: Path | None,
    classes: Path | None,
    samples: int,
) -> Explained:
    """Draw the class maps, float beside int8, of one image file, and of the images of a data set that moved most.

    Without int8.onnx the maps of the float network stand alone, and the images are spread evenly over the data set.

    Args:
        bundle: opened, its hashes verified.
        output: a folder that appears whole or not at all; one that an earlier call wrote is replaced.
        progress: told how far it is.
        where: what the person gave, for errors: the bundle, or the checkpoint that it was made of.
        data: DATA; None for the image alone.
        image: an image file; None for the data alone.
        classes: a file with the order of the classes; the bundle's own where None.
        samples: how many images of the data are looked at, spread evenly over it; 0 for all.

    Raises:
        InputError: neither image nor data, a head without class maps, a bundle without float.onnx.
        DataError: images that do not fit the bundle.
        RuntimeFailure: an artifact that a runtime cannot run.
    """
    if data is None and image is None:
        raise InputError("there is nothing to explain", hint="Give --data DATA, --image FILE, or both.")
    if image is not None and not image.is_file():
        raise DataError("no such file", where=str(image), hint="Give the path of an image, JPEG or PNG, with --image.")
    _refuse_foreign(output)
    work = _Explanation(bundle, where, progress)
    entries: list[dict[str, Any]] = []
    notices: list[str] = []
    summary: MapSimilarity | None = None
    with (
        disk_errors(tempfile.gettempdir(), MAKE_ROOM),
        passing_folder() as folder,
        _staged(output) as staging,
    ):
        if image is not None:
            one = _load_one(bundle, image, folder / "image.npy", progress)
            entries += work.draw(one, work.maps(one), [_Drawing(0, "asked")], staging, len(entries))
        if data is not None:
            opened = open_for(bundle, data, classes)
            everything = load_images(bundle, opened, folder / "images.npy", progress)
            some = subset(everything, samples or len(everything), folder / "some.npy")
            maps = work.maps(some)
            if isinstance(maps, ClassMaps):
                summary = compare_maps(maps, some.names, bundle.manifest.class_names)
            entries += work.draw(some, maps, _chosen(maps), staging, len(entries))
            notices = [f"skipped an image: {why}" for why in opened.skipped]
        record = {
            "schema": "edgegap.explain/1",
            "bundle_model": bundle.manifest.model,
            "head": bundle.manifest.head,
            "artifact": work.artifact,
            "data": data,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "maps": None if summary is None else summary.to_json(),
            "images": entries,
        }
        write_json(staging / RECORD, record)
    return Explained(record, (*notices, *(() if work.artifact else (_NO_INT8,))))


class _Explanation:
    """One bundle, whose class maps are computed and drawn."""

    def __init__(self, bundle: Bundle, where: Path, progress: Progress) -> None:
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._progress = progress
        self._entry, reference = (_entry(bundle, name) for name in ("int8.onnx", "float.onnx"))
        if reference is None:
            hint = "Export it again, and leave out --format."
            raise InputError("has no float.onnx, which the maps are computed from", where=str(where), hint=hint)
        self._network = bundle.file(reference.name)
        why = no_maps(self._network, self._manifest.head)
        if why is not None:
            hint = "Class maps come from a global average pool in the head: 'gap' or 'gap-linear'."
            raise InputError(why.why, where=str(where), hint=hint)

    @property
    def artifact(self) -> str | None:
        """The int8 file whose maps stand beside the float network's; None where there is none."""
        return None if self._entry is None else self._entry.name

    def maps(self, images: ImageSet) -> FloatMaps:
        """The class maps of `images`; `ClassMaps` where there is an int8 file."""
        if self._entry is None:
            return float_maps(self._network, self._manifest.head, images, self._progress)
        return class_maps(
            self._network,
            self._bundle.file(self._entry.name),
            self._manifest.head,
            images,
            input_grid(self._manifest, self._entry),
            _output_grid(self._manifest),
            self._progress,
        )

    def draw(
        self, images: ImageSet, maps: FloatMaps, drawings: Sequence[_Drawing], folder: Path, first: int
    ) -> list[dict[str, Any]]:
        """Write one PNG for each drawing; what the record says of them."""
        entries = []
        for number, drawing in enumerate(drawings, first + 1):
            entry = self._entry_of(images, maps, drawing)
            entry["file"] = f"{number:02d}-{_file_name(entry['image'])}.png"
            shown, heading = [maps.float_maps[drawing.index]], entry["image"]
            if isinstance(maps, ClassMaps):
                shown.append(maps.int8_maps[drawing.index])
                heading += f"   ·   correlation {entry['pearson']:.3f}, IoU of the top 20 % {entry['iou']:.2f}"
            picture = draw(self._pixels(images, drawing.index), shown, _captions(entry), heading)
            with disk_errors(folder, MAKE_ROOM):
                picture.save(folder / entry["file"], optimize=True)
            entries.append(entry)
            self._progress("drawing", number - first, len(drawings))
        return entries

    def _entry_of(self, images: ImageSet, maps: FloatMaps, drawing: _Drawing) -> dict[str, Any]:
        k = drawing.index
        answer, label = int(maps.classes[k]), int(images.labels[k])
        names = self._manifest.class_names
        entry: dict[str, Any] = {
            "file": "",
            "image": images.names[k],
            "class": class_name(answer, names),
            "label": None if label < 0 else class_name(label, names),
            "int8_class": None,
            "float_pct": 100 * float(_softmax(maps.float_logits[k])[answer]),
            "int8_pct": None,
            "pearson": None,
            "iou": None,
            "why": drawing.why,
        }
        if isinstance(maps, ClassMaps):
            entry["int8_class"] = class_name(int(maps.int8_logits[k].argmax()), names)
            entry["int8_pct"] = 100 * float(_softmax(maps.int8_logits[k])[answer])
            entry["pearson"], entry["iou"] = similarity(maps.float_maps[k], maps.int8_maps[k])
        return entry

    def _pixels(self, images: ImageSet, index: int) -> Pixels:
        """One image as RGB [H, W, 3]; values that are preprocessed already are stretched from black to white."""
        image = np.load(images.path, mmap_mode="r")[index]
        if images.table is None:
            values = image.transpose(1, 2, 0)
            lo, hi = float(values.min()), float(values.max())
            image = np.rint(255 * (values - lo) / (hi - lo if hi > lo else 1)).astype(np.uint8)
        elif (self._manifest.preprocessing or {}).get("channels") == "bgr":
            image = image[..., ::-1]
        rgb = image if image.shape[2] == 3 else image[..., :1].repeat(3, axis=2)
        return np.ascontiguousarray(rgb)


def _load_one(bundle: Bundle, image: Path, path: Path, progress: Progress) -> ImageSet:
    source = FolderSource(str(image.parent), ((image.name, None),), None, strict=False)
    try:
        return load_images(bundle, source, path, progress)
    except DataError as error:
        raise DataError(error.what, where=str(image), hint=error.hint) from None


def _entry(bundle: Bundle, name: str) -> FileEntry | None:
    return next((entry for entry in bundle.manifest.files if entry.name == name), None)


def _output_grid(manifest: Manifest) -> OutputGrid:
    if manifest.output_scale is None:
        raise BundleError("does not say what integers its int8 files give", hint="Export the bundle again.")
    return OutputGrid(manifest.output_scale, manifest.output_zero_point)


def _chosen(maps: FloatMaps) -> list[_Drawing]:
    """The images whose maps correlate least, then some from the middle of the rest; without int8, as many, spread."""
    if not isinstance(maps, ClassMaps):
        n = len(maps.classes)
        spread = np.linspace(0, n - 1, min(n, MOVED + ORDINARY)).round().astype(int).tolist()
        return [_Drawing(index, "ordinary") for index in spread]
    pairs = zip(maps.float_maps, maps.int8_maps, strict=True)
    order = np.argsort([similarity(a, b)[0] for a, b in pairs], kind="stable").tolist()
    rest = order[MOVED:]
    begin = max(0, (len(rest) - ORDINARY) // 2)
    moved = [_Drawing(index, "moved") for index in order[:MOVED]]
    return moved + [_Drawing(index, "ordinary") for index in rest[begin : begin + ORDINARY]]


def _captions(entry: dict[str, Any]) -> list[Caption]:
    label = "" if entry["label"] is None else f"label: {entry['label']}"
    captions = [Caption("image", label), Caption(f"float: {entry['class']}", f"{entry['float_pct']:.1f} %")]
    if entry["int8_class"] is not None:
        answers = "" if entry["int8_class"] == entry["class"] else f", answers {entry['int8_class']}"
        detail = f"{entry['int8_pct']:.1f} %{answers}"
        captions.append(Caption(f"int8: {entry['class']}", detail, alarm=bool(answers)))
    return captions


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    probabilities: NDArray[np.float64] = powers / powers.sum()
    return probabilities


def _file_name(image: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", image).strip("-")[-60:] or "image"


def _refuse_foreign(output: Path) -> None:
    """Refuse to replace anything but what an earlier call wrote."""
    if output.is_dir() and (not any(output.iterdir()) or (output / RECORD).is_file()):
        return
    if output.exists() or output.is_symlink():
        hint = "Choose another folder with -o."
        raise InputError(f"exists, and holds no {RECORD} of an earlier call", where=str(output), hint=hint)


@contextmanager
def _staged(output: Path) -> Iterator[Path]:
    """A folder beside `output`, which takes its place when the block ends well and vanishes when it does not."""
    with disk_errors(output, "Make room there, or choose another folder with -o."):
        output.parent.mkdir(parents=True, exist_ok=True)
        with passing_folder(beside=output) as staging:
            (staging / "new").mkdir()
            yield staging / "new"
            if output.exists():
                output.rename(staging / "old")
            (staging / "new").rename(output)
