"""A `.pt2` exported program in: only with trust, and as the network that it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.harness import edgegap, refused

from edgegap.errors import InputError, ModelError, WeightsError
from edgegap.export.model import load_model, read_model
from edgegap.graph.factory import build, checkpoint_of
from edgegap.graph.nodes import module_path

from .models import normal

torch = pytest.importorskip("torch")
nn = torch.nn
SHAPE = (3, 8, 8)


def network() -> Any:
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(6, 4, 1)
    )
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


def program(folder: Path, net: Any = None, batch: int = 1) -> Path:
    exported = torch.export.export(net or network(), (torch.zeros(batch, *SHAPE),))
    torch.export.save(exported, folder / "net.pt2")
    return folder / "net.pt2"


def test_without_trust_it_is_refused_and_says_why(tmp_path: Path) -> None:
    path = program(tmp_path)
    with pytest.raises(InputError, match="unpickles, which can run any code") as caught:
        read_model(str(path), None, SHAPE, None)
    assert "--trust" in str(caught.value)


def test_with_trust_it_is_the_network_that_it_was(tmp_path: Path) -> None:
    path = str(program(tmp_path))
    loaded = load_model(read_model(path, None, SHAPE, None, trust=True), path)
    assert [node.op_type for node in loaded.model.graph] == ["Conv", "Relu", "Conv", "GlobalAveragePool", "Flatten"]
    assert module_path(loaded.model.graph[2]) == "0.4"
    images = normal(2, *SHAPE)
    assert loaded.compared(images).original is None
    with torch.no_grad():
        expected = network()(torch.from_numpy(images))
        assert isinstance(loaded.original, torch.nn.Module)
        found = torch.cat([loaded.original(torch.from_numpy(image[None])) for image in images])
    assert torch.allclose(found, expected, atol=1e-6)


def test_weights_beside_it_are_refused(tmp_path: Path) -> None:
    path = program(tmp_path)
    with pytest.raises(InputError, match="carries its own weights"):
        build(str(path), tmp_path / "weights.pt", trust=True)
    assert checkpoint_of(str(path), None) is None


def test_a_damaged_missing_or_foreign_file_is_refused_and_nothing_else_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = program(tmp_path)
    whole = path.read_bytes()
    for content in (b"", whole[:10], whole[: len(whole) // 2], whole[:-30], b"not a program"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="is not an exported program that this torch can load"):
            build(str(path), None, trust=True)
    torch.save(network().state_dict(), path)
    with pytest.raises(ModelError, match="is not an exported program that this torch can load"):
        build(str(path), None, trust=True)
    path.unlink()
    with pytest.raises(ModelError, match="no such file"):
        build(str(path), None, trust=True)
    assert capfd.readouterr() == ("", "")


def test_a_program_in_training_mode_is_refused(tmp_path: Path) -> None:
    for part in (nn.BatchNorm2d(3), nn.Dropout(0.5)):
        path = program(tmp_path, nn.Sequential(part, nn.Flatten()).train(), batch=2)
        with pytest.raises(ModelError, match="training mode"):
            build(str(path), None, trust=True)


def test_a_program_of_another_batch_or_size_says_what_it_takes(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"does not take an input of \[1, 3, 8, 8\].* == 4"):
        read_model(str(program(tmp_path, batch=4)), None, SHAPE, None, trust=True)
    with pytest.raises(ModelError, match=r"does not take an input of \[1, 3, 9, 9\]"):
        read_model(str(program(tmp_path)), None, (3, 9, 9), None, trust=True)


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    net = network()
    net[0][4].bias.data[1] = torch.nan
    with pytest.raises(WeightsError, match=r"4\.bias' holds NaN"):
        build(str(program(tmp_path, net)), None, trust=True)


def test_export_takes_it_with_trust_alone(tmp_path: Path) -> None:
    path = program(tmp_path)
    call = ("export", path, "--input-shape", "3,8,8", "-o", tmp_path / "out")
    refused(*call, words=("net.pt2", "--trust", "any code"))
    assert not (tmp_path / "out").exists()
    assert edgegap(*call, "--trust").status == 0
    assert (tmp_path / "out" / "float.tflite").is_file()
    refused("export", tmp_path / "net.onnx", "--trust", "-o", tmp_path / "out", words="--trust is for a .pt2")
