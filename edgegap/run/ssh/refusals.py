"""What the agent refuses, as errors that say what to do."""

from __future__ import annotations

from typing import Any

from edgegap.errors import DeviceError, DiskError, RuntimeFailure

_OFFLINE = [
    "Temporary failure in name resolution",
    "Name or service not known",
    "Failed to establish a new connection",
    "Network is unreachable",
    "timed out",
]


def refusal(line: dict[str, Any], host: str, runtime: str) -> DeviceError:
    """The error for a `refused` line.

    Args:
        line: of agent.py.
        host: as the user gave it.
        runtime: that the request was about.
    """
    message: str = line["message"]
    where = f"{host}:{line['where']}" if line["where"] else host
    match line["kind"]:
        case "disk":
            hint = f"Make room there: `edgegap doctor --host {host} --purge` removes all that EdgeGAP keeps."
            return DiskError(message, where=where, hint=hint)
        case "venv":
            hint = f"Install what is missing there: apt install python3-venv\n{message}"
            return DeviceError("its Python cannot make virtual environments", where=host, hint=hint)
        case "numpy":
            return DeviceError("it has no NumPy", where=host, hint="Install it there: apt install python3-numpy")
        case "import":
            hint = "Its wheel is for another system: does the target's profile describe this device?"
            return RuntimeFailure(f"{runtime} cannot be imported: {message}", where=host, hint=hint)
        case "pip":
            return _not_installed(message, host, runtime)
    return DeviceError(message, where=where, hint="Run it again.")


def _not_installed(said: str, host: str, runtime: str) -> RuntimeFailure:
    tail = "\n".join(said.splitlines()[-4:])
    if any(words in said for words in _OFFLINE):
        hint = f"Fill a folder here with its wheels (pip download) and give it as --wheelhouse.\n{tail}"
        return RuntimeFailure(f"it has no {runtime} and no internet to get it", where=host, hint=hint)
    return RuntimeFailure(f"pip cannot install {runtime} there", where=host, hint=tail)
