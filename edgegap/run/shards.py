"""The images of a job shared out over several devices, and their answers put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from edgegap.disk import disk_errors
from edgegap.run.events import MAKE_ROOM
from edgegap.run.job import Job, Result


def split(job: Job, parts: int, folder: Path) -> list[Job]:
    """The same job as up to `parts` jobs, each on an even run of the images.

    Args:
        job: to share out.
        parts: at most one per image.
        folder: for their images; those of another job on the same images are found there again.

    Raises:
        DiskError: no room.
    """
    images = np.load(job.inputs, mmap_mode="r")
    parts = min(parts, len(images))
    if parts == 1:
        return [job]
    edges = [k * len(images) // parts for k in range(parts + 1)]
    jobs = []
    for start, stop in pairwise(edges):
        path = folder / f"{job.inputs.stem}-{start}-{stop}.npy"
        if not path.exists():
            with disk_errors(path, MAKE_ROOM):
                np.save(path, images[start:stop])
        jobs.append(replace(job, inputs=path))
    return jobs


def join(results: Sequence[Result]) -> Result:
    """The answers of a job that was split, in the order of its images; all else as the first has it."""
    return replace(results[0], outputs=np.concatenate([result.outputs for result in results]))
