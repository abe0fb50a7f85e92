"""`edgegap export --target`: the profile decides how int8.onnx is spelled, and nothing else."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgegap.quantize.signed import activation_of

from .harness import edgegap, refused, write_images, write_onnx

INT8 = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--samples", 40)


def export(model: Path, folder: Path, *options: object) -> tuple[Path, dict[str, Any]]:
    """The bundle, and the record of its export."""
    done = edgegap("export", model, *INT8, *options, "-o", folder, "--json", "-")
    assert done.status == 0, done.err
    return folder, done.record


def manifest_of(bundle: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())
    return manifest


@dataclass(frozen=True)
class Pair:
    """Bundles of one network.

    Args:
        board: for a board that is faster with int8 activations.
        desktop: for the desktop.
        record: of the board's export.
        io: what the int8 files take and give.
    """

    board: Path
    desktop: Path
    record: dict[str, Any]
    io: str


@pytest.fixture(scope="module", params=["float", "int8"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    model, io = write_onnx(folder / "net.onnx"), str(request.param)
    board, record = export(model, folder / "board", "--target", "pi5", "--io", io)
    desktop, _ = export(model, folder / "desktop", "--io", io)
    return Pair(board, desktop, record, io)


def test_the_manifest_says_for_which_target_and_with_which_activations(
    pair: Pair,
) -> None:
    for bundle, target, activation in ((pair.board, "pi5", "int8"), (pair.desktop, "desktop", "uint8")):
        manifest = manifest_of(bundle)
        assert (manifest["target"], manifest["activation"]) == (target, activation)
        assert activation_of(bundle / "int8.onnx") == activation


def test_int8_activations_are_exact_on_this_machine_and_nothing_runs_in_float(pair: Pair) -> None:
    record = pair.record
    assert record["exactness"] == "exact"
    (identity,) = record["identity"]
    assert (identity["different"], identity["targets"]) == (0, ["desktop", "desktop"])
    assert record["float_ops"] == []
    model = onnx.load(pair.board / "int8.onnx")
    assert not [t.name for t in model.graph.initializer if t.data_type == onnx.TensorProto.UINT8]


def test_all_but_int8_onnx_is_the_bundle_of_another_target(pair: Pair) -> None:
    bundle, other = pair.board, pair.desktop
    for name in ("float.onnx", "float.tflite", "int8.tflite", "quantization.json"):
        assert (bundle / name).read_bytes() == (other / name).read_bytes(), name
    assert (bundle / "int8.onnx").read_bytes() != (other / "int8.onnx").read_bytes()


def test_a_bundle_for_a_board_is_checked_on_the_desktop_all_the_same(pair: Pair, tmp_path: Path) -> None:
    data = write_images(tmp_path / "images", {str(k): 4 for k in range(10)})
    records = []
    for folder in (pair.board, pair.desktop):
        done = edgegap("check", folder, "--data", data, "--json", "-")
        assert done.status == 0, done.err
        records.append(done.record)
    board, desktop = records
    assert board["identity"][0]["different"] == 0
    for field in ("results", "layers", "maps", "shift"):
        assert board.get(field) == desktop.get(field), field
    if platform.machine() == "x86_64":
        assert "session.qdqisint8allowed" in json.dumps(board["environment"])


def test_the_snippets_of_its_readme_run_as_they_stand(pair: Pair) -> None:
    text = (pair.board / "README.md").read_text()
    assert "session.qdqisint8allowed" in text
    assert "x64quantprecision" not in text
    kind = {"float": "float32", "int8": "int8"}[pair.io]
    for snippet, shape in zip(
        re.findall(r"```python\n(.*?)```", text, re.DOTALL), ([1, 1, 8, 8], [1, 8, 8, 1]), strict=True
    ):
        code = f"import numpy as np\nimages = np.ones({shape}, np.{kind})\n{snippet}\nassert logits.shape == (1, 10)\n"
        done = subprocess.run([sys.executable, "-c", code], cwd=pair.board, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_users_own_profile_decides_and_a_mistake_in_it_is_told_before_any_work(tmp_path: Path) -> None:
    model, mine = write_onnx(tmp_path / "net.onnx"), tmp_path / "mine.toml"
    profile = edgegap("targets", "show", "pi5").out
    mine.write_text(profile)
    bundle, _ = export(model, tmp_path / "out", "--target", mine)
    assert manifest_of(bundle)["target"] == "mine"
    assert manifest_of(bundle)["activation"] == "int8"
    mine.write_text(profile.replace("cores = 4", "cores = 4\ncolour = 3"))
    line = profile.splitlines().index("cores = 4") + 2
    refused("export", model, *INT8, "--target", mine, "-o", tmp_path / "no", words=("'colour'", f"line {line}"))
    assert not (tmp_path / "no").exists()
    refused("targets", "show", mine, words=("'colour'", f"line {line}"))
