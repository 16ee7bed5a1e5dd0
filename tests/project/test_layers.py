"""import-linter's contracts hold, and each of them notices when somebody breaks it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the package to where it can be damaged."""
    shutil.copytree(ROOT / "exporter", tmp_path / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_layers_hold():
    """Each layer imports only those below it."""
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("oci", "exporter.registry"),
        ("registry", "exporter.integrity"),
        ("integrity", "exporter.settings"),
        ("integrity", "prometheus_client"),
        ("registry", "rich"),
        ("integrity", "httpx"),
        ("oci", "asyncio"),
    ],
)
def test_violation_is_noticed(copy: Path, module: str, imported: str):
    """An import against the contract fails the check, which names both ends."""
    (copy / "exporter" / module / "intruder.py").write_text(f'"""An intruder."""\n\nimport {imported}\n')
    result = lint_imports(copy)
    assert result.returncode == 1, result.stderr
    assert f"exporter.{module} is not allowed to import {imported}" in " ".join(result.stdout.split())


def test_module_without_a_layer_is_noticed(copy: Path):
    """A new module of the package has to be given its layer."""
    (copy / "exporter" / "homeless.py").write_text('"""A module that no layer lists."""\n')
    result = lint_imports(copy)
    assert result.returncode == 1, result.stderr
    assert "exporter.homeless" in result.stdout


def test_circle_is_noticed(copy: Path):
    """Two modules of one layer may not import each other, here by way of a third."""
    for module, imported in (("first", "second"), ("second", "third"), ("third", "first")):
        (copy / "exporter" / "oci" / f"{module}.py").write_text(f"import exporter.oci.{imported}\n")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stderr
    assert "not even around corners BROKEN" in " ".join(result.stdout.split())


def test_serving_is_for_the_web_only():
    """aiohttp.web is banned by ruff, since import-linter sees a foreign package only as a whole."""
    for folder, status in (("registry", 1), ("web", 0)):
        module = f"exporter/{folder}/server.py"
        for line in ("import aiohttp.web", "from aiohttp import web"):
            result = subprocess.run(
                [
                    *(sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251"),
                    *("--config", ROOT / "pyproject.toml", "--stdin-filename", ROOT / module, "-"),
                ],
                input=f"{line}\n",
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == status, result.stdout + result.stderr
