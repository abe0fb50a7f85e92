"""A board behind ssh as a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from edgegap.errors import DeviceError
from edgegap.progress import Progress, silent
from edgegap.run.device import Task
from edgegap.run.events import Event, OnEvent, failure
from edgegap.run.process import Ended
from edgegap.run.runner import sha256
from edgegap.run.ssh.connection import Answer, Connection
from edgegap.run.ssh.environment import Environment, environment_for
from edgegap.run.ssh.facts import Facts
from edgegap.run.ssh.faults import ConnectionLost
from edgegap.run.ssh.host import checked_host
from edgegap.run.ssh.refusals import refusal
from edgegap.run.ssh.wheelhouse import choose_wheels
from edgegap.run.target import Target

_DELAYS = (2.0, 4.0, 8.0)
"""Seconds to wait before a lost connection is tried again."""


class Ssh:
    """A device that runs tasks on a board, through the system's OpenSSH client.

    The user's configuration, agent, jump hosts and known hosts apply; unknown host keys are refused. What it needs
    there is made on first use, under ~/.cache/edgegap/device.

    Args:
        host: USER@HOST, an alias of ~/.ssh/config, or ssh://USER@HOST:PORT.
        target: the profile of the board.
        wheelhouse: a folder of wheels, for a board without internet.
        progress: told what the board is doing before a task runs.

    Raises:
        InputError: `host` cannot be the name of one.
    """

    def __init__(
        self, host: str, target: Target, *, wheelhouse: Path | None = None, progress: Progress = silent
    ) -> None:
        self.place = checked_host(host)
        self.target = target.name
        self.profile = target
        self._wheelhouse = wheelhouse
        self._progress = progress
        self._connection = Connection(host, progress)

    @cached_property
    def facts(self) -> Facts:
        """What the board is and has.

        Raises:
            DeviceError: it cannot be reached, or has no Python that will do.
        """
        line = dict(self._connection.ask({"command": "probe"}).lines["facts"])
        del line["agent"]
        return Facts(**line)

    def environment(self, runtime: str) -> Environment:
        """The environment that a runtime needs there.

        Raises:
            InputError: the profile has no such runtime.
            DeviceError: the board cannot be reached.
        """
        return environment_for(self.profile, runtime, self.facts)

    def execute(self, task: Task, folder: Path, on_event: OnEvent | None = None) -> dict[str, Event]:
        """Run a task; see `Device.execute`.

        A connection that is lost is made again, and the task goes on there where it stopped.
        """
        done = _Done(on_event)
        delays = list(_DELAYS)
        _ = self.facts  # a host that was never reached is not waited for
        while True:
            before = done.images
            try:
                return self._run(task, folder, done)
            except ConnectionLost as error:
                if done.images > before:
                    delays = list(_DELAYS)
                if not delays:
                    raise DeviceError(
                        f"{error.what}, and did so again and again",
                        where=self.place,
                        hint="What is finished is kept there: when it is back, the same check with --resume goes on.",
                    ) from error
                self._progress(f"{self.place}: {error.what}; trying again in {delays[0]:g} s", 0, None)
            self._connection.wait(delays.pop(0))

    def stop(self) -> None:
        """End what runs; see `Device.stop`."""
        self._connection.stop()

    def close(self) -> None:
        """End the connection; done by itself when the process ends."""
        self._connection.close()

    def wheels(self, environment: Environment) -> Sequence[Path] | None:
        """The wheels that an environment takes from the wheelhouse; None if there is no wheelhouse.

        Raises:
            InputError: some are missing.
        """
        if self._wheelhouse is None:
            return None
        provided = ["numpy"] if environment.system_packages else []
        return choose_wheels(self._wheelhouse, environment.requirements, self.facts, provided)

    def _run(self, task: Task, folder: Path, on_event: OnEvent) -> dict[str, Event]:
        environment = self.environment(task.runtime)
        hashes = task.hashes()
        files = {digest: task.files[name] for name, digest in hashes.items()}
        places = {name: f"{self.facts.root}/files/{digest}" for name, digest in hashes.items()}
        scripts = {path.name: path.read_text(encoding="utf-8") for path in task.scripts}
        request = {
            "command": "run",
            "key": task.key(),
            "environment": environment.name,
            "files": {digest: path.stat().st_size for digest, path in files.items()},
            "texts": {**scripts, "job.json": task.text(places)},
            "script": task.scripts[0].name,
        }
        answer = self._connection.ask(request, files=files, folder=folder, on_event=on_event)
        if answer.lines.get("refused", {}).get("kind") == "environment":
            self._set_up(environment)
            answer = self._connection.ask(request, files=files, folder=folder, on_event=on_event)
        self._checked(answer, task.runtime)
        ended = Ended(answer.events, answer.lines["exit"]["returncode"], answer.lines["exit"]["stderr"])
        if "done" not in ended.events or ended.returncode:
            raise failure(task, ended, self.place)
        return ended.events

    def _set_up(self, environment: Environment) -> None:
        wheels = self.wheels(environment)
        files = {sha256(path): path for path in wheels or []}
        request: dict[str, Any] = asdict(environment) | {
            "command": "environment",
            "environment": environment.name,
            "wheels": None if wheels is None else {path.name: digest for digest, path in files.items()},
            "files": {digest: path.stat().st_size for digest, path in files.items()},
        }
        self._checked(self._connection.ask(request, files=files), environment.runtime)

    def _checked(self, answer: Answer, runtime: str) -> None:
        if "refused" in answer.lines:
            raise refusal(answer.lines["refused"], self.place, runtime)


class _Done:
    """Passes events on, and remembers how many images are done."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self.images = 0
        self._on_event = on_event

    def __call__(self, event: Event) -> None:
        if event["event"] == "progress":
            self.images = max(self.images, event["done"])
        if self._on_event is not None:
            self._on_event(event)
