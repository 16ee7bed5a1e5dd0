"""What the program's tests share."""

from pathlib import Path

import pytest

from tests.parts.certificates import Authority


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Path:
    """A certificate and its key in one file."""
    return authority.issue("registry").both


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration file of a test goes: into the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path("config.yml")
