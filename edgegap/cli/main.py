"""The `edgegap` command: a group that imports a verb's code when it is invoked, and turns errors into exit statuses."""

from __future__ import annotations

import importlib
import signal
import sys

import click

from edgegap import __version__
from edgegap.errors import EdgeGapError, exit_status

INTERRUPTED = 130

_VERBS = {
    "check": "Compare a bundle's files with the float network on a data set.",
    "export": "Write a network as ONNX and TFLite, float and int8.",
    "recipes": "Show how ranges and weights can be chosen.",
    "targets": "Show the devices that have a profile.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, called like the command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs."""
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, its module imported now."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(f"edgegap.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(_VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="edgegap")
def main() -> None:
    """One int8 quantization of a CNN, written as ONNX and TFLite with the same integers, and checked.

    \b
    edgegap export MODEL --weights W --int8 --calib DATA --preprocess P -o BUNDLE
    edgegap check BUNDLE --data DATA
    """


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 done; 1 a gate failed; 2 the input or the call is wrong; 3 a device, disk or runtime failed; 130 interrupted.
    """
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # a terminated export cleans up as an interrupted one does
    try:
        result = main.main(args=arguments, prog_name="edgegap", standalone_mode=False)
    except EdgeGapError as error:
        click.echo(f"edgegap: {error}", err=True)
        return exit_status(error)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("edgegap: interrupted; nothing half-written was left behind", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone; there is nobody to tell
        return 0
    return result if isinstance(result, int) else 0
