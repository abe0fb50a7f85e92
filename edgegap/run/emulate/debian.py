"""Files of Debian packages, of any release and architecture, without root and without installing them.

apt-get does it with a configuration of its own and the host's Debian mirror. It verifies every package: Debian's key
signs the release file, which holds the hashes of the package lists, which hold the hashes of the packages. A mirror
keeps one version of each package per release, so the release is what can be pinned.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from edgegap.errors import DeviceError
from edgegap.progress import Progress
from edgegap.run.emulate.commands import run

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TOOLS = {"apt-get": "apt", "dpkg-deb": "dpkg", "tar": "tar"}
"""Commands, and the packages that they are in. dpkg-deb calls tar."""


def require_debian() -> None:
    """Check that the host has Debian's tools and key.

    Raises:
        DeviceError: names what to install.
    """
    missing = [package for tool, package in _TOOLS.items() if not shutil.which(tool)]
    missing += [] if _KEYRING.is_file() else ["debian-archive-keyring"]
    if missing:
        raise DeviceError(
            "emulated boards are put together from Debian packages, and this machine lacks the tools for that",
            where="this machine",
            hint=f"On Debian, install: {' '.join(missing)}. Elsewhere, run EdgeGAP in a container of Debian 12.",
        )


def unpack(suite: str, architecture: str, packages: tuple[str, ...], folder: Path, progress: Progress) -> None:
    """Fetch packages and all that they depend on, and unpack them.

    Args:
        suite: the release's name, such as 'bookworm'.
        architecture: Debian's name of it, such as 'arm64'.
        packages: their names.
        folder: an empty folder, which becomes the root of a file system that nothing was configured in.
        progress: told how far it is, in per cent.

    Raises:
        DeviceError: a tool or the mirror failed.
        DiskError: no room.
    """
    require_debian()
    stage = f"Debian {suite} for {architecture}"
    apt = folder / "apt"
    environment = {"APT_CONFIG": str(_configure(apt, suite, architecture))}
    progress(stage, 0, 100)
    # By default an update that reached nothing is a success.
    update = ["apt-get", "-qq", "--error-on=any", "update"]
    run(f"read the package lists of {stage}", update, environment=environment)

    def downloaded(line: str) -> None:
        if status := re.match(r"dlstatus:\d+:(\d+)", line):
            progress(stage, int(status[1]) * 8 // 10, 100)  # unpacking takes the rest

    # The status goes to stdout, which is read line by line.
    fetch = ["apt-get", "-y", "-o", "APT::Status-Fd=1", "--download-only", "install", *packages]
    run(f"download packages of {stage}", fetch, environment=environment, on_line=downloaded)
    archives = sorted((apt / "cache" / "archives").glob("*.deb"))
    for number, archive in enumerate(archives):
        progress(stage, 80 + 20 * number // len(archives), 100)
        run(f"unpack {archive.name}", ["dpkg-deb", "--extract", str(archive), str(folder)])
    for directory in ("lib", "lib64"):  # newer releases keep all in /usr and expect these links to be there
        if not (folder / directory).exists() and (folder / "usr" / directory).exists():
            (folder / directory).symlink_to(f"usr/{directory}")
    names = "".join(f"{archive.name}\n" for archive in archives)
    shutil.rmtree(apt)
    (folder / "packages.txt").write_text(names, encoding="utf-8")


def _configure(apt: Path, suite: str, architecture: str) -> Path:
    """apt's configuration, lists and cache in a folder of their own; everything else, proxies say, is the host's."""
    for name in ("sources.d", "preferences.d", "lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed, so all dependencies are fetched
    source = f"deb [arch={architecture} signed-by={_KEYRING}] {_mirror()} {suite} main\n"
    (apt / "sources.list").write_text(source, encoding="utf-8")
    settings = {
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": apt / "sources.d",
        "Dir::Etc::preferencesparts": apt / "preferences.d",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",  # the download's folder is this user's, and not that of root's helper account
        "Debug::NoLocking": "true",
    }
    path = apt / "apt.conf"
    path.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()), encoding="utf-8")
    return path


def _mirror() -> str:
    """The address of the Debian mirror that this host uses; security updates have mirrors of their own."""
    wanted = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = sorted(set(run("ask apt for its mirror", wanted).split()))
    for site in sites:
        if re.search(r"/debian/?$", site):
            return site
    raise DeviceError(
        "apt names no mirror of Debian",
        where="this machine",
        hint="Emulated boards need one: run EdgeGAP on Debian, or in a container of Debian 12.",
    )
