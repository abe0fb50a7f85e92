"""Which virtual environment a runtime needs on a device."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from edgegap.errors import InputError
from edgegap.run.ssh.facts import Facts
from edgegap.run.target import Target


@dataclass(frozen=True)
class Environment:
    """A virtual environment on a device.

    Attributes:
        name: of its folder; another one for other requirements, Python or machine.
        runtime: as pip names it.
        requirements: for pip.
        modules: that it must be able to import.
        system_packages: whether NumPy is the system's.
    """

    name: str
    runtime: str
    requirements: list[str]
    modules: list[str]
    system_packages: bool


def environment_for(target: Target, runtime: str, facts: Facts) -> Environment:
    """The environment of a runtime in the version that the target's profile names.

    Raises:
        InputError: the profile names none.
    """
    if runtime not in target.runtimes:
        hint = f"It has {', '.join(target.runtimes)}."
        raise InputError(f"the profile has no {runtime}", where=target.name, hint=hint)
    requirements = [f"{runtime}=={target.runtimes[runtime]}"]
    system_packages = facts.machine == "armv7l"  # PyPI has no NumPy for it
    if not system_packages:
        # Under NumPy 2 tflite-runtime can be imported, and its interpreter raises SystemError.
        requirements.append("numpy<2" if runtime == "tflite-runtime" else "numpy")
    module = {"onnxruntime": "onnxruntime"}.get(runtime, f"{runtime.replace('-', '_')}.interpreter")
    parts = [requirements, facts.python_version, facts.machine, system_packages]
    name = sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return Environment(name, runtime, requirements, ["numpy", module], system_packages)
