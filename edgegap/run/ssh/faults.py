"""What OpenSSH's client says when it fails, as errors that say what to do."""

from __future__ import annotations

import re

from edgegap.errors import DeviceError

CONNECTION_FAILED = 255  # ssh's own exit status; any other is the remote command's


class ConnectionLost(DeviceError):  # noqa: N818  # it says what happened, not that it is one
    """A connection that could not be made or broke off, and that may come back."""


_UNREACHABLE = [
    (r"Could not resolve hostname", "there is no such host", "Check the name; a board's own is often NAME.local."),
    (r"Connection refused", "it refuses the connection", "Is it up, with an ssh server on this port?"),
    (r"timed out|Timeout, server", "it does not answer", "Is it up, and in a network that this machine reaches?"),
    (r"No route to host|Network is unreachable", "it cannot be reached", "Is it up, and in the same network?"),
]

_REFUSED = [
    (
        r"HOST IDENTIFICATION HAS CHANGED",
        "its host key is another one than known_hosts has",
        "If the board was set up anew: ssh-keygen -R its name, then `ssh {host}` once. Otherwise find out why.",
    ),
    (
        r"Host key verification failed|host key is known",
        "its host key is unknown",
        "Run `ssh {host}` once and compare the fingerprint.",
    ),
    (
        r"Permission denied|Too many authentication failures",
        "it refuses this user or key",
        "`ssh {host}` must work without a password: ssh-copy-id {host}, or name another user as USER@HOST.",
    ),
    (r"Bad configuration option|[Bb]ad owner or permissions|line \d+: ", "ssh's configuration is wrong", "{said}"),
]


def fault(host: str, returncode: int, stderr: str) -> DeviceError:
    """The error for an ssh that ended before its command had.

    Args:
        host: as the user gave it.
        returncode: of ssh.
        stderr: of ssh and the remote command.
    """
    said = "\n".join(stderr.strip().splitlines()[-5:])
    old = re.search(r"^edgegap: Python (\d+\.\d+)$", stderr, re.MULTILINE)
    if old:
        hint = "EdgeGAP's runner needs Python 3.10: install a newer one there, as `python3` on the PATH of ssh."
        return DeviceError(f"its python3 is Python {old[1]}", where=host, hint=hint)
    if returncode in (126, 127):  # the shell's words for a command that it cannot run, or find
        return DeviceError("it has no python3", where=host, hint=f"Install one there: apt install python3\n{said}")
    if returncode == CONNECTION_FAILED or returncode < 0:
        for pattern, what, hint in _REFUSED:
            if re.search(pattern, stderr):
                return DeviceError(what, where=host, hint=hint.format(host=host, said=said))
        for pattern, what, hint in _UNREACHABLE:
            if re.search(pattern, stderr):
                return ConnectionLost(what, where=host, hint=hint)
        return ConnectionLost("the connection broke off", where=host, hint=said or None)
    return DeviceError(f"its python3 ended with {returncode}", where=host, hint=said or None)
