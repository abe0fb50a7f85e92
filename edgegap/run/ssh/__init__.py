"""A device behind the system's OpenSSH client."""

from edgegap.run.ssh.ssh import Ssh

__all__ = ["Ssh"]
