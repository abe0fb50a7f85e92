"""The command line."""

from edgegap.cli.main import run

__all__ = ["run"]
