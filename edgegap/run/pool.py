"""Many jobs on several devices at once: each device takes the next job when it is free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgegap.errors import DeviceError
from edgegap.run.device import Device
from edgegap.run.events import Event, OnEvent
from edgegap.run.job import Job, Result, run_job

OnImages = Callable[[int, int], None]
"""Called with how many images are done and how many there are, over all jobs."""


@dataclass(frozen=True)
class Batch:
    """Jobs for any of some devices.

    Args:
        jobs: what to run.
        devices: where; at least one.
    """

    jobs: Sequence[Job]
    devices: Sequence[Device]


@dataclass(frozen=True)
class Pooled:
    """What a batch gave.

    Attributes:
        results: one per job, in their order.
        lost: the devices that failed, each with what it said; others did their jobs.
    """

    results: list[Result]
    lost: list[tuple[Device, DeviceError]]


def run_batches(
    batches: Sequence[Batch], on_images: OnImages | None = None, *, folder: Path | None = None
) -> list[Pooled]:
    """Run batches side by side; each device takes the next job of its batch when it is free.

    A device that fails is given no more jobs, and what it was running goes to another. An error in a job's own input
    ends them all, and so does an exception in this thread (Ctrl-C): nothing runs any more when it leaves this function.

    Args:
        batches: what to run, and where.
        on_images: told how far it is, from several threads but never from two at once.
        folder: to keep what is done in, so that the same jobs go on there after an interruption.

    Raises:
        InputError: as `run_job`.
        DeviceError: what the last device of a batch said, when all of them have failed.
    """
    meter = _Meter([job for batch in batches for job in batch.jobs], on_images)
    works = [_Work(batch, meter, folder) for batch in batches]
    failed: list[BaseException] = []

    def serve(work: _Work, device: Device) -> None:
        try:
            work.serve(device)
        except BaseException as error:  # raised again by the thread that waits
            failed.append(error)
            end()

    def end() -> None:
        for work in works:
            work.end()
        for batch in batches:
            for device in batch.devices:
                device.stop()

    threads = [
        threading.Thread(target=serve, args=(work, device), daemon=True)
        for work in works
        for device in work.batch.devices
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        end()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    if failed:
        raise failed[0]
    return [work.pooled() for work in works]


class _Meter:
    """How many images are done, over all jobs."""

    def __init__(self, jobs: Sequence[Job], on_images: OnImages | None) -> None:
        self._on_images = on_images
        self._lock = threading.Lock()
        self._done: dict[object, int] = {}
        self._total = sum(len(np.load(job.inputs, mmap_mode="r")) for job in jobs) if on_images else 0

    def listener(self, job: object) -> OnEvent | None:
        """What counts the events of a job, given what tells it from the others; its device may change."""
        if self._on_images is None:
            return None
        on_images = self._on_images

        def on_event(event: Event) -> None:
            if event["event"] == "progress":
                with self._lock:
                    self._done[job] = event["done"]
                    on_images(sum(self._done.values()), self._total)

        return on_event


class _Work:
    """The jobs of a batch that wait, and those that are done; shared by one thread per device."""

    def __init__(self, batch: Batch, meter: _Meter, folder: Path | None) -> None:
        self.batch = batch
        self._meter = meter
        self._folder = folder
        self._changed = threading.Condition()
        self._waiting = deque(range(len(batch.jobs)))
        self._running = 0
        self._ended = False
        self._results: dict[int, Result] = {}
        self._lost: list[tuple[Device, DeviceError]] = []

    def serve(self, device: Device) -> None:
        """Run jobs on a device until there are no more, or it fails.

        Raises:
            InputError: as `run_job`.
            DeviceError: it failed, and it was the last one.
        """
        while (number := self._next()) is not None:
            job = self.batch.jobs[number]
            try:
                result = run_job(job, device, self._meter.listener((self, number)), folder=self._folder)
            except DeviceError as error:
                if self._lose(number, device, error):
                    return
                raise
            with self._changed:
                self._results[number] = result
                self._running -= 1
                self._changed.notify_all()

    def end(self) -> None:
        """Start no more jobs."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def pooled(self) -> Pooled:
        """What it gave, when all is done."""
        return Pooled([self._results[k] for k in range(len(self.batch.jobs))], self._lost)

    def _next(self) -> int | None:
        """The next job; waits while there is none but one that runs elsewhere may come back."""
        with self._changed:
            while not self._ended and not self._waiting and self._running:
                self._changed.wait()
            if self._ended or not self._waiting:
                return None
            self._running += 1
            return self._waiting.popleft()

    def _lose(self, number: int, device: Device, error: DeviceError) -> bool:
        """Give a job back that a device failed at; False when there is no other device."""
        with self._changed:
            self._lost.append((device, error))
            self._running -= 1
            self._waiting.appendleft(number)
            self._changed.notify_all()
            return len(self._lost) < len(self.batch.devices)
