"""The wheel holds the package, whole and alone."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel, without the network, with the hatchling that is locked."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", target],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (path,) = target.iterdir()
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_only_the_package(wheel: zipfile.ZipFile):
    """No test, tool or sample is installed on a user's machine."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tops == {"exporter", f"registry_integrity_exporter-{version}.dist-info"}


def test_whole_package(wheel: zipfile.ZipFile):
    """Every file of the package is in it, templates and the marker of its types too."""
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "exporter").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "exporter/py.typed" in files
    assert {name for name in wheel.namelist() if name.startswith("exporter/")} == files


def test_metadata(wheel: zipfile.ZipFile):
    """It brings the console script and the license."""
    (script,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert re.search(
        r"^registry-integrity-exporter = exporter\.cli:main$", wheel.read(script).decode(), re.MULTILINE
    )
    (license_file,) = (name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
    assert wheel.read(license_file) == (ROOT / "LICENSE").read_bytes()
