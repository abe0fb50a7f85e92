"""The README.md inside a bundle: what is in it and how to load it."""

from __future__ import annotations

from string import Template

from edgegap.bundle import Manifest

IMPORTED, RESNAPPED = "imported", "resnapped"
"""The recipes of a network that was quantized elsewhere: as it came, and with scales changed by --resnap."""

_REFERENCE = (
    "\nThe quantization came with the network{changed}. The float files are the reference: the same network without "
    "quantization, with the values that its integer weights stand for.\n"
)
_FLOAT_LAYERS = (
    "These layers stay in float: {}. The two runtimes sum floats in different orders, so that integers behind the "
    "first of them may differ; those in front of it are the same."
)
_CHANGED = {IMPORTED: "; its parameters were kept", RESNAPPED: "; --resnap changed some of its scales"}

_TEXT = Template("""# $model

Made by EdgeGAP $version. Head: $head. $exactness

$files
$reference
Input: $input
Preprocessing: $preprocessing
""")

_ONNX = Template("""
## ONNX Runtime

```python
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.add_session_config_entry("$option", "1")  # $when
session = onnxruntime.InferenceSession("$file", options)
logits = session.run(None, {session.get_inputs()[0].name: images})[0]  # images: $images
```

$why
""")

_OPTIONS = {
    "uint8": {
        "option": "session.x64quantprecision",
        "when": "only where the CPU has AVX2 and no VNNI",
        "why": "Without that option ONNX Runtime's int8 kernels saturate on x86 CPUs with AVX2 and without VNNI: "
        "other integers.",
    },
    "int8": {
        "option": "session.qdqisint8allowed",
        "when": "only x86 CPUs need it",
        "why": "The activations of int8.onnx are int8: without that option ONNX Runtime computes a part of them in "
        "float on x86, and gives other integers. ARM needs no option.",
    },
}
"""What ONNX Runtime needs to be told, by the type of activations in int8.onnx."""

_TFLITE = Template("""
## LiteRT

```python
from ai_edge_litert.interpreter import Interpreter
net = Interpreter("$file"); net.allocate_tensors()
net.set_tensor(net.get_input_details()[0]["index"], images)  # images: $images
net.invoke()
logits = net.get_tensor(net.get_output_details()[0]["index"])
```
""")

_INTEGERS = Template(
    "the int8 files take integers, which `pixel_integers` of quantization.json gives for every pixel of every channel: "
    "int8 as they stand (TFLite, NHWC), $onnx (ONNX, NCHW). The float files take float32."
)
_SPELLED = {"uint8": "uint8 with 128 added", "int8": "the same"}


def bundle_readme(manifest: Manifest) -> str:
    """The text of README.md for a bundle."""
    n, c, h, w = manifest.input_shape
    names = [file.name for file in manifest.files]
    files = "\n".join(
        f"- `{f.name}`: {f.precision}, {f.bytes / 2**10:.0f} KiB, SHA-256 {f.sha256}" for f in manifest.files
    )
    exactness = {
        "exact": "Both int8 files give the same integers in ONNX Runtime and in LiteRT with XNNPACK.",
        "bounded": f"The int8 files may differ: {manifest.inexact}.",
        None: "",
    }[manifest.exactness]
    if manifest.float_layers:
        exactness += " " + _FLOAT_LAYERS.format(", ".join(f"`{name}`" for name in manifest.float_layers))
    record = manifest.preprocessing
    steps = (
        "none, the data was preprocessed already"
        if record is None
        else ", ".join(f"{key} {value}" for key, value in record.items() if value is not None)
    )
    activation = manifest.activation or "uint8"
    integers = manifest.io == "int8"
    takes = _INTEGERS.substitute(onnx=_SPELLED[activation]) if integers else "float32; ONNX is NCHW, TFLite is NHWC."
    text = _TEXT.substitute(
        model=manifest.model,
        version=manifest.tools["edgegap"],
        head=manifest.head,
        exactness=exactness,
        files=files,
        reference=_REFERENCE.format(changed=_CHANGED[manifest.recipe]) if manifest.recipe in _CHANGED else "",
        input=takes,
        preprocessing=f"{steps}; value = (pixel * scale - mean) / std." if record else f"{steps}.",
    )
    onnx, tflite = (activation, "int8") if integers else ("float32", "float32")
    sections = ((_ONNX, ".onnx", f"{onnx} {[n, c, h, w]}"), (_TFLITE, ".tflite", f"{tflite} {[n, h, w, c]}"))
    for section, suffix, images in sections:
        last = [name for name in names if name.endswith(suffix)][-1:]  # the int8 file, where there is one
        text += "".join(section.substitute(file=name, images=images, **_OPTIONS[activation]) for name in last)
    return text
