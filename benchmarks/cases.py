"""The five networks that every benchmark runs, and how `edgegap` is called on them.

They need the data folder that tests find through EDGEGAP_DATA (default: shared/data beside the checkout).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("EDGEGAP_DATA", HERE.parents[1] / "shared" / "data")).resolve()
EDGEGAP = Path(sys.executable).with_name("edgegap")


@dataclass(frozen=True)
class Case:
    """One trained network and what its int8 files have to reach.

    Args:
        weights: the stem of its file in pretrained/.
        factory: its function in networks.py.
        preprocess: a preset or a `.toml`.
        calibration: DATA, of which the first 256 images calibrate.
        tests: DATA; the first is for accuracy, all of them are for identity.
        images: in the first of `tests`.
        identity_images: in all of `tests`.
        float_top1: as published or measured independently, per cent.
        least_top1: of both int8 files, per cent.
        least_agreement: of both int8 files with float, per cent.
    """

    weights: str
    factory: str
    preprocess: str
    calibration: Path
    tests: tuple[Path, ...]
    images: int
    identity_images: int
    float_top1: float
    least_top1: float
    least_agreement: float

    @property
    def photos(self) -> bool:
        """Whether its images are folders of photos, and not CIFAR-10's archives."""
        return self.calibration.is_dir()

    def export(self, bundle: Path, recipe: str, record: Path) -> list[str]:
        """The command that exports it, replacing what is at `bundle`, and writes its JSON record."""
        classes = ["--classes", str(DATA / "imagenet" / "classes.txt")] if self.photos else []
        return [
            *(str(EDGEGAP), "export", f"{DATA / 'networks.py'}:{self.factory}"),
            *("--weights", str(DATA / "pretrained" / f"{self.weights}.pt"), "--int8", "--recipe", recipe),
            *("--calib", str(self.calibration), "--preprocess", self.preprocess, *classes),
            *("--output", str(bundle), "--force", "--json", str(record)),
        ]

    def ort_quantize(self, output: Path) -> list[str]:
        """The command that makes ONNX Runtime's own int8 file of it (see ort_quantize.py)."""
        weights = DATA / "pretrained" / f"{self.weights}.pt"
        script = str(HERE / "ort_quantize.py")
        return [sys.executable, script, str(DATA), self.factory, str(weights), str(self.calibration), str(output)]

    def check(self, bundle: Path, data: Path, record: Path) -> list[str]:
        """The command that checks a bundle on `data` and writes its JSON record."""
        return [str(EDGEGAP), "check", str(bundle), "--data", str(data), "--json", str(record)]


def _cifar(weights: str, factory: str, preprocess: str, *figures: float) -> Case:
    train, test = DATA / "cifar10_train.npz", DATA / "cifar10_test.npz"
    return Case(weights, factory, preprocess, train, (test,), 10_000, 10_000, *figures)


def _imagenet(weights: str, factory: str, *figures: float) -> Case:
    photos, preprocess = DATA / "imagenet", str(HERE / "preprocess" / "imagenet_crop.toml")
    calibration = photos / "calibration"
    return Case(weights, factory, preprocess, calibration, (photos / "val", calibration), 400, 656, *figures)


# The figures: float top-1, then the least top-1 and the least agreement of both int8 files.
CASES = (
    _cifar("cifar10_resnet20", "resnet20", str(HERE / "preprocess" / "resnet20.toml"), 91.73, 91.33, 98.95),
    _cifar("cifar10_nin", "nin", "cifar10", 86.93, 86.53, 98.15),
    _cifar("mlperf_resnet8_cifar10", "resnet8", "raw", 87.19, 86.97, 98.35),
    _imagenet("imagenet_mobilenet_v2_bnfolded", "mobilenet_v2", 76.75, 74.75, 93.00),
    _imagenet("imagenet_squeezenet1_1", "squeezenet1_1", 68.00, 66.00, 95.25),
)


def chosen(factories: list[str] | None) -> list[Case]:
    """The cases of these factories, all of them for None; ends the script where the data folder is absent."""
    if not (DATA / "networks.py").is_file():
        sys.exit(f"{DATA} has no networks.py: set EDGEGAP_DATA to the folder with the trained networks")
    return [case for case in CASES if factories is None or case.factory in factories]
