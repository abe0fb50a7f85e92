"""Host names that may be given to ssh."""

from __future__ import annotations

import re

from edgegap.errors import InputError

_HOST = r"(ssh://)?([\w.+][\w.+-]*@)?(\[[0-9A-Fa-f:.%]+\]|[\w.:][\w.:%-]*)"


def checked_host(host: str) -> str:
    """A host as ssh takes it: USER@HOST, an alias of the user's configuration, or ssh://USER@HOST:PORT.

    Names are letters, digits and `._-+:%`. ssh puts them into its configuration's commands (ProxyCommand), where a
    shell reads them: spaces, quotes and the like stay out, and so does what ssh would take for an option.

    Raises:
        InputError: it is none of these.
    """
    if re.fullmatch(_HOST, host):
        return host
    hint = "Give USER@HOST, or a Host of ~/.ssh/config, where ports, keys and jump hosts are set."
    raise InputError(f"{host!r} is not the name of a host", where="--host", hint=hint)
