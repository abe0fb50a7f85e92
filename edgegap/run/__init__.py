"""Where an artifact runs: a job in, events out."""

from edgegap.run.device import Device, Task
from edgegap.run.events import Event, OnEvent
from edgegap.run.job import Job, Result, run_job
from edgegap.run.local import Local

__all__ = ["Device", "Event", "Job", "Local", "OnEvent", "Result", "Task", "run_job"]
