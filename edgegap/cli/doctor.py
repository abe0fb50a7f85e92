"""`edgegap doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.errors import DeviceError, InputError


@click.command("doctor")
@click.option("--host", metavar="USER@HOST", help="The device: anything that ssh takes.")
@click.option("--target", metavar="T", help="Its profile: a target's name, or a .toml.")
@click.option("--runtime", "runtimes", multiple=True, metavar="R", help="Look at this runtime only.")
@click.option("--wheelhouse", type=click.Path(path_type=Path), help="Wheels for a device without internet.")
@click.option("--purge", is_flag=True, help="Remove everything that EdgeGAP put on the device.")
@click.option("--setup-emulator", is_flag=True, help="Set up the emulated board of --target, or all of them.")
@json_option
def command(
    host: str | None,
    target: str | None,
    runtimes: tuple[str, ...],
    wheelhouse: Path | None,
    purge: bool,
    setup_emulator: bool,
    json_path: str | None,
) -> None:
    """Say what a device has, what it lacks, and how to get it.

    \b
    edgegap doctor --host pi@raspberrypi.local --target pi5
    edgegap doctor --host pi@raspberrypi.local --purge
    edgegap doctor --setup-emulator --target pi5

    The exit status is 0 when it is ready, or will be on first use, and 3 otherwise.
    """
    if setup_emulator:
        _set_up(target)
    elif host is None:
        raise InputError("no device to look at", hint="Give --host USER@HOST, or --setup-emulator.")
    elif purge:
        from edgegap.run.ssh.doctor import purge as purge_device  # noqa: PLC0415  # what --help must not wait for

        purge_device(host)
        click.echo(f"{host}: nothing that EdgeGAP put there is left")
    elif target is None:
        raise InputError("no profile to compare it with", where="--target", hint="`edgegap targets list` has them.")
    else:
        _examine(host, target, runtimes, wheelhouse, json_path)


def _set_up(name: str | None) -> None:
    from edgegap.resources import resource_names  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.run.emulate import set_up  # noqa: PLC0415
    from edgegap.run.target import load_target  # noqa: PLC0415

    targets = [load_target(each) for each in ([name] if name else resource_names("targets"))]
    emulated = [target for target in targets if target.emulator is not None]
    if not emulated:
        raise InputError("this target cannot be emulated", where=name, hint="Its profile has no [emulator].")
    with progress_bars() as progress:
        set_up(emulated, progress)
    click.echo(f"set up: {', '.join(target.name for target in emulated)}")


def _examine(host: str, target: str, runtimes: tuple[str, ...], wheelhouse: Path | None, json_path: str | None) -> None:
    from edgegap.run.ssh import Ssh  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.run.ssh.doctor import examine  # noqa: PLC0415
    from edgegap.run.target import load_target  # noqa: PLC0415

    profile = load_target(target)
    with progress_bars() as progress:
        device = Ssh(host, profile, wheelhouse=wheelhouse, progress=progress)
        findings = examine(device, runtimes or tuple(profile.runtimes))
        device.close()
    missing = [finding.name for finding in findings if finding.state == "missing"]
    record = {
        "schema": "edgegap.doctor/1",
        "host": host,
        "target": profile.name,
        "ready": not missing,
        "findings": [asdict(finding) for finding in findings],
    }
    emit(record, (), json_path, _show)
    if missing:
        raise DeviceError(f"not ready: {', '.join(missing)}", where=host)


def _show(record: dict[str, Any], console: Console) -> None:
    console.print(f"{escape(record['host'])} as {escape(record['target'])}")
    width = max(len(finding["name"]) for finding in record["findings"])
    for finding in record["findings"]:
        console.print(f"{finding['state']:<8} {escape(finding['name']):<{width}}  {escape(finding['found'])}")
        if finding["hint"]:
            console.print(f"{'':<8} {'':<{width}}  {escape(finding['hint'])}")
