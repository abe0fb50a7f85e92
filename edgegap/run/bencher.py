"""Measures artifacts where they are meant to run: `python -I bencher.py job.json`, events as JSON lines on stdout.

Travels beside runner.py, environment.py, steady.py and conditions.py, and needs what runner.py needs. The fields of the
job are runner.py's, but for `inputs`; in addition

- `artifacts`: the fields of the files to measure, the first of them `artifact`
- `tables`: for each of them the table from pixel to value, or null for random values
- `measure`: 'start' (one artifact in a process of its own) or 'latency' (artifacts that take turns in one process)
- `seconds`: 'latency' ends when it is precise and after so many seconds at the latest; `sustain`: exactly then

The events are runner.py's, but for

- `ready`: runtime, version, threads, session, cores (that this process may use), environment, governor
- `progress`: done, total (seconds)
- `done` of 'start': load_ms, first_ms, peak_rss_kib (over what the imported runtime takes; null where nobody says)
- `done` of 'latency': samples (conditions, each with `ns`); files of int64 nanoseconds, by name: an artifact's field
  [rounds, runs]; 'starts' [rounds, artifacts], when each turn began; 'conversions' [artifacts with a table, runs]
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np


def sibling(name: str) -> ModuleType:
    """A module that lies beside this file; `python -I` leaves the script's folder out of sys.path."""
    spec = importlib.util.spec_from_file_location(f"edgegap_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018  (a .py file has both)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # the folder of a job is for what it gives

if TYPE_CHECKING:
    from edgegap.run import conditions, environment, runner, steady
else:
    conditions, environment, runner, steady = map(sibling, ("conditions", "environment", "runner", "steady"))

MIN_ROUNDS = 10
MIN_RUNS, MAX_RUNS = 5, 100  # of one turn: 10 rounds are at least 50 runs
TURN_NS = 25_000_000
SETTLE_NS = 5_000_000
SAMPLE_NS = 1_000_000_000
PROGRESS_NS = 200_000_000
MOST_RUNS = 1 << 21  # kept in memory, of all artifacts: 16 MiB
CONVERSIONS = 50
RUNS_FOR_MEMORY = 5

clock = time.perf_counter_ns


class Network:
    """A loaded artifact and an input for it."""

    def __init__(self, name: str, job: dict[str, Any], folder: Path) -> None:
        artifact = runner.verified(folder, job[name])
        began = clock()
        self.runtime = runner.load(job, name, artifact, folder)
        self.load_ns = clock() - began
        expected = self.runtime.input()
        sizes = expected["shape"]
        if len(sizes) != 4 or not all(isinstance(size, int) and size > 0 for size in sizes):
            what = f"input '{expected['name']}' takes {expected['dtype']} {sizes}: bench needs four fixed sizes"
            raise runner.RunnerError("input", what)
        rng = np.random.default_rng(0)
        last = self.runtime.channels_last
        n, *middle = sizes
        height, width, channels = middle if last else (*middle[1:], middle[0])
        self.pixels = rng.integers(0, 256, (n, height, width, channels), np.uint8)
        self.table = runner.open_table(job["tables"][name], self.pixels)
        self.values = random_values(rng, expected) if self.table is None else self.convert()
        runner.check_input(expected, self.values)

    def convert(self) -> np.ndarray:
        """Pixels through the table, in the runtime's layout."""
        return runner.arrange(self.pixels, self.table, self.runtime.channels_last)

    def run(self) -> None:
        """One inference."""
        try:
            self.runtime.run(self.values)
        except Exception as error:  # each runtime raises its own classes
            raise runner.RunnerError(runner.kind_of(error, "run"), str(error)) from error


def random_values(rng: np.random.Generator, expected: dict[str, Any]) -> np.ndarray:
    """What stands in for an image where nobody knows how pixels become values: 0 to 1, or every integer."""
    dtype, shape = np.dtype(expected["dtype"]), expected["shape"]
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.asarray(rng.integers(limits.min, limits.max, shape, dtype, endpoint=True))
    return np.asarray(rng.random(shape), dtype)


def start(job: dict[str, Any], folder: Path, events: Any) -> None:
    """Load and run one artifact in this fresh process."""
    with contextlib.suppress(Exception):  # `load` says what is wrong with it
        runner.RUNTIMES[job["runtime"]]()
    before = memory_kib()
    network = Network("artifact", job, folder)
    announce(job, network, events)
    began = clock()
    network.run()
    first_ns = clock() - began
    for _ in range(RUNS_FOR_MEMORY):
        network.run()
    events.send(
        "done",
        files=[],
        optimized=None,
        load_ms=network.load_ns / 1e6,
        first_ms=first_ns / 1e6,
        peak_rss_kib=more_memory_kib(before, memory_kib()),
    )


def memory_kib() -> dict[str, int]:
    """What Linux says of this process: VmRSS, and VmHWM, the most since the last call; empty elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # starts VmHWM anew: proc(5)
    except OSError:
        return {}
    return {
        key: int(value.split()[0])
        for key, _, value in (line.partition(":") for line in lines)
        if key in ("VmRSS", "VmHWM")
    }


def more_memory_kib(before: dict[str, int], after: dict[str, int]) -> int | None:
    """How far the peak lies above what the process took before."""
    return after["VmHWM"] - before["VmRSS"] if before and after else None


def announce(job: dict[str, Any], network: Network, events: Any) -> None:
    """The `ready` event."""
    events.send(
        "ready",
        runtime=job["runtime"],
        version=network.runtime.version,
        threads=job["threads"],
        session=network.runtime.facts()["session"],
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        environment=asdict(environment.environment()),
        governor=conditions.governor(),
    )


def latency(job: dict[str, Any], folder: Path, events: Any) -> None:
    """Let artifacts take turns, so that clock, heat and other programs hit all of them alike."""
    samples = [conditions.conditions() | {"ns": 0}]
    networks = [Network(name, job, folder) for name in job["artifacts"]]
    announce(job, networks[0], events)
    turns = Turns(networks, wait=job["threads"] > 1)
    gc.disable()
    began = told = sampled = clock()
    limit, check_at = int(job["seconds"] * 1e9), MIN_ROUNDS
    while True:
        turns.round()
        now = clock()
        if now - sampled >= SAMPLE_NS:
            samples.append(conditions.conditions() | {"ns": now - began})
            sampled = now
        if now - told >= PROGRESS_NS:
            events.send("progress", done=(now - began) // 10**9, total=limit // 10**9)
            told = now
        if now - began >= limit:
            break
        if not job["sustain"] and turns.rounds() >= check_at:
            if steady.is_precise(turns.series(), MIN_ROUNDS):
                break
            check_at = turns.rounds() * 11 // 10 + 1
    samples.append(conditions.conditions() | {"ns": clock() - began})
    arrays = dict(zip(job["artifacts"], turns.series(), strict=True))
    arrays["starts"] = np.array(turns.starts, np.int64) - began
    arrays["conversions"] = np.array(
        [conversions(network) for network in networks if network.table is not None], np.int64
    )
    files = [write(folder / f"{number}.raw", name, array) for number, (name, array) in enumerate(arrays.items())]
    events.send("done", files=files, optimized=None, samples=samples)


class Turns:
    """Rounds in which each network has one turn, in random order. A turn is so many timed runs behind a few untimed.

    Attributes:
        starts: for each round kept, when each network's turn began.
    """

    def __init__(self, networks: list[Network], *, wait: bool) -> None:
        self.networks = networks
        self.wait = wait
        self.runs = [min(max(TURN_NS // single(network.run), MIN_RUNS), MAX_RUNS) for network in networks]
        self.times: list[list[np.ndarray]] = []
        self.starts: list[list[int]] = []
        self.rng = np.random.default_rng(0)
        self.made = 0
        self.every = 1

    def round(self) -> None:
        """One more round. When memory is full, every second round is dropped, and only every second one kept."""
        starts, times = [0] * len(self.networks), [np.empty(0)] * len(self.networks)
        for k in self.rng.permutation(len(self.networks)):
            if self.wait:
                wait_until_idle()
            starts[k] = clock()
            times[k] = turn(self.networks[k].run, self.runs[k])
        if self.made % self.every == 0:
            self.starts.append(starts)
            self.times.append(times)
        self.made += 1
        if self.rounds() * sum(self.runs) > MOST_RUNS:
            del self.starts[1::2], self.times[1::2]
            self.every *= 2

    def rounds(self) -> int:
        """How many are kept."""
        return len(self.times)

    def series(self) -> list[np.ndarray]:
        """For each network the time of each run, int64 [rounds, runs], nanoseconds."""
        return [np.stack([times[k] for times in self.times]) for k in range(len(self.networks))]


def single(run: Callable[[], None]) -> int:
    """The second run's time, nanoseconds; the first makes what later ones reuse."""
    run()
    began = clock()
    run()
    return max(clock() - began, 1)


def turn(run: Callable[[], None], runs: int) -> np.ndarray:
    """Times of `runs` runs, nanoseconds, behind untimed ones that fill the caches again, which another network used."""
    began = clock()
    run()
    while clock() - began < SETTLE_NS:
        run()
    times = np.empty(runs, np.int64)
    for k in range(runs):
        began = clock()
        run()
        times[k] = clock() - began
    return times


def wait_until_idle() -> None:
    """Wait, a second at most, until the threads of the network before have stopped spinning: they would take a core."""
    deadline = clock() + 10**9
    while clock() < deadline:
        before = time.process_time_ns()
        time.sleep(0.002)
        if time.process_time_ns() - before < 200_000:
            return


def conversions(network: Network) -> list[int]:
    """Times of turning pixels into the runtime's input, nanoseconds, behind a first that fills the caches."""
    network.convert()
    times = []
    for _ in range(CONVERSIONS):
        began = clock()
        network.convert()
        times.append(clock() - began)
    return times


def write(path: Path, name: str, array: np.ndarray) -> dict[str, Any]:
    """Write an array as raw bytes, and say what is in the file."""
    path.write_bytes(array.tobytes())
    facts = {"name": name, "file": path.name, "shape": list(array.shape), "dtype": array.dtype.name}
    return {**facts, "sha256": runner.sha256(path)}


def execute(job: dict[str, Any], folder: Path, events: Any) -> None:
    """The whole job."""
    {"start": start, "latency": latency}[job["measure"]](job, folder, events)


if __name__ == "__main__":
    sys.exit(runner.main(Path(sys.argv[1]), execute))
