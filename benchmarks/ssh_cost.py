"""What a check on a device behind ssh costs beyond a local one: ResNet-8 on 1,000 of CIFAR-10's test images.

Give a host that is this machine (docs/devices.md, "a loopback server"), so that the same processor does the same work
and the difference is the way there and back. A first check sets the host up; then the two take turns.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from cases import CASES
from output import describe, machine, markdown, write_record

MOST = 1.5
_TURNS = 3


def main() -> int:
    """Measure, print, and fail where the check over ssh costs more than `MOST` times the local one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", help="this machine, as ssh reaches it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    facts = machine()
    case = next(case for case in CASES if case.factory == "resnet8")
    with tempfile.TemporaryDirectory(prefix="edgegap-") as name:
        folder = Path(name)
        subprocess.run(case.export(folder / "bundle", "default", folder / "export.json"), check=True)
        local = ["edgegap", "check", str(folder / "bundle"), "--data", str(case.tests[0]), "--samples", "1000"]
        remote = [*local, "--target", "desktop", "--host", arguments.host]
        subprocess.run(remote, check=True)
        seconds: dict[str, list[float]] = {"local": [], "ssh": []}
        for _ in range(_TURNS):
            for kind, command in (("local", local), ("ssh", remote)):
                began = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds[kind].append(time.perf_counter() - began)
    ratio = median(seconds["ssh"]) / median(seconds["local"])
    row = {f"{kind}, s": round(median(values), 2) for kind, values in seconds.items()} | {"ratio": round(ratio, 2)}
    print(describe(facts))
    print(markdown([row]))
    write_record(arguments.json, "edgegap.benchmark.ssh_cost/1", facts, [row])
    return int(ratio > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
