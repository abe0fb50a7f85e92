"""The environment of a record says what a figure depends on, and nothing about the user."""

from __future__ import annotations

import json
import os
import platform
import socket
from dataclasses import asdict

import numpy as np

from edgegap.run.environment import environment

PI5 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

Revision\t: d04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
X86 = """processor : 0
model : 143
model name : Some CPU @ 2.00GHz
flags : fpu sse avx2 avx512f avx512_vnni
processor : 1
model name : Another
flags : fpu
"""


def test_this_machine_is_described_and_becomes_json():
    found = environment()
    record = json.loads(json.dumps(asdict(found)))
    assert record["python"] == platform.python_version()
    assert record["versions"]["numpy"] == np.__version__
    assert {"edgegap", "onnxruntime"} <= set(record["versions"])
    assert record["cpu"]
    assert found.memory_mib is None or found.memory_mib > 256


def test_no_user_and_no_host_is_named():
    text = json.dumps(asdict(environment())).split('"')
    assert socket.gethostname() not in text
    assert os.path.expanduser("~") not in text


def test_a_raspberry_pi_is_named_by_its_board(tmp_path):
    (tmp_path / "cpuinfo").write_text(PI5)
    found = environment(tmp_path / "cpuinfo")
    assert found.cpu == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.isa == ("asimd", "asimddp")


def test_a_pc_is_named_by_its_first_processor(tmp_path):
    (tmp_path / "cpuinfo").write_text(X86)
    found = environment(tmp_path / "cpuinfo")
    assert found.cpu == "Some CPU @ 2.00GHz"
    assert found.isa == ("avx2", "avx512f", "avx512_vnni")


def test_a_system_without_cpuinfo_still_has_an_environment(tmp_path):
    found = environment(tmp_path / "none")
    assert found.cpu
    assert found.isa == ()
