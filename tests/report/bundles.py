"""Bundles of hand-made records: the files in them are no networks, for a report reads none."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

Record = dict[str, Any]

RECORDS = Path(__file__).parent / "records"
SIZES = {"float.onnx": 4096, "float.tflite": 4000, "int8.onnx": 1500, "int8.tflite": 1024}


def record(name: str) -> Record:
    """One of records/, to be changed."""
    loaded: Record = json.loads((RECORDS / f"{name}.json").read_text())
    return loaded


def picture(side: int = 8, *, noise: bool = False) -> bytes:
    """A PNG."""
    image = Image.effect_noise((side, side), 80) if noise else Image.new("L", (side, side), 90)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def make_bundle(
    folder: Path,
    checks: Sequence[Record] = (),
    *,
    benches: Sequence[Record] = (),
    maps: Record | None = None,
    **manifest: object,
) -> Path:
    """A bundle of these records; `manifest` changes fields of its manifest."""
    folder.mkdir()
    files = []
    for name, size in SIZES.items():
        content = bytes(size)
        (folder / name).write_bytes(content)
        precision, form = name.split(".")
        digest = hashlib.sha256(content).hexdigest()
        files.append({"name": name, "format": form, "precision": precision, "bytes": size, "sha256": digest})
    write(folder / "manifest.json", record("manifest") | {"files": files} | manifest)
    for kind, records in (("checks", checks), ("benches", benches)):
        for k, one in enumerate(records):
            write(folder / kind / f"{k}.json", one)
    if maps is not None:
        write(folder / "maps" / "maps.json", maps)
        for entry in maps["images"]:
            (folder / "maps" / entry["file"]).write_bytes(picture())
    return folder


def full_bundle(folder: Path) -> Path:
    """A bundle with a record of every kind."""
    return make_bundle(folder, [record("check")], benches=[record("bench")], maps=record("maps"))


def write(path: Path, content: Record) -> None:
    """Write a record, in a folder that need not exist."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
