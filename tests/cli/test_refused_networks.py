"""Networks and weights that `edgegap export` refuses: exit status 2, and a message with what, where and what now."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .harness import edgegap, left_behind, refused, write_npz, write_onnx

INT8 = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--samples", 8)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_missing_file(out: Path) -> None:
    refused("export", "nowhere.onnx", "-o", out, words=("nowhere.onnx", "No such file"))
    refused("export", "nowhere.py:net", "-o", out, words=("nowhere.py", "no such file", "path before the colon"))


def test_something_that_is_no_kind_of_model(out: Path) -> None:
    refused("export", "resnet", "-o", out, words=("resnet", "file.py:factory", ".onnx"))


def test_a_folder_named_like_a_network(out: Path, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    refused("export", tmp_path / "net.onnx", "-o", out, words=("net.onnx", "directory"))


def test_a_text_file_named_onnx(out: Path, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_text("this is no network\n" * 40)
    refused("export", tmp_path / "net.onnx", "-o", out, words=("net.onnx", "not an ONNX file"))
    (tmp_path / "net.onnx").write_text("")
    refused("export", tmp_path / "net.onnx", "-o", out, words="net.onnx")


def test_an_onnx_file_cut_off_anywhere(out: Path, tmp_path: Path) -> None:
    whole = write_onnx(tmp_path / "net.onnx").read_bytes()
    cut = tmp_path / "cut.onnx"
    for length in [*range(1, len(whole) - 1, len(whole) // 40), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        done = edgegap("export", cut, "-o", out)
        assert done.status == 2, (length, done)
        assert "cut.onnx" in done.err, (length, done)
    assert not out.exists()


def test_an_onnx_file_whose_external_data_is_missing(out: Path, tmp_path: Path) -> None:
    import onnx  # noqa: PLC0415  # slow to import

    model = onnx.load(write_onnx(tmp_path / "net.onnx"))
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    assert edgegap("export", tmp_path / "net.onnx", "-o", out).status == 0
    (tmp_path / "net.data").unlink()
    refused("export", tmp_path / "net.onnx", "-o", tmp_path / "again", words=("net.onnx", "net.data"))


@pytest.mark.parametrize("opset", [9, 12, 24])
def test_an_opset_that_is_not_read(out: Path, tmp_path: Path, opset: int) -> None:
    net = write_onnx(tmp_path / "net.onnx", opset=opset)
    refused("export", net, "-o", out, words=("net.onnx", f"opset {opset}", "13 to 23"))


@pytest.mark.parametrize(("op", "advice"), [("Selu", "ReLU"), ("Erf", "GELU")])
def test_an_op_without_an_int8_form_names_its_node_and_what_to_try(
    out: Path, tmp_path: Path, op: str, advice: str
) -> None:
    net = write_onnx(tmp_path / "net.onnx", tail=op)
    refused("export", net, *INT8, "-o", out, words=(op, "'tail'", advice))


def test_an_op_inside_a_torch_module_names_the_module(home: Path, out: Path) -> None:
    net = f"{home / 'digits_net.py'}:Selus"
    refused("export", net, "--input-shape", "1,8,8", "-o", out, words=("Selu", "gate.1", "ReLU"))


CUMULATIVE = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 1)

    def forward(self, x):
        x = self.conv(x)
        x = x.cumsum(dim=2)  # no such op
        return x.mean((2, 3))
"""


def test_an_op_without_an_int8_form_names_the_line_of_the_model(tmp_path: Path, out: Path) -> None:
    (tmp_path / "nets.py").write_text(CUMULATIVE)
    call = ("export", f"{tmp_path / 'nets.py'}:Net", "--input-shape", "1,8,8")
    error = refused(*call, "-o", out, words=("CumSum", "Replace"))
    line = "nets.py:11, in forward: x = x.cumsum(dim=2)  # no such op"
    assert error.splitlines()[1] == line
    assert line in edgegap(*call, "--dry-run").out


def test_a_torch_network_of_two_inputs_names_them(tmp_path: Path, out: Path) -> None:
    (tmp_path / "nets.py").write_text(CUMULATIVE.replace("forward(self, x)", "forward(self, rgb, depth, scale=1)"))
    call = ("export", f"{tmp_path / 'nets.py'}:Net", "--input-shape", "1,8,8", "-o", out)
    refused(*call, words=("2 inputs (rgb, depth)", "channels"))


def test_a_quantized_network_that_takes_integers(integers: Path, out: Path) -> None:
    refused("export", integers / "int8.onnx", "-o", out, words=("int8.onnx", "input", "float"))


def test_an_onnx_file_with_two_inputs(out: Path, tmp_path: Path) -> None:
    import onnx  # noqa: PLC0415  # slow to import

    model = onnx.load(write_onnx(tmp_path / "net.onnx"))
    model.graph.input.append(onnx.helper.make_tensor_value_info("size", 1, [1]))
    onnx.save(model, tmp_path / "inputs.onnx")
    refused("export", tmp_path / "inputs.onnx", "-o", out, words=("2 inputs", "input, size", "inputs.onnx"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_of_an_onnx_file_that_are_not_finite_are_named(out: Path, tmp_path: Path, value: float) -> None:
    weight = np.ones((8, 1, 3, 3))
    weight[3, 0, 1, 1] = value
    net = write_onnx(tmp_path / "net.onnx", stem_weight=weight)
    refused("export", net, "-o", out, words=("stem_weight", "NaN" if np.isnan(value) else "infinity", "training"))


def test_activations_that_are_not_finite_name_their_layer(out: Path, tmp_path: Path) -> None:
    huge = {"stem_weight": np.full((8, 1, 3, 3), 1e30), "maps_weight": np.full((10, 8, 1, 1), 1e30)}
    net = write_onnx(tmp_path / "net.onnx", **huge)
    for call in (INT8, ()):
        refused("export", net, *call, "-o", out, words=("net.onnx", "maps", "NaN or infinity", "preprocessing"))


def test_an_input_that_is_not_an_image(out: Path, tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "net.onnx", channels=4)
    refused("export", net, *INT8, "-o", out, words=("4,8,8", "1,8,8", "preprocessing"))


def test_a_factory_that_is_not_there(home: Path, out: Path, factory: str) -> None:
    refused("export", factory + "y", "-o", out, words=("digits_net.py", "'tinyy'"))
    refused("export", "no_such_package.nets:tiny", "-o", out, words=("no module", "no_such_package"))


@pytest.mark.parametrize(("name", "words"), [("raises", "no network today"), ("leaves", "no network either")])
def test_a_factory_that_raises_is_quoted_with_its_line(home: Path, out: Path, name: str, words: str) -> None:
    refused("export", f"{home / 'digits_net.py'}:{name}", "-o", out, words=(words, "digits_net.py:"))


def test_a_factory_that_makes_no_network(home: Path, out: Path) -> None:
    refused("export", f"{home / 'digits_net.py'}:number", "-o", out, words=("int", "torch.nn.Module"))


def test_a_factory_whose_file_does_not_import(tmp_path: Path, out: Path) -> None:
    (tmp_path / "broken_net.py").write_text("import torch\n1 / 0\n")
    words = ("ZeroDivisionError", "broken_net.py:2")
    refused("export", f"{tmp_path / 'broken_net.py'}:net", "-o", out, words=words)


def test_a_network_without_an_input_size(factory: str, weights: Path, out: Path) -> None:
    refused("export", factory, "--weights", weights, "-o", out, words=("size of the input", "--input-shape"))


def test_a_network_that_does_not_take_the_input(factory: str, out: Path) -> None:
    refused("export", factory, "--input-shape", "3,8,8", "-o", out, words=("[1, 3, 8, 8]", "--input-shape"))


def test_a_network_without_a_tensor_of_logits(home: Path, out: Path) -> None:
    net = f"{home / 'digits_net.py'}:NamedOutputs"
    refused("export", net, "--input-shape", "1,8,8", "-o", out, words=("dict", "logits"))


def test_control_flow_on_values(home: Path, out: Path) -> None:
    net = f"{home / 'digits_net.py'}:Branches"
    refused("export", net, "--input-shape", "1,8,8", "-o", out, words=("cannot export", "control flow"))


def test_weights_for_an_onnx_file(tiny_onnx: Path, weights: Path, out: Path) -> None:
    refused("export", tiny_onnx, "--weights", weights, "-o", out, words=("digits.pt", "Leave out --weights"))


class Boom:
    """Pickled code that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def state(weights: Path) -> dict[str, Any]:
    import torch  # noqa: PLC0415  # slow to import

    loaded: dict[str, Any] = torch.load(weights, weights_only=True)
    return loaded


def refused_weights(factory: str, path: Path, out: Path, words: tuple[str, ...]) -> None:
    refused("export", factory, "--weights", path, "--input-shape", "1,8,8", "-o", out, words=(path.name, *words))
    assert not out.exists()


def test_weights_that_are_missing_or_a_folder(factory: str, tmp_path: Path, out: Path) -> None:
    refused_weights(factory, tmp_path / "none.pt", out, ("No such file",))
    (tmp_path / "folder.pt").mkdir()
    refused_weights(factory, tmp_path / "folder.pt", out, ("directory",))


def test_weights_that_are_text_or_cut_off(factory: str, weights: Path, tmp_path: Path, out: Path) -> None:
    advice = "torch.save(network.state_dict(), path)"
    for name, content in {
        "text.pt": b"conv1.weight 0.5\n",
        "empty.pt": b"",
        "cut.pt": weights.read_bytes()[:-900],
        "half.pt": weights.read_bytes()[: weights.stat().st_size // 2],
    }.items():
        (tmp_path / name).write_bytes(content)
        refused_weights(factory, tmp_path / name, out, (advice,))


def test_a_pickled_module_is_not_loaded(factory: str, tmp_path: Path, out: Path) -> None:
    import torch  # noqa: PLC0415  # slow to import

    torch.save(torch.nn.Sequential(torch.nn.Conv2d(1, 10, 1)), tmp_path / "module.pt")
    refused_weights(factory, tmp_path / "module.pt", out, ("state dict", "torch.save(network.state_dict(), path)"))


def test_code_in_a_pickle_does_not_run(factory: str, tmp_path: Path, out: Path) -> None:
    import torch  # noqa: PLC0415  # slow to import

    mark = tmp_path / "ran"
    (tmp_path / "code.pt").write_bytes(pickle.dumps({"0.weight": Boom(mark)}, protocol=2))
    refused_weights(factory, tmp_path / "code.pt", out, ("without running code",))
    torch.save({"0.weight": Boom(mark)}, tmp_path / "zip.pt")
    refused_weights(factory, tmp_path / "zip.pt", out, ("without running code",))
    assert not mark.exists()


def test_a_list_around_the_state_dict(factory: str, state: dict[str, Any], tmp_path: Path, out: Path) -> None:
    import torch  # noqa: PLC0415  # slow to import

    torch.save([state], tmp_path / "list.pt")
    refused_weights(factory, tmp_path / "list.pt", out, ("list",))


def test_keys_that_are_missing_or_too_many_are_named(
    factory: str, state: dict[str, Any], tmp_path: Path, out: Path
) -> None:
    import torch  # noqa: PLC0415  # slow to import

    torch.save({key: value for key, value in state.items() if key != "3.weight"}, tmp_path / "few.pt")
    refused_weights(factory, tmp_path / "few.pt", out, ("lacks 3.weight", "trained with"))
    torch.save(state | {f"head.{k}": torch.zeros(1) for k in range(9)}, tmp_path / "many.pt")
    refused_weights(factory, tmp_path / "many.pt", out, ("head.0, head.1, head.2 and 6 more",))


def test_other_shapes_are_named(factory: str, state: dict[str, Any], tmp_path: Path, out: Path) -> None:
    import torch  # noqa: PLC0415  # slow to import

    torch.save(state | {"3.weight": torch.zeros(24, 16, 5, 5)}, tmp_path / "shapes.pt")
    refused_weights(factory, tmp_path / "shapes.pt", out, ("3.weight [24, 16, 5, 5] instead of [24, 16, 3, 3]",))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["0.weight", "1.running_var", "3.bias"])
def test_weights_that_are_not_finite_are_named(
    factory: str, state: dict[str, Any], tmp_path: Path, out: Path, key: str, value: float
) -> None:
    import torch  # noqa: PLC0415  # slow to import

    broken = state[key].clone()
    broken.view(-1)[2] = value
    torch.save(state | {key: broken}, tmp_path / "broken.pt")
    refused_weights(factory, tmp_path / "broken.pt", out, (key, "NaN" if np.isnan(value) else "infinity", "training"))


def test_nothing_is_left_behind_by_a_refusal(tmp_path: Path, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    net = write_onnx(tmp_path / "net.onnx", tail="Selu")
    data = write_npz(tmp_path / "data.npz", 8)
    refused("export", net, "--int8", "--calib", data, "--preprocess", "unit", "-o", tmp_path / "out", words="Selu")
    assert left_behind(tmp_path) == ["data.npz", "net.onnx", "tmp"]
    assert not left_behind(tmp_path / "tmp")
