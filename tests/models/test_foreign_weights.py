"""Weights as other tools save them: under a key, behind a wrapper's prefix, in a `.safetensors` file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from cli.harness import edgegap
from safetensors.torch import save_file
from torch import nn

from edgegap.errors import WeightsError
from edgegap.graph.factory import build

NETWORK = """
from torch import nn

def plain():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.{attribute} = plain()

    def forward(self, x):
        return self.{attribute}(x)
"""


def plain() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))


def factory(folder: Path, name: str = "plain", attribute: str = "module") -> str:
    (folder / "net.py").write_text(NETWORK.format(attribute=attribute))
    return f"{folder / 'net.py'}:{name}"


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def behind(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in plain().state_dict().items()}


def loaded(spec: str, weights: Path) -> tuple[list[torch.Tensor], list[str]]:
    notices: list[str] = []
    return list(build(spec, weights, say=notices.append).state_dict().values()), notices


def assert_plain(tensors: list[torch.Tensor]) -> None:
    expected = plain().state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(tensors, expected, strict=True))


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "model.", "net.", "module.model."]
)
def test_a_prefix_before_every_key_is_found_and_said(tmp_path: Path, prefix: str) -> None:
    tensors, notices = loaded(factory(tmp_path), saved(tmp_path, behind(prefix)))
    assert_plain(tensors)
    assert notices == [f"the weights had '{prefix}' before every key: loaded all the same"]


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "network"])
def test_a_state_dict_under_a_key_is_found_and_said(tmp_path: Path, key: str) -> None:
    content = {"epoch": 3, "optimizer": {"state": {}}, key: plain().state_dict()}
    tensors, notices = loaded(factory(tmp_path), saved(tmp_path, content))
    assert_plain(tensors)
    assert notices == [f"the weights sat under '{key}': loaded all the same"]


def test_both_at_once_are_one_sentence(tmp_path: Path) -> None:
    tensors, notices = loaded(factory(tmp_path), saved(tmp_path, {"state_dict": behind("module.")}))
    assert_plain(tensors)
    assert notices == ["the weights sat under 'state_dict' and had 'module.' before every key: loaded all the same"]


def test_keys_as_the_network_has_them_are_said_nothing_of(tmp_path: Path) -> None:
    tensors, notices = loaded(factory(tmp_path), saved(tmp_path, plain().state_dict()))
    assert_plain(tensors)
    assert notices == []


@pytest.mark.parametrize("attribute", ["module", "model", "net"])
def test_a_network_whose_own_keys_have_such_a_prefix_keeps_it(tmp_path: Path, attribute: str) -> None:
    spec = factory(tmp_path, "Wrapped", attribute)
    tensors, notices = loaded(spec, saved(tmp_path, behind(f"{attribute}.")))
    assert_plain(tensors)
    assert notices == []
    tensors, notices = loaded(spec, saved(tmp_path, behind(f"module.{attribute}.")))
    assert_plain(tensors)
    assert "had 'module.'" in notices[0]


def test_a_prefix_of_some_keys_only_is_refused(tmp_path: Path) -> None:
    state = behind("module.")
    state["0.weight"] = state.pop("module.0.weight")
    with pytest.raises(WeightsError, match=r"has 'module\.' before 6 of its 7 keys only\n"):
        build(factory(tmp_path), saved(tmp_path, state))


EXTRA = """
from torch import nn

class Scaled(nn.Conv2d):
    def get_extra_state(self):
        return {"scale": 2.0}

    def set_extra_state(self, state):
        self.scale = state["scale"]

def scaled():
    return nn.Sequential(Scaled(1, 4, 3), nn.BatchNorm2d(4))
"""


@pytest.mark.parametrize("prefix", ["", "module."])
def test_extra_state_is_given_to_the_module_that_it_is_of(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "net.py").write_text(EXTRA)
    state = {**behind(prefix), f"{prefix}0._extra_state": {"scale": 3.0}}
    network = build(f"{tmp_path / 'net.py'}:scaled", saved(tmp_path, state))
    assert isinstance(network, nn.Sequential)
    assert network[0].scale == 3.0


def test_extra_state_of_another_module_is_passed_over(tmp_path: Path) -> None:
    state = {**plain().state_dict(), "1._extra_state": {"amax": [1.0]}}
    tensors, notices = loaded(factory(tmp_path), saved(tmp_path, state))
    assert_plain(tensors)
    assert notices == []


@pytest.mark.parametrize(("extra", "message"), [({}, r"lacks 0\._extra_state"), ({"0._extra_state": 1}, "TypeError")])
def test_extra_state_that_is_missing_or_does_not_fit_is_said(tmp_path: Path, extra: Any, message: str) -> None:
    (tmp_path / "net.py").write_text(EXTRA)
    with pytest.raises(WeightsError, match=message):
        build(f"{tmp_path / 'net.py'}:scaled", saved(tmp_path, {**plain().state_dict(), **extra}))


def test_what_is_wrong_behind_a_prefix_is_named_as_the_network_names_it(tmp_path: Path) -> None:
    state = behind("module.")
    del state["module.1.bias"]
    with pytest.raises(WeightsError, match=r"lacks 1\.bias\n"):
        build(factory(tmp_path), saved(tmp_path, state))


def test_a_dict_without_weights_names_its_keys(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds a dict \(with epoch, ema\), not a state dict"):
        build(factory(tmp_path), saved(tmp_path, {"epoch": 1, "ema": plain().state_dict()}))
    with pytest.raises(WeightsError, match=r"holds a dict \(with model, epoch\)"):
        build(factory(tmp_path), saved(tmp_path, {"model": torch.zeros(3), "epoch": 1}))


def test_code_in_the_file_never_runs(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    for content in ({"state_dict": plain().state_dict(), "hyper": Attack()}, Attack()):
        with pytest.raises(WeightsError, match="without running code"):
            build(factory(tmp_path), saved(tmp_path, content))
    assert not (tmp_path / "ran").exists()


def safetensors(folder: Path, state: dict[str, torch.Tensor], **metadata: str) -> Path:
    save_file(state, folder / "weights.safetensors", metadata)
    return folder / "weights.safetensors"


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_safetensors_file_is_read_and_its_metadata_ignored(tmp_path: Path, prefix: str) -> None:
    tensors, notices = loaded(factory(tmp_path), safetensors(tmp_path, behind(prefix), format="pt", state_dict="no"))
    assert_plain(tensors)
    assert len(notices) == (1 if prefix else 0)


def test_a_safetensors_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    spec, path = factory(tmp_path), safetensors(tmp_path, plain().state_dict())
    whole = path.read_bytes()
    for length in [*range(0, len(whole), len(whole) // 12), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="is not a safetensors file, or is damaged"):
            build(spec, path)


@pytest.mark.parametrize(
    "header",
    [b"{", b"[]", b'{"a": 1}', json.dumps({"a": {"dtype": "F9", "shape": [1], "data_offsets": [0, 4]}}).encode()],
)
def test_a_safetensors_file_with_a_bad_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(WeightsError, match="is not a safetensors file, or is damaged"):
        build(factory(tmp_path), path)


def test_a_safetensors_file_that_is_missing_or_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        build(factory(tmp_path), tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match="lacks"):
        build(factory(tmp_path), safetensors(tmp_path, {"other": torch.zeros(1)}))


def test_a_torch_file_called_safetensors_is_refused(tmp_path: Path) -> None:
    torch.save(plain().state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match="is not a safetensors file"):
        build(factory(tmp_path), tmp_path / "weights.safetensors")


def test_export_says_what_it_did_to_the_weights(tmp_path: Path) -> None:
    weights = saved(tmp_path, {"state_dict": behind("module."), "epoch": 9})
    call = ("export", factory(tmp_path), "--weights", weights, "--input-shape", "1,8,8", "-o", tmp_path / "out")
    done = edgegap(*call)
    assert done.status == 0, done
    assert (
        "note: the weights sat under 'state_dict' and had 'module.' before every key: loaded all the same" in done.err
    )


VERSIONED = """
import torch
from torch import nn

class Net(nn.Sequential):
    _version = 2

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        if local_metadata.get("version") != 2:
            raise ValueError("an old version")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

def net():
    return Net(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_versions_of_modules_are_kept(tmp_path: Path, prefix: str) -> None:
    """torchvision's MNASNet converts weights of an older version by them."""
    (tmp_path / "versioned.py").write_text(VERSIONED)
    spec = f"{tmp_path / 'versioned.py'}:net"
    network = build(spec, None)
    wrapped = torch.nn.ModuleDict({"module": network}) if prefix else network
    torch.save(wrapped.state_dict(), tmp_path / "weights.pt")
    assert isinstance(build(spec, tmp_path / "weights.pt"), torch.nn.Module)
