"""`list` and `show` for the TOML files of one folder; `recipes` and `targets` are this, twice."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import click

from edgegap.resources import Kind, resource, resource_names


def catalogue(kind: Kind, name: str, summary: str, load: Callable[[str], object]) -> click.Group:
    """The commands `edgegap NAME list` and `edgegap NAME show FILE`.

    Args:
        kind: the folder.
        name: of the verb.
        summary: its help.
        load: reads one by name or path, and raises what is wrong with it.
    """

    @click.group(name, help=summary)
    def group() -> None:
        pass

    @group.command("list")
    def list_() -> None:
        """List their names, each with its description."""
        names = resource_names(kind)
        width = max(map(len, names))
        for entry in names:
            description = tomllib.loads(resource(kind, entry).read_text(encoding="utf-8"))["description"]
            click.echo(f"{entry:<{width}} {description}")

    @group.command("show")
    @click.argument("file", metavar="NAME")
    def show(file: str) -> None:
        """Print one of them, or a file of your own, once it is found to be right."""
        load(file)
        click.echo(resource(kind, file).read_text(encoding="utf-8"), nl=False)

    return group
