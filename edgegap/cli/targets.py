"""`edgegap targets`."""

from __future__ import annotations

from edgegap.cli.catalogue import catalogue


def _load(name: str) -> object:
    from edgegap.run.target import load_target  # noqa: PLC0415  # imports what --help must not wait for

    return load_target(name)


command = catalogue("targets", "targets", "Targets: the devices that a bundle can be made for.", _load)
