"""The records of a bundle, read and validated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgegap.bundle import MANIFEST, open_bundle
from edgegap.errors import BundleError
from edgegap.schema import Kind, read_record

Record = dict[str, Any]

MAPS = Path("maps", "maps.json")
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class BundleRecords:
    """Every record of one bundle; a field that a record leaves out is None.

    Args:
        folder: of the bundle.
        manifest: 'edgegap.manifest/1'.
        quantization: 'edgegap.quantization/1'; None in a float bundle.
        checks: 'edgegap.check/1' by file name, the newest first.
        benches: 'edgegap.bench/1' by file name, likewise.
        maps: 'edgegap.explain/1'; None where there is none.
    """

    folder: Path
    manifest: Record
    quantization: Record | None
    checks: dict[str, Record]
    benches: dict[str, Record]
    maps: Record | None

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.resolve().name

    def picture(self, file: str) -> bytes:
        """The PNG of one entry of `maps`.

        Raises:
            BundleError: it is missing, or no PNG.
        """
        path = self.folder / MAPS.with_name(file)
        hint = "Draw the maps again with `edgegap explain`."
        try:
            content = path.read_bytes()
        except OSError as error:
            what = f"is named in {MAPS.name} and cannot be read: {error.strerror}"
            raise BundleError(what, where=str(path), hint=hint) from error
        if not content.startswith(_PNG):
            raise BundleError("is not a PNG", where=str(path), hint=hint)
        return content

    def to_json(self) -> Record:
        """All records in one object."""
        return {
            "bundle": str(self.folder),
            "manifest": self.manifest,
            "quantization": self.quantization,
            "checks": list(self.checks.values()),
            "benches": list(self.benches.values()),
            "maps": self.maps,
        }


def read_bundle(folder: Path) -> BundleRecords:
    """Open a bundle, verify the hashes of its files, and read its records.

    Raises:
        BundleError: no bundle there, a file that was altered, or a record that is not one; names the file.
    """
    open_bundle(folder)
    quantization, maps = folder / "quantization.json", folder / MAPS
    return BundleRecords(
        folder,
        read_record(folder / MANIFEST, "manifest"),
        read_record(quantization, "quantization") if quantization.is_file() else None,
        _read_all(folder / "checks", "check"),
        _read_all(folder / "benches", "bench"),
        read_record(maps, "explain") if maps.is_file() else None,
    )


def _read_all(folder: Path, kind: Kind) -> dict[str, Record]:
    records = {path.name: read_record(path, kind) for path in sorted(folder.glob("[!.]*.json"))}
    return dict(sorted(records.items(), key=lambda item: _date(item[1]), reverse=True))


def _date(record: Record) -> datetime:
    try:
        date = datetime.fromisoformat(record["date"])
    except (TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
