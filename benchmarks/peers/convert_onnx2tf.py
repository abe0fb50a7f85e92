"""onnx2tf's full-integer int8.

python convert_onnx2tf.py FLOAT.onnx CALIBRATION.npy OUT.tflite
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

model, calibration, output = sys.argv[1:]
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    shutil.copy(model, folder / "net.onnx")
    np.save(folder / "calibration.npy", np.ascontiguousarray(np.load(calibration).transpose(0, 2, 3, 1)))
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        [
            *(sys.executable, "-m", "onnx2tf", "-i", "net.onnx", "-o", "tf"),
            *("-oiqt", "-iqd", "int8", "-oqd", "int8"),
            # The images are preprocessed already: mean 0, standard deviation 1.
            *("-cind", "input", "calibration.npy", "[[[[0.0,0.0,0.0]]]]", "[[[[1.0,1.0,1.0]]]]"),
        ],
        cwd=folder,
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        sys.exit(done.returncode)
    shutil.copy(folder / "tf" / "net_full_integer_quant.tflite", output)
