"""What each artifact answered, kept until the check is complete, so that an interrupted one can go on."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Manifest
from edgegap.check.images import ImageSet
from edgegap.disk import disk_errors
from edgegap.run import Result

MAKE_ROOM = "Make room there: the answers so far are kept in the bundle until the check is complete."


@dataclass(frozen=True, eq=False)
class Answers:
    """What an artifact answered.

    Args:
        outputs: [n, classes], in the artifact's output dtype.
        runtime: that it ran in.
        version: of the runtime.
        session: options that were set for this machine: key, value and why.
    """

    outputs: NDArray[Any]
    runtime: str
    version: str
    session: list[dict[str, str]]

    @classmethod
    def of(cls, result: Result) -> Answers:
        """Those of a job's result."""
        return cls(result.outputs.reshape(len(result.outputs), -1), result.runtime, result.version, result.session)


class Unfinished:
    """The answers of a check so far, in the bundle's `checks` folder.

    Args:
        checks: that folder.
        manifest: of the bundle; the hashes of its files are part of the key.
        images: that are run; so is their content.
        resume: whether answers of an earlier check with the same key count.
    """

    def __init__(self, checks: Path, manifest: Manifest, images: ImageSet, *, resume: bool) -> None:
        key = sha256("".join(entry.sha256 for entry in manifest.files).encode())
        with open(images.path, "rb") as file:
            while chunk := file.read(1 << 20):
                key.update(chunk)
        self._folder = checks / f".unfinished-{key.hexdigest()[:16]}"
        if not resume:
            self.finish()

    def get(self, artifact: str) -> Answers | None:
        """The answers of `artifact`, or None where there are none, or none that can be read."""
        try:
            with np.load(self._folder / f"{artifact}.npz", allow_pickle=False) as kept:
                return Answers(kept["outputs"], **json.loads(str(kept["facts"])))
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, artifact: str, answers: Answers) -> None:
        """Keep the answers of `artifact`, whole or not at all."""
        path = self._folder / f"{artifact}.npz"
        partial = path.with_suffix(".partial")
        facts = {"runtime": answers.runtime, "version": answers.version, "session": answers.session}
        with disk_errors(path, MAKE_ROOM):
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(partial, "wb") as file:
                np.savez(file, outputs=answers.outputs, facts=json.dumps(facts))
            partial.replace(path)

    def finish(self) -> None:
        """Forget them."""
        shutil.rmtree(self._folder, ignore_errors=True)
