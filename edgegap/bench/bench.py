"""`edgegap bench`: what files cost on a device, as one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from edgegap.bench.artifacts import Artifact
from edgegap.bench.conditions import Conditions, conditions
from edgegap.bench.doubts import doubts
from edgegap.bench.figures import latency_ms, median_ci95_ms, ratio, windows
from edgegap.bench.instructions import instruction_mix
from edgegap.bench.measure import Latency, Start, measure_latency, measure_start
from edgegap.progress import Progress
from edgegap.run.device import Device
from edgegap.run.events import Event
from edgegap.run.job import Runtime
from edgegap.run.steady import warmup_rounds
from edgegap.run.target import Target

Record = dict[str, Any]


@dataclass(frozen=True)
class BenchSettings:
    """What to measure.

    Args:
        runtimes: each runs those of the artifacts that are its own.
        threads: for the runtimes; 1 up to the device's cores if None.
        time_limit_s: for each runtime and number of threads, seconds.
        sustain_s: instead, how long to go on whatever is known, to see the device heat up; on all cores then, unless
            `threads` says otherwise.
    """

    runtimes: Sequence[Runtime]
    threads: int | None = None
    time_limit_s: float = 30
    sustain_s: float | None = None


@dataclass(frozen=True)
class Benched:
    """What a bench found.

    Args:
        record: 'edgegap.bench/1'.
        notices: one line each on what a user should know.
    """

    record: Record
    notices: tuple[str, ...]


def bench(artifacts: Sequence[Artifact], device: Device, settings: BenchSettings, progress: Progress) -> Benched:
    """Measure artifacts on a device whose time is real.

    Raises:
        InputError: an artifact without one fixed input.
        DeviceError: and its kinds, such as a runtime that cannot run a file.
    """
    work = _Work(artifacts, device, settings, progress)
    for runtime in settings.runtimes:
        work.measure(runtime)
    return Benched(work.record(), tuple(dict.fromkeys(work.notices)))


def bench_emulated(
    artifacts: Sequence[Artifact], target: Target, runtimes: Sequence[Runtime], progress: Progress
) -> Benched:
    """Count the instructions of artifacts on an emulated board, where no time means anything.

    Raises:
        DeviceError: the emulator is not set up; and its kinds, such as a runtime that cannot run a file.
    """
    pairs = [(artifact, runtime) for runtime in runtimes for artifact in artifacts if artifact.runs_in(runtime)]
    rows = []
    for done, (artifact, runtime) in enumerate(pairs):
        progress("counting instructions", done, len(pairs))
        mix = instruction_mix(target, artifact, runtime)
        row = _row(artifact, runtime, target.name, threads=1)
        rows.append(row | {"instructions": mix["total"], "instruction_mix": mix})
    notice = f"{target.name} is emulated: time means nothing there, and instructions per inference stand instead"
    environment = {"runtimes": {runtime: target.runtimes[runtime] for runtime in runtimes}}
    return Benched(_record(rows, emulated=True) | {"environment": environment}, (notice,))


def thread_counts(cores: int) -> list[int]:
    """1 to 4, then doubling, and all cores: as many as there are."""
    counts = {1, 2, 3, 4, *(2**k for k in range(3, cores.bit_length())), cores}
    return sorted(count for count in counts if count <= cores)


@dataclass
class _Work:
    """A bench under way: what it has found so far."""

    artifacts: Sequence[Artifact]
    device: Device
    settings: BenchSettings
    progress: Progress
    rows: list[Record] = field(default_factory=list)
    ratios: list[Record] = field(default_factory=list)
    conditions: list[Record] = field(default_factory=list)
    readies: list[Event] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def measure(self, runtime: Runtime) -> None:
        """All that a runtime runs, with each number of threads."""
        group = [artifact for artifact in self.artifacts if artifact.runs_in(runtime)]
        for threads in self._threads(group[0], runtime):
            said = f"{runtime}, {_threads(threads)}"
            starts = []
            for k, artifact in enumerate(group):
                self.progress(f"loading in {said}", k, len(group))
                starts.append(measure_start(self.device, artifact, runtime, threads))
            latency = self._latency(group, runtime, threads, f"timing in {said}, seconds")
            around = conditions(latency.samples)
            slowed = around.during.throttled
            for k, (artifact, start) in enumerate(zip(group, starts, strict=True)):
                row = _row(artifact, runtime, self.device.target, threads) | _start_figures(start)
                figures = _latency_figures(latency, k, self.settings.sustain_s)
                self.rows.append(row | figures | {"throttled": None if slowed is None else bool(slowed)})
            self.ratios += _ratios(group, latency, runtime, threads)
            self.conditions.append({"runtime": runtime, "threads": threads, **asdict(around)})
            self.readies.append(latency.ready)
            self.notices += self._remarks(said, around, latency, self.rows[-len(group) :])

    def _threads(self, artifact: Artifact, runtime: Runtime) -> list[int]:
        """The numbers of threads to measure with: the device says how many cores it has."""
        wanted = self.settings.threads
        cores: int = measure_start(self.device, artifact, runtime, wanted or 1).ready["cores"]
        if wanted is None:
            return [cores] if self.settings.sustain_s else thread_counts(cores)
        if wanted > cores:
            self.notices.append(f"{self.device.place} has {cores} cores: {wanted} threads share them and gain nothing")
        return [wanted]

    def _latency(self, group: Sequence[Artifact], runtime: Runtime, threads: int, stage: str) -> Latency:
        return measure_latency(
            self.device,
            group,
            runtime,
            threads,
            lambda done, total: self.progress(stage, done, total),
            seconds=self.settings.sustain_s or self.settings.time_limit_s,
            sustain=self.settings.sustain_s is not None,
        )

    def _remarks(self, said: str, around: Conditions, latency: Latency, rows: Sequence[Record]) -> Iterator[str]:
        if around.during.throttled:
            slowed = ", ".join(around.during.throttled)
            yield f"{said}: {self.device.place} was throttled meanwhile ({slowed}); unthrottled it is faster"
        if self.settings.sustain_s is None:
            _, settled = warmup_rounds(latency.series)
            yield from (f"{said}: {doubt}" for doubt in doubts(rows, self.settings.time_limit_s, settled=settled))
        for option in latency.ready["session"]:
            yield f"{latency.ready['runtime']} ran with {option['key']}={option['value']}: {option['why']}"

    def record(self) -> Record:
        """All of it."""
        options = [option for ready in self.readies for option in ready["session"]]
        environment = {
            **self.readies[-1]["environment"],
            "governor": self.readies[-1]["governor"],
            "runtimes": {ready["runtime"]: ready["version"] for ready in self.readies},
            "session": [option for k, option in enumerate(options) if option not in options[:k]],
        }
        found = {"ratios": self.ratios, "conditions": self.conditions, "environment": environment}
        return _record(self.rows, emulated=False) | found


def _start_figures(start: Start) -> Record:
    return {"load_ms": start.load_ms, "first_ms": start.first_ms, "peak_rss_mib": start.peak_rss_mib}


def _latency_figures(latency: Latency, k: int, sustain_s: float | None) -> Record:
    """What the row of artifact `k` says of its time."""
    cut, _ = warmup_rounds(latency.series)
    times = latency.series[k]
    steady = times[cut:]
    return {
        "n": int(steady.size),
        "warmup_runs": int(times[:cut].size),
        "latency_ms": latency_ms(steady),
        "latency_ci95_ms": median_ci95_ms(steady),
        "conversion_ms": latency.conversions_ms[k],
        "sustained": None if sustain_s is None else windows(times, latency.starts[:, k], latency.samples, sustain_s),
    }


def _ratios(group: Sequence[Artifact], latency: Latency, runtime: Runtime, threads: int) -> Iterator[Record]:
    """Each artifact against the first, which is the float one in a bundle."""
    cut, _ = warmup_rounds(latency.series)
    first = latency.series[0][cut:]
    for artifact, times in zip(group[1:], latency.series[1:], strict=True):
        names = {"artifact": artifact.name, "against": group[0].name, "runtime": runtime, "threads": threads}
        yield names | ratio(times[cut:], first)


def _row(artifact: Artifact, runtime: Runtime, target: str, threads: int) -> Record:
    """A result whose one figure is the file's size."""
    return {
        "artifact": artifact.name,
        "runtime": runtime,
        "target": target,
        "threads": threads,
        "bytes": artifact.path.stat().st_size,
        "n": 0,
        "warmup_runs": 0,
        "latency_ms": None,
        "latency_ci95_ms": None,
        "conversion_ms": None,
        "load_ms": None,
        "first_ms": None,
        "peak_rss_mib": None,
        "instructions": None,
        "instruction_mix": None,
        "throttled": None,
        "sustained": None,
    }


def _record(rows: list[Record], *, emulated: bool) -> Record:
    """A record names no host."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": "edgegap.bench/1", "date": date, "emulated": emulated, "results": rows}


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"
