"""`list` and `show` for the TOML files of one folder; `recipes` and `targets` are this, twice."""

from __future__ import annotations

import tomllib

import click

from edgegap.resources import Kind, resource, resource_names


def catalogue(kind: Kind, name: str, summary: str) -> click.Group:
    """The commands `edgegap NAME list` and `edgegap NAME show FILE`."""

    @click.group(name, help=summary)
    def group() -> None:
        pass

    @group.command("list")
    def list_() -> None:
        """List their names, each with its description."""
        for entry in resource_names(kind):
            description = tomllib.loads(resource(kind, entry).read_text(encoding="utf-8"))["description"]
            click.echo(f"{entry:<12} {description}")

    @group.command("show")
    @click.argument("file", metavar="NAME")
    def show(file: str) -> None:
        """Print one of them."""
        click.echo(resource(kind, file).read_text(encoding="utf-8"), nl=False)

    return group
