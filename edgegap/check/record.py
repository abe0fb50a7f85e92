"""The record of a check, as far as the answers alone tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Bundle
from edgegap.check.accuracy import Row, gate_of, reference_of, result_of
from edgegap.check.identity import Identity
from edgegap.check.per_class import confusions, per_class
from edgegap.check.settings import CheckSettings
from edgegap.run.environment import environment
from edgegap.run.local import DESKTOP

_CONFUSIONS = 10


def record_of(
    bundle: Bundle,
    settings: CheckSettings,
    rows: Sequence[Row],
    labels: NDArray[np.int64] | None,
    identities: Sequence[Identity],
) -> dict[str, Any]:
    """The record 'edgegap.check/1', with nothing yet where findings and the linter go.

    Args:
        bundle: that was checked.
        settings: that it was checked with.
        rows: the reference, then every other run.
        labels: int64 [n]; None where there are none.
        identities: of the int8 runs.
    """
    manifest, reference = bundle.manifest, rows[0]
    names = manifest.class_names
    results = [result_of(row, reference, labels) for row in rows[1:]]
    n = len(reference.logits)
    int8 = next((row for row in rows if row.scale is not None), None)
    classes = [] if int8 is None else per_class(labels, reference.predictions, int8.predictions, names)
    confused = [] if int8 is None else confusions(labels, reference.predictions, int8.predictions, names)
    here = [row.result for row in rows if row.target == DESKTOP]
    return {
        "schema": "edgegap.check/1",
        "n": n,
        "data": settings.data,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle_model": manifest.model,
        "head": manifest.head,
        "classes": names,
        "exactness": manifest.exactness,
        "reference": reference_of(reference, labels),
        "results": results,
        "identity": [identity.to_json() for identity in identities],
        "gate": _gate(settings, rows, results, n),
        "per_class": [asdict(row) for row in classes],
        "confusions": [asdict(row) for row in confused[:_CONFUSIONS]],
        "layers": None,
        "maps": None,
        "shift": None,
        "environment": {
            **asdict(environment()),
            "runtimes": {result.runtime: result.version for result in here},
            "session": [option for result in here for option in result.session],
        },
        "devices": _devices(rows),
        "files": [asdict(entry) for entry in manifest.files],
        "commands": [settings.command(bundle.path)],
    }


def _gate(
    settings: CheckSettings, rows: Sequence[Row], results: Sequence[dict[str, Any]], n: int
) -> dict[str, Any] | None:
    """The gate, on the int8 run that lost most."""
    if settings.max_drop_pp is None:
        return None
    int8 = [result for row, result in zip(rows[1:], results, strict=True) if row.scale is not None]
    return gate_of(max(int8, key=lambda result: float(result["drop_pp"])), n, settings.max_drop_pp)


def _devices(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The devices beside this machine, by their profiles; a record names no host."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.target != DESKTOP:
            new = {"target": row.target, "machine": row.result.machine, "runtimes": {}, "session": []}
            entry = found.setdefault(row.target, new)
            entry["runtimes"][row.result.runtime] = row.result.version
            entry["session"] += [option for option in row.result.session if option not in entry["session"]]
    return list(found.values())
