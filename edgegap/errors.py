"""Every error that EdgeGAP raises on purpose, and the exit status that each becomes.

EdgeGapError
├── InputError               2   the input or the call is wrong
│   ├── ModelError               the network: cannot be loaded, traced or read
│   │   ├── WeightsError         the state dict does not fit, or is not one
│   │   └── UnsupportedOpError   a node that EdgeGAP cannot quantize or write
│   ├── DataError                the images, their labels or the classes
│   ├── SettingsError            a preprocessing record, recipe or target profile
│   ├── MissingPackage           what was asked for needs an optional package that is not installed
│   └── BundleError              the bundle folder: exists, is missing, was altered
├── GateError                1   the work was done and the result is not good enough
│   ├── IdentityError            the two int8 files give different integers
│   └── DropError                the accuracy drop is over the limit, or too few images bound it
├── DeviceError              3   a device, disk or runtime failed
│   ├── DiskError                no space, no permission
│   └── RuntimeFailure           a runtime could not load or run an artifact
└── InternalError            3   a promise of EdgeGAP's own is broken; please report it
"""

from __future__ import annotations


class EdgeGapError(Exception):
    """What went wrong, where, and what to do next.

    Args:
        what: one sentence on what went wrong.
        where: the file, node, module path or line, if there is one.
        source: the line of the user's own model that it comes from, where it is known.
        hint: one sentence on what to do next.
    """

    def __init__(
        self, what: str, *, where: str | None = None, source: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.source = source
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return "\n".join(line for line in (text, self.source, self.hint) if line)


class InputError(EdgeGapError):
    """The input or the call is wrong."""


class ModelError(InputError):
    """A network that cannot be loaded, traced or read."""


class WeightsError(ModelError):
    """Weights that are not a state dict, or do not fit the network."""


class UnsupportedOpError(ModelError):
    """A node that EdgeGAP cannot quantize or write."""


class DataError(InputError):
    """Images, labels or classes that cannot be used."""


class SettingsError(InputError):
    """A preprocessing record, recipe or target profile with a mistake in it."""


class MissingPackage(InputError):  # noqa: N818  # what is missing is the package
    """An optional package that is not installed, or does not work."""


class BundleError(InputError):
    """A bundle folder that exists already, is missing or was altered."""


class GateError(EdgeGapError):
    """The work was done, and its result is not good enough."""


class IdentityError(GateError):
    """The two int8 files give integers that differ by more than their bound."""


class DropError(GateError):
    """An accuracy drop that is over the limit, or that too few images were looked at to bound."""


class DeviceError(EdgeGapError):
    """A device, disk or runtime failed."""


class DiskError(DeviceError):
    """No space left, or no permission to write."""


class RuntimeFailure(DeviceError):  # noqa: N818  # RuntimeError is Python's own
    """A runtime that could not load or run an artifact."""


class InternalError(EdgeGapError):
    """A promise of EdgeGAP's own is broken: a bug to report."""


EXIT_STATUS: dict[type[EdgeGapError], int] = {InputError: 2, GateError: 1, DeviceError: 3, InternalError: 3}


def exit_status(error: EdgeGapError) -> int:
    """The exit status of `error`: that of its nearest class in `EXIT_STATUS`."""
    return next(EXIT_STATUS[cls] for cls in type(error).__mro__ if cls in EXIT_STATUS)
