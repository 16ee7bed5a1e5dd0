"""A way to run a registry is found: the program, its Debian package, a container, or else a message."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from sample import content as c
from sample.registry import DockerRegistry
from sample.registry_program import (
    ContainerRegistry,
    InstalledRegistry,
    NoRegistry,
    find_registry_program,
)
from tests.parts.programs import find_program
from tools import debian

# A container engine as far as we use it: what it is asked to run it runs here, the container's port mapped.
ENGINE = """#!{python}
import json, os, sys
command, *arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    print(command, *arguments, file=log)
if command == "run":
    options = dict(zip(arguments[1::2], arguments[2::2]))
    start = next(n for n, word in enumerate(arguments) if word in ("serve", "garbage-collect"))
    assert arguments[start - 1] == "registry:2.8.3", arguments
    config = arguments[-1]
    assert options["--volume"] == ":".join([os.path.dirname(config)] * 2), options
    settings = json.load(open(config))
    if "--publish" in options:
        address, port, inside = options["--publish"].rsplit(":", 2)
        assert settings["http"]["addr"] == ":" + inside
        settings["http"]["addr"] = address + ":" + port
    json.dump(settings, open(config, "w"))
    os.execv({registry!r}, [{registry!r}, *arguments[start:]])
sys.exit({status})
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, in a checkout where nothing was unpacked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(debian, "UNPACKED", tmp_path / ".debian")
    return folder


def _put(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


def _engine(folder: Path, log: Path, registry: Path, status: int = 0) -> Path:
    text = ENGINE.format(python=sys.executable, log=str(log), registry=str(registry), status=status)
    return _put(folder, "docker", text)


def test_the_program_on_path_goes_first(path: Path, tmp_path: Path) -> None:
    _put(tmp_path / ".debian/usr/bin", "docker-registry", "")
    assert find_registry_program() == InstalledRegistry(tmp_path / ".debian/usr/bin/docker-registry")
    _put(path, "docker-registry", "")
    assert find_registry_program() == InstalledRegistry(path / "docker-registry")


def test_then_the_debian_package(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is unpacked once, without root, and found from then on."""
    asked = []

    def unpack(packages: list[str]) -> int:
        asked.append(packages)
        _put(tmp_path / ".debian/usr/bin", "docker-registry", "")
        return 0

    _put(path, "apt-get", "")
    monkeypatch.setattr(debian, "main", unpack)
    expected = InstalledRegistry(tmp_path / ".debian/usr/bin/docker-registry")
    assert [find_registry_program(), find_registry_program()] == [expected, expected]
    assert asked == [["docker-registry"]]


async def test_then_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves, is restarted, collects garbage and is removed, all through the engine."""
    real = find_program("docker-registry")
    log = tmp_path / "log"
    path = tmp_path / "bin"
    engine = _engine(path, log, real)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(debian, "UNPACKED", tmp_path / ".debian")
    monkeypatch.setattr(debian, "find", lambda _: None)
    program = find_registry_program("name")
    assert program == ContainerRegistry(engine, "name")
    folder = tmp_path / "registry"
    folder.mkdir()
    with DockerRegistry(folder, program=program) as registry:
        await registry.push("a", c.image("x"), "latest")
        registry.restart()
        async with registry.client() as client:
            assert (await client.get("/v2/_catalog")).json() == {"repositories": ["a"]}
        assert "4 blobs marked" in registry.garbage_collect()
    commands = [line.split()[0] for line in log.read_text().splitlines()]
    assert commands == ["version", "run", "rm", "run", "run", "rm"]
    assert f"--user {os.getuid()}:{os.getgid()}" in log.read_text()


def test_an_engine_that_does_not_answer_is_none(path: Path, tmp_path: Path) -> None:
    _engine(path, tmp_path / "log", Path("/bin/false"), status=1)
    with pytest.raises(NoRegistry):
        find_registry_program()


@pytest.mark.usefixtures("path")
def test_else_a_message_says_what_to_do() -> None:
    assert shutil.which("docker-registry") is None
    with pytest.raises(NoRegistry) as told:
        find_registry_program()
    assert str(told.value) == (
        "no registry to run: docker-registry is neither on PATH nor to be had from the Debian package of "
        "that name, and no docker engine answers that could run registry:2.8.3. Install docker-registry "
        "(Debian, Ubuntu: apt-get install docker-registry) or start docker."
    )
