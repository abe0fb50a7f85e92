"""The folder that export makes: manifest, hashes, atomic writing."""

from edgegap.bundle.folder import Bundle, new_bundle, open_bundle, refuse_existing, write_json
from edgegap.bundle.manifest import MANIFEST, FileEntry, Manifest, describe_file, weights_file

__all__ = [
    "MANIFEST",
    "Bundle",
    "FileEntry",
    "Manifest",
    "describe_file",
    "new_bundle",
    "open_bundle",
    "refuse_existing",
    "weights_file",
    "write_json",
]
