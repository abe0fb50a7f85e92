"""Where an artifact runs: a job in, events out."""

from edgegap.run.events import Event, OnEvent
from edgegap.run.job import Job, Result
from edgegap.run.local import run_local

__all__ = ["Event", "Job", "OnEvent", "Result", "run_local"]
