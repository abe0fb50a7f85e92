"""The README.md inside a bundle: what is in it and how to load it."""

from __future__ import annotations

from string import Template

from edgegap.bundle import Manifest

_TEXT = Template("""# $model

Made by EdgeGAP $version. Head: $head. $exactness

$files

Input: $input
Preprocessing: $preprocessing
""")

_ONNX = Template("""
## ONNX Runtime

```python
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.x64quantprecision", "1")  # only where the CPU has AVX2 and no VNNI
session = onnxruntime.InferenceSession("$file", options)
logits = session.run(None, {session.get_inputs()[0].name: images})[0]  # images: $images
```

Without that option ONNX Runtime's int8 kernels saturate on x86 CPUs with AVX2 and without VNNI: other integers.
""")

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

_INTEGERS = (
    "the int8 files take integers, which `pixel_integers` of quantization.json gives for every pixel of every channel: "
    "int8 as they stand (TFLite, NHWC), uint8 with 128 added (ONNX, NCHW). The float files take float32."
)


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
    record = manifest.preprocessing
    steps = (
        "none, the data was preprocessed already"
        if record is None
        else ", ".join(f"{key} {value}" for key, value in record.items() if value is not None)
    )
    text = _TEXT.substitute(
        model=manifest.model,
        version=manifest.tools["edgegap"],
        head=manifest.head,
        exactness=exactness,
        files=files,
        input=_INTEGERS if manifest.io == "int8" else "float32; ONNX is NCHW, TFLite is NHWC.",
        preprocessing=f"{steps}; value = (pixel * scale - mean) / std." if record else f"{steps}.",
    )
    onnx, tflite = ("uint8", "int8") if manifest.io == "int8" else ("float32", "float32")
    sections = ((_ONNX, ".onnx", f"{onnx} {[n, c, h, w]}"), (_TFLITE, ".tflite", f"{tflite} {[n, h, w, c]}"))
    for section, suffix, images in sections:
        last = [name for name in names if name.endswith(suffix)][-1:]  # the int8 file, where there is one
        text += "".join(section.substitute(file=name, images=images) for name in last)
    return text
