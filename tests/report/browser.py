"""Debian's chromium without a window, driven over WebDriver: HTTP and JSON, so no library is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # tests may run as root, for whom chromium has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]


class Browser:
    """One browser session."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        options = {
            "binary": shutil.which("chromium"),
            "args": [*ARGUMENTS, f"--user-data-dir={profile}"],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self._session = ""
        created = self._call("POST", "/session", capabilities={"alwaysMatch": wanted})
        self._session = f"/session/{created['sessionId']}"

    def open(self, path: Path, width: int, scheme: str) -> None:
        """Show a page, so many CSS pixels wide, to somebody who prefers the colour scheme."""
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", features=media)
        for kind in ("browser", "performance"):
            self.logs(kind)  # what went before
        self._call("POST", "/url", url=path.as_uri())

    def run(self, script: str) -> Any:
        """What the body of a JavaScript function returns."""
        return self._call("POST", "/execute/sync", script=script, args=[])

    def logs(self, kind: str) -> list[dict[str, Any]]:
        """What came into the log 'browser' (the console) or 'performance' (requests) since it was last asked for."""
        entries: list[dict[str, Any]] = self._call("POST", "/se/log", type=kind)
        return entries

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self.logs("performance")]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]

    def close(self) -> None:
        """End the session."""
        self._call("DELETE", "")

    def _devtools(self, command: str, **parameters: Any) -> None:
        self._call("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def _call(self, method: str, path: str, **body: Any) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, self._session + path, json.dumps(body) if method == "POST" else None)
            answer = connection.getresponse()
            value = json.load(answer)["value"]
        finally:
            connection.close()
        assert answer.status == 200, value
        return value


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a new profile in `folder`."""
    command = ["chromedriver", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as driver:
        try:
            assert driver.stdout is not None
            ports = (re.search(r"started successfully on port (\d+)", line) for line in driver.stdout)
            session = Browser(next(int(match[1]) for match in ports if match), folder / "profile")
            try:
                yield session
            finally:
                session.close()
        finally:
            driver.terminate()
