"""The options that say on which device something runs; `check` and `bench` share them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # a verb's own imports wait until it is invoked
    from edgegap.run.devices import Where

_OPTIONS = (
    click.option(
        "--runtime",
        "runtimes",
        multiple=True,
        type=click.Choice(["onnxruntime", "ai-edge-litert", "tflite-runtime"]),
        help="In this runtime; can be repeated.",
    ),
    click.option("--target", default="desktop", show_default=True, help="The device: a target's name, or a .toml."),
    click.option(
        "--host",
        "hosts",
        multiple=True,
        metavar="USER@HOST",
        help="Where the target is reached, over ssh; can be repeated.",
    ),
    click.option("--emulate", is_flag=True, help="Emulate the target on this machine."),
    click.option(
        "--wheelhouse",
        type=click.Path(path_type=Path),
        help="A folder of wheels, for a host that has no internet.",
    ),
)


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --runtime, --target, --host, --emulate and --wheelhouse to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def where_of(options: dict[str, Any]) -> Where:
    """Take the options of `where_options`, but for --runtime, out of a command's."""
    from edgegap.run.devices import Where  # noqa: PLC0415

    return Where(*(options.pop(name) for name in ("target", "hosts", "emulate", "wheelhouse")))
