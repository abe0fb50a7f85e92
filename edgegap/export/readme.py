"""The README.md inside a bundle: what is in it and how to load it."""

from __future__ import annotations

from string import Template

from edgegap.bundle import Manifest

_TEXT = Template("""# $model

Made by EdgeGAP $version. Head: $head. $exactness

$files

Input: $shape, float32 unless the files were exported with `--io int8`; ONNX is NCHW, TFLite is NHWC.
Preprocessing: $preprocessing

## ONNX Runtime

```python
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.x64quantprecision", "1")  # only where the CPU has AVX2 and no VNNI
session = onnxruntime.InferenceSession("$onnx", options)
logits = session.run(None, {session.get_inputs()[0].name: images})[0]  # images: $nchw
```

Without that option ONNX Runtime's int8 kernels saturate on x86 CPUs with AVX2 and without VNNI: other integers.

## LiteRT

```python
from ai_edge_litert.interpreter import Interpreter
net = Interpreter("$tflite"); net.allocate_tensors()
net.set_tensor(net.get_input_details()[0]["index"], images)  # images: $nhwc
net.invoke()
logits = net.get_tensor(net.get_output_details()[0]["index"])
```
""")


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
    return _TEXT.substitute(
        model=manifest.model,
        version=manifest.tools["edgegap"],
        head=manifest.head,
        exactness=exactness,
        files=files,
        shape=list(manifest.input_shape),
        preprocessing=f"{steps}; value = (pixel * scale - mean) / std." if record else f"{steps}.",
        onnx=next((name for name in reversed(names) if name.endswith(".onnx")), "int8.onnx"),
        tflite=next((name for name in reversed(names) if name.endswith(".tflite")), "int8.tflite"),
        nchw=[n, c, h, w],
        nhwc=[n, h, w, c],
    )
