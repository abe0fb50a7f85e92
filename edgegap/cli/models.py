"""`edgegap models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgegap.models.cost import Cost
    from edgegap.models.heads import HeadName

_COST = ("parameters", "float bytes", "MACs")
"""MACs are multiply-accumulates."""


@click.group("models", help="Models: the networks that `edgegap train` knows, and zoo:NAME elsewhere.")
def command() -> None:
    """The group."""


@command.command("list")
def list_() -> None:
    """List their names, each with what it costs with the head gap at the input C,H,W that it was made for.

    MACs are multiply-accumulates of one inference. Other inputs and numbers of classes work too.
    """
    from edgegap.models import ARCHITECTURES  # noqa: PLC0415  # imports what --help must not wait for

    click.echo(_row("name", "input", _COST, "what it is"))
    for name, architecture in ARCHITECTURES.items():
        click.echo(_row(name, _text(architecture.input_shape), _figures(_cost(name, "gap")), architecture.summary))


@command.command("show")
@click.argument("name", metavar="NAME")
def show(name: str) -> None:
    """Print the layers of one of them, and what it costs with each head."""
    from edgegap.models.catalogue import build_network, default_arguments, find_architecture  # noqa: PLC0415  # see above
    from edgegap.models.heads import HEADS  # noqa: PLC0415

    architecture = find_architecture(name)
    click.echo(f"{name}: {architecture.summary}")
    click.echo(f"input C,H,W {_text(architecture.input_shape)}, {architecture.classes} classes; others work too")
    click.echo(_row("head", "", _COST, ""))
    for head in HEADS:
        click.echo(_row(head, "", _figures(_cost(name, head)), ""))
    click.echo(str(build_network(name, default_arguments(name))))


def _cost(name: str, head: HeadName) -> Cost:
    """What a network costs, without computing anything."""
    from edgegap.models.catalogue import Arguments, build_network, default_arguments  # noqa: PLC0415  # see above
    from edgegap.models.cost import cost_of  # noqa: PLC0415
    from edgegap.needs_torch import import_torch  # noqa: PLC0415

    torch = import_torch("building a network", "read edgegap/models")
    made_for = default_arguments(name)
    with torch.device("meta"):
        network = build_network(name, Arguments(made_for.input_shape, made_for.classes, head))
        return cost_of(network, made_for.input_shape)


def _figures(cost: Cost) -> tuple[str, ...]:
    return tuple(f"{figure:,}" for figure in (cost.parameters, cost.bytes, cost.macs))


def _row(name: str, size: str, figures: tuple[str, ...], summary: str) -> str:
    parameters, size_bytes, macs = figures
    return f"{name:<12} {size:>9} {parameters:>10} {size_bytes:>11} {macs:>11}  {summary}".rstrip()


def _text(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))
