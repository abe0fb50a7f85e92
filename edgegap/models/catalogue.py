"""The networks by name, and one of them with a head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgegap.errors import ModelError
from edgegap.models.ds_cnn import ds_cnn
from edgegap.models.heads import HEADS, HeadName
from edgegap.models.mobilenet import mobilenet_v1, mobilenet_v2
from edgegap.models.nin import nin, nin_tiny
from edgegap.models.resnet import resnet8, resnet20

if TYPE_CHECKING:
    from torch import nn

ZOO = "zoo:"
"""In front of a name where MODEL is expected."""


@dataclass(frozen=True)
class Architecture:
    """A network without its head.

    Args:
        summary: one line on what it is.
        layers: from the channels of the input to its layers.
        input_shape: C, H, W that it was made for; others work too.
        classes: how many it was made for; others work too.
    """

    summary: str
    layers: Callable[[int], list[nn.Module]]
    input_shape: tuple[int, int, int]
    classes: int


ARCHITECTURES = {
    "nin_tiny": Architecture("Network In Network with two mlpconv layers, from 8x8 pixels", nin_tiny, (1, 8, 8), 10),
    "nin": Architecture("Network In Network (Lin et al., 2013), with BatchNorm", nin, (3, 32, 32), 10),
    "resnet8": Architecture("ResNet with one block a stage, as in MLPerf Tiny", resnet8, (3, 32, 32), 10),
    "resnet20": Architecture("ResNet with three blocks a stage (He et al., 2016)", resnet20, (3, 32, 32), 10),
    "ds_cnn": Architecture("Depthwise separable convolutions (Zhang et al., 2017)", ds_cnn, (1, 49, 10), 12),
    "mobilenet_v1": Architecture("MobileNetV1 of width 0.25 (Howard et al., 2017)", mobilenet_v1, (3, 96, 96), 2),
    "mobilenet_v2": Architecture("MobileNetV2 of width 0.35 (Sandler et al., 2018)", mobilenet_v2, (3, 96, 96), 2),
}


@dataclass(frozen=True)
class Arguments:
    """What a network of the catalogue is built from, beside its name.

    Args:
        input_shape: C, H, W.
        classes: how many scores.
        head: 'gap', 'gap-linear', 'fc' or 'fc-dropout'.
    """

    input_shape: tuple[int, int, int]
    classes: int
    head: HeadName = "gap"

    def to_json(self) -> dict[str, Any]:
        """A record of JSON types that `from_json` reads."""
        return {**asdict(self), "input_shape": list(self.input_shape)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Arguments:
        """Read what `to_json` wrote."""
        c, h, w = record["input_shape"]
        return cls((int(c), int(h), int(w)), int(record["classes"]), record["head"])


def find_architecture(name: str) -> Architecture:
    """The architecture of a name.

    Raises:
        ModelError: there is none; the hint lists the names.
    """
    if name not in ARCHITECTURES:
        raise ModelError(f"no network is called {name!r}", hint=f"The names are {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]


def default_arguments(name: str) -> Arguments:
    """What the architecture was made for, with the head 'gap'.

    Raises:
        ModelError: there is no such name.
    """
    architecture = find_architecture(name)
    return Arguments(architecture.input_shape, architecture.classes)


def build_network(name: str, arguments: Arguments) -> nn.Module:
    """The network, its weights random: children `backbone` and `head`, float32 [N, C, H, W] to scores [N, classes].

    Raises:
        ModelError: there is no such name, or the images are too small for it.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    architecture = find_architecture(name)
    channels, height, width = _maps(name, architecture, arguments.input_shape)
    backbone = nn.Sequential(*architecture.layers(arguments.input_shape[0]))
    head = HEADS[arguments.head](channels, height, width, arguments.classes)
    return nn.Sequential(OrderedDict(backbone=backbone, head=head))


def _maps(name: str, architecture: Architecture, input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """C, H, W of the maps in front of the head, found without computing anything."""
    import torch  # noqa: PLC0415  # slow to import

    with torch.device("meta"):
        backbone = torch.nn.Sequential(*architecture.layers(input_shape[0])).eval()
        try:
            _, channels, height, width = backbone(torch.empty(1, *input_shape)).shape
        except RuntimeError as error:
            size = "x".join(map(str, input_shape[1:]))
            hint = "Resize the images in the preprocessing, or choose a network with fewer strides."
            raise ModelError(f"images of {size} pixels are too small for {name}", where=name, hint=hint) from error
    return channels, height, width
