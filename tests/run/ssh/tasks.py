"""Tasks of plain Python that speak as the runner does."""

from __future__ import annotations

from pathlib import Path

from edgegap.run.device import Task

COUNT = """
import hashlib, json, os, pathlib, sys, time

job = json.loads(pathlib.Path(sys.argv[1]).read_text())
here = pathlib.Path(sys.argv[1]).parent

def say(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)

say("ready")
done = here / "done.txt"
start = int(done.read_text()) if done.exists() else 0
with open(here / "starts.txt", "a") as file:
    file.write(f"{start} {time.time()}\\n")
for image in range(start, job["images"]):
    time.sleep(job["seconds"])
    done.write_text(str(image + 1))
    say("progress", done=image + 1, total=job["images"])
with open(here / "starts.txt", "a") as file:
    file.write(f"end {time.time()}\\n")
say("done", files=[])
"""


def task(folder: Path, code: str = COUNT, *, artifact: bytes = b"artifact", **record: object) -> Task:
    """A task that runs `code`; by default it counts `images`, each of which takes `seconds`."""
    script, file = folder / "script.py", folder / "artifact.onnx"
    script.write_text(code)
    file.write_bytes(artifact)
    return Task((script,), {"artifact": file}, "onnxruntime", {"images": 3, "seconds": 0.0, **record})


def starts(folder: Path) -> list[int]:
    """The images at which a counting task began."""
    words = [line.split()[0] for line in (folder / "starts.txt").read_text().splitlines()]
    return [int(word) for word in words if word != "end"]
