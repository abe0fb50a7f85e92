"""The bundle folder: written whole or not at all, and checked when it is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegap.bundle.manifest import MANIFEST, Manifest, sha256, weights_file
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import BundleError
from edgegap.schema import read_record

MAKE_ROOM = "Make room there, or choose another folder with -o. Nothing was left behind."


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Args:
        path: the folder.
        manifest: its manifest.
    """

    path: Path
    manifest: Manifest

    def file(self, name: str) -> Path:
        """The path of a file in it."""
        return self.path / name


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise BundleError where writing a bundle to `path` would destroy something."""
    if not os.path.lexists(path):
        return
    if not force:
        raise BundleError("exists already", where=str(path), hint="Choose another folder, or replace it with --force.")
    if path.is_symlink() or not path.is_dir() or (any(path.iterdir()) and not (path / MANIFEST).is_file()):
        hint = "--force replaces bundles only: remove it yourself, or choose another folder."
        raise BundleError("is not a bundle", where=str(path), hint=hint)


@contextmanager
def new_bundle(path: Path, *, force: bool) -> Iterator[Path]:
    """A staging folder beside `path`, which becomes `path` when the block ends well and vanishes when it does not.

    Raises:
        BundleError: `path` exists and `force` is not given, or is not a bundle.
        DiskError: no space, no permission.
    """
    refuse_existing(path, force=force)
    with disk_errors(path, MAKE_ROOM):
        path.parent.mkdir(parents=True, exist_ok=True)
        with passing_folder(beside=path) as staging:
            content = staging / "new"
            content.mkdir()
            yield content
            refuse_existing(path, force=force)  # once more: the block may have taken minutes
            try:
                if os.path.lexists(path):
                    path.rename(staging / "old")
                content.rename(path)
            except BaseException:
                if not os.path.lexists(path) and (staging / "old").exists():
                    (staging / "old").rename(path)
                raise


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as readable JSON, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with disk_errors(path, MAKE_ROOM):
        try:
            path.parent.mkdir(exist_ok=True)
            partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and verify the hashes of its exported files.

    Raises:
        BundleError: no bundle there, a manifest that cannot be read, a file that is missing or was altered.
    """
    manifest_path = path / MANIFEST
    if not manifest_path.is_file():
        hint = "Give the folder that `edgegap export -o` wrote."
        raise BundleError("is not a bundle: it has no manifest.json", where=str(path), hint=hint)
    manifest = Manifest.from_json(read_record(manifest_path, "manifest"))
    for entry in manifest.files:
        file = path / entry.name
        if file.parent != path:
            raise BundleError("is missing", where=str(file), hint="Export the bundle again.")
        _verify(file, entry.sha256)
        if entry.weights_sha256 is not None:
            _verify(weights_file(file), entry.weights_sha256)
    return Bundle(path, manifest)


def _verify(file: Path, digest: str) -> None:
    if not file.is_file():
        raise BundleError("is missing", where=str(file), hint="Export the bundle again.")
    if sha256(file) != digest:
        hint = "It is not the file that was exported and checked: export the bundle again."
        raise BundleError("was altered: its hash is not the manifest's", where=str(file), hint=hint)
