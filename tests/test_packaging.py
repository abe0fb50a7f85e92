"""Recipes and targets are found wherever EdgeGAP is installed from: a checkout, an editable install, a wheel."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import get_args

import pytest

from edgegap.errors import SettingsError
from edgegap.resources import Kind, resource, resource_folder, resource_names

CHECKOUT = Path(__file__).resolve().parent.parent
KINDS: tuple[Kind, ...] = get_args(Kind)
FILES = {
    kind: [f"{stem}.toml" for stem in sorted(file.stem for file in (CHECKOUT / kind).glob("*.toml"))] for kind in KINDS
}

# Run by a Python that sees neither the current folder nor PYTHONPATH (-I), only the folder it is told of.
LIST_RESOURCES = """
import json, site, sys
sys.path[:0] = [sys.argv[1]]
site.addsitedir(sys.argv[1])
import edgegap
from edgegap.resources import resource, resource_folder, resource_names
def found(kind):
    files = [resource(kind, name).name for name in resource_names(kind)]
    return {"folder": str(resource_folder(kind)), "files": files}
print(json.dumps({"package": edgegap.__file__, "found": {kind: found(kind) for kind in sys.argv[2:]}}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def list_resources(folder: Path) -> tuple[Path, dict[str, Path]]:
    """The package that a Python with `folder` on its path imports, and the folder of each kind; all files are there."""
    record = json.loads(run(sys.executable, "-I", "-c", LIST_RESOURCES, folder, *KINDS, cwd=folder))
    assert {kind: found["files"] for kind, found in record["found"].items()} == FILES
    return Path(record["package"]).parent, {kind: Path(found["folder"]) for kind, found in record["found"].items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_uses_the_top_level_folders(kind: Kind) -> None:
    assert resource_folder(kind) == CHECKOUT / kind


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a built wheel unpacks to: what pip puts into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    # Not run in the checkout, where a folder build/ would stand in for the module.
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT, cwd=folder)
    (file,) = folder.glob("edgegap-*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_carries_every_recipe_and_target(wheel: Path) -> None:
    package, folders = list_resources(wheel)
    assert package == wheel / "edgegap"
    assert folders == {kind: wheel / "edgegap" / kind for kind in KINDS}


def test_a_wheel_holds_the_package_and_its_licence_and_nothing_else_of_the_checkout(wheel: Path) -> None:
    (metadata,) = wheel.glob("edgegap-*.dist-info")
    assert {folder.name for folder in wheel.iterdir()} == {"edgegap", metadata.name}
    assert (metadata / "licenses" / "LICENSE").read_text() == (CHECKOUT / "LICENSE").read_text()


def test_an_editable_install_uses_the_checkout(tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--target", site, "--editable", CHECKOUT, cwd=tmp_path)
    package, folders = list_resources(site)
    assert package == CHECKOUT / "edgegap"
    assert folders == {kind: CHECKOUT / kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_says_what_it_is_and_its_readme_names_it(kind: Kind) -> None:
    readme = (CHECKOUT / kind / "README.md").read_text()
    for name in resource_names(kind):
        assert tomllib.loads(resource(kind, name).read_text())["description"]
        assert f"| `{name}` |" in readme


def test_a_users_own_file_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "default.toml"
    mine.touch()
    monkeypatch.chdir(tmp_path)
    assert resource("calibration", str(mine)) == mine
    assert resource("calibration", "default.toml").resolve() == mine
    assert resource("calibration", "default") == CHECKOUT / "calibration" / "default.toml"


@pytest.mark.parametrize("wrong", ["defualt", "nowhere.toml", "no/where"])
def test_an_unknown_name_or_path_is_answered_with_the_names(wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resource("calibration", wrong)
    assert wrong in str(caught.value)
    assert ", ".join(resource_names("calibration")) in str(caught.value)
