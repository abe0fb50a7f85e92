"""The `edgegap` command: a group that imports a verb's code when it is invoked, and turns errors into exit statuses."""

from __future__ import annotations

import importlib
import sys
import traceback

import click

from edgegap import __version__
from edgegap.cli.interrupt import Interrupt
from edgegap.errors import EXIT_STATUS, EdgeGapError, InternalError, exit_status

_VERBS = {
    "bench": "Measure latency, memory and size of a bundle's files.",
    "check": "Compare a bundle's files with the float network on a data set.",
    "doctor": "Say what a device lacks, and how to get it; set up emulated boards.",
    "explain": "Draw class confidence maps, float beside int8.",
    "export": "Write a network as ONNX and TFLite, float and int8.",
    "gap": "Give a network a GAP head in place of its fully connected layers.",
    "models": "Show the networks that can be trained.",
    "ops": "Show which ops are supported, as what, and how exactly.",
    "recipes": "Show how ranges and weights can be chosen.",
    "report": "Draw the records of bundles as one page.",
    "targets": "Show the devices that have a profile.",
    "train": "Train a network that ends in global average pooling.",
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


def dispatch(arguments: list[str] | None) -> int:
    """Run a verb and return the exit status.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came.
    """
    interrupt = Interrupt()
    interrupt.install()
    try:
        result = main.main(args=arguments, prog_name="edgegap", standalone_mode=False)
    except BaseException as error:
        if interrupt.came:  # compiled modules turn KeyboardInterrupt into errors of their own
            raise KeyboardInterrupt from error
        return _status(error)
    return result if isinstance(result, int) else 0


def _status(error: BaseException) -> int:
    """Print an error, and give its exit status; one that nobody foresaw is a bug, and is shown whole."""
    match error:
        case EdgeGapError():
            click.echo(f"edgegap: {error}", err=True)
            return exit_status(error)
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort():  # what click makes of a KeyboardInterrupt
            raise KeyboardInterrupt from error
        case BrokenPipeError():
            sys.stderr.close()  # the reader of our output is gone; there is nobody to tell
            return 0
        case Exception():
            traceback.print_exception(error)
            click.echo("edgegap: this is a bug of EdgeGAP's; please report it with the lines above", err=True)
            return EXIT_STATUS[InternalError]
    raise error
