"""Many jobs on several devices at once: each device takes the next job when it is free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgegap.errors import DeviceError
from edgegap.run.device import Device
from edgegap.run.events import Event
from edgegap.run.job import Job, Result, run_job

OnImages = Callable[[int, int], None]
"""Called with how many images are done and how many there are, over all jobs."""


@dataclass(frozen=True)
class Pooled:
    """What a pool gave.

    Attributes:
        results: one per job, in their order.
        lost: the devices that failed, each with what it said; others did their jobs.
    """

    results: list[Result]
    lost: list[tuple[Device, DeviceError]]


def run_jobs(
    jobs: Sequence[Job], devices: Sequence[Device], on_images: OnImages | None = None, *, folder: Path | None = None
) -> Pooled:
    """Run `jobs` on `devices`, at most one at a time on each.

    A device that fails is given no more jobs, and what it was running goes to another. An error in a job's own input
    ends them all, and so does an exception in this thread (Ctrl-C): nothing runs any more when it leaves this function.

    Args:
        jobs: what to run.
        devices: where; at least one.
        on_images: told how far it is, from several threads but never from two at once.
        folder: to keep what is done in, so that the same jobs go on there after an interruption.

    Raises:
        InputError: as `run_job`.
        DeviceError: what the last device said, when all have failed.
    """
    work = _Work(jobs, on_images, folder)
    threads = [threading.Thread(target=work.serve, args=(device, len(devices)), daemon=True) for device in devices]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        work.give_up(None)
        for device in devices:
            device.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    if work.error is not None:
        raise work.error
    return Pooled([work.results[k] for k in range(len(jobs))], work.lost)


@dataclass
class _Work:
    """The jobs that wait, and those that are done; shared by one thread per device."""

    jobs: Sequence[Job]
    on_images: OnImages | None
    folder: Path | None
    results: dict[int, Result] = field(default_factory=dict)
    lost: list[tuple[Device, DeviceError]] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting = deque(range(len(self.jobs)))
        self._ended = False
        self._running: set[int] = set()
        self._done = [0] * len(self.jobs)
        self._total = sum(len(np.load(job.inputs, mmap_mode="r")) for job in self.jobs) if self.on_images else 0

    def serve(self, device: Device, devices: int) -> None:
        """Run jobs on a device until there are no more, or it fails."""
        while (number := self._next()) is not None:
            try:
                result = run_job(self.jobs[number], device, self._listener(number), folder=self.folder)
            except DeviceError as error:
                self._lose(number, device, error, devices)
                return
            except BaseException as error:  # reported by the thread that waits
                self.give_up(error)
                return
            with self._changed:
                self.results[number] = result
                self._running.discard(number)
                self._changed.notify_all()

    def give_up(self, error: BaseException | None) -> None:
        """Start no more jobs."""
        with self._changed:
            self._ended = True
            self.error = self.error or error
            self._changed.notify_all()

    def _next(self) -> int | None:
        """The next job; waits while there is none but one that runs elsewhere may come back."""
        with self._changed:
            while not self._ended:
                if self._waiting:
                    number = self._waiting.popleft()
                    self._running.add(number)
                    return number
                if not self._running:
                    break
                self._changed.wait()
            return None

    def _lose(self, number: int, device: Device, error: DeviceError, devices: int) -> None:
        with self._changed:
            self.lost.append((device, error))
            self._running.discard(number)
            self._waiting.appendleft(number)
            self._changed.notify_all()
        if len(self.lost) == devices:
            self.give_up(error)

    def _listener(self, number: int) -> Callable[[Event], None]:
        def on_event(event: Event) -> None:
            if event["event"] == "progress" and self.on_images is not None:
                with self._changed:
                    self._done[number] = event["done"]
                    self.on_images(sum(self._done), self._total)

        return on_event
