"""What the layers that --max-drop keeps in float buy and cost, as a record and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx_ir as ir

from edgegap.disk import passing_folder
from edgegap.export.timing import cost_us
from edgegap.progress import Progress
from edgegap.quantize.mixed import Mixed
from edgegap.quantize.normal_form import Io

WritePair = Callable[[ir.Model, Path], None]
"""Writes a QDQ model as int8.onnx and int8.tflite into a folder."""


def float_layers(
    mixed: Mixed, staging: Path, formats: Sequence[str], io: Io, write_pair: WritePair, progress: Progress
) -> list[dict[str, Any]]:
    """The `float_layers` of a record; their time is measured, each against the same network with it in int8.

    Args:
        mixed: what was found.
        staging: the folder with its int8 files.
        formats: of the files to time.
        io: of those files.
        write_pair: writes further ones.
        progress: told how far it is.

    Raises:
        DeviceError: and its kinds: a runtime cannot run a file.
    """
    kept = mixed.parts.float_layers
    with passing_folder() as folder:
        others = {layer.name: folder / str(k) for k, layer in enumerate(mixed.kept)}
        for name, other in others.items():
            other.mkdir()
            write_pair(replace(mixed.parts, float_layers=kept - {name}).normal_form(io), other)
        costs: dict[str, dict[str, float]] = {name: {} for name in others}
        for form in formats if others else ():
            file = f"int8.{form}"
            for name, us in cost_us(staging / file, {n: p / file for n, p in others.items()}, progress).items():
                costs[name][file] = round(us, 3)
    return [
        {
            "name": layer.name,
            "op": layer.op,
            "module": layer.module,
            "buys_pp": layer.buys_pp,
            "costs_kib": layer.costs_kib,
            "costs_us": costs[layer.name],
        }
        for layer in mixed.kept
    ]


def evidence(mixed: Mixed, max_drop_pp: float | None, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What quantization.json says of it."""
    return {
        "max_drop_pp": max_drop_pp,
        "measure": mixed.measure,
        "images": mixed.images,
        "int8_pp": mixed.int8_pp,
        "mixed_pp": mixed.mixed_pp,
        "float_layers": list(layers),
    }


def kept_notices(mixed: Mixed, layers: Sequence[dict[str, Any]]) -> list[str]:
    """One line for each layer."""
    notices = []
    for layer in layers:
        module = f" (module {layer['module']})" if layer["module"] else ""
        times = "".join(f", {us:+.0f} us in {file}" for file, us in layer["costs_us"].items())
        notices.append(
            f"{layer['op']} '{layer['name']}'{module} stays in float: it buys {layer['buys_pp']:.2f} pp "
            f"({mixed.measure} on {mixed.images} calibration images) and costs {layer['costs_kib']:.1f} KiB{times}"
        )
    return notices
