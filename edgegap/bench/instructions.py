"""Instructions per inference, which stand for time where time means nothing: in emulation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgegap.bench.artifacts import Artifact
from edgegap.run.emulate import count_instructions
from edgegap.run.job import Runtime
from edgegap.run.target import Target

_MACS = 8
"""int8 multiply-accumulates of one instruction of AArch64: SMLAL takes 8, SDOT 16."""

_MACS_SDOT = 16


def instruction_mix(target: Target, artifact: Artifact, runtime: Runtime) -> dict[str, float | None]:
    """Count the instructions of one inference on an emulated board, by one thread.

    Returns:
        total, mac (multiply-accumulate) and memory (load and store), as `count_instructions` tells them apart; ideal:
        the fewest multiply-accumulate instructions that an int8 network needs there; ideal_pct: their share of total.
        None where nobody knows, as for float and on other machines than AArch64.

    Raises:
        DeviceError: and its kinds, as `count_instructions`.
    """
    mix: dict[str, Any] = asdict(count_instructions(target, artifact.path, runtime))
    least = ideal(artifact.int8_macs, target)
    return mix | {"ideal": least, "ideal_pct": None if least is None else 100 * least / mix["total"]}


def ideal(int8_macs: int | None, target: Target) -> float | None:
    """How many instructions so many multiply-accumulates need at least."""
    if int8_macs is None or target.machine != "aarch64":
        return None
    return int8_macs / (_MACS_SDOT if "asimddp" in target.isa else _MACS)
