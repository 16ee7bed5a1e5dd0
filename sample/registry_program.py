"""Finding something to run a docker-registry with: a program here, a Debian package, or a container."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tools import debian

PROGRAM: Final = "docker-registry"
IMAGE: Final = "registry:2.8.3"
CONTAINER_PORT: Final = 5000


class NoRegistry(Exception):  # noqa: N818 - says what is the matter
    """There is no way to run a registry here; the message says what was tried and what to do."""


class RegistryProgram(Protocol):
    """A way to run a registry."""

    def choose_port(self) -> int:
        """Return the port to ask for: 0 where the program can choose and tell."""

    def listen_address(self, port: int) -> str:
        """Return what the configuration must say so that the registry answers on this loopback port."""

    def serve(self, config: Path, port: int) -> list[str]:
        """Return the command that serves."""

    def garbage_collect(self, config: Path, *, delete_untagged: bool) -> list[str]:
        """Return the command that collects garbage."""

    def clean_up(self) -> None:
        """Remove what a killed command leaves."""


@dataclass(frozen=True)
class InstalledRegistry:
    """The program, on this machine."""

    path: Path

    def choose_port(self) -> int:
        """Return 0: it chooses one and writes which."""
        return 0

    def listen_address(self, port: int) -> str:
        """Return the loopback address."""
        return f"127.0.0.1:{port}"

    def serve(self, config: Path, port: int) -> list[str]:  # noqa: ARG002 - the port is in the configuration
        """Return the command that serves."""
        return [str(self.path), "serve", str(config)]

    def garbage_collect(self, config: Path, *, delete_untagged: bool) -> list[str]:
        """Return the command that collects garbage."""
        return [str(self.path), *_garbage_collect(config, delete_untagged)]

    def clean_up(self) -> None:
        """Do nothing: a killed program leaves nothing."""


@dataclass(frozen=True)
class ContainerRegistry:
    """The official image, on a container engine; the storage is a folder of this machine all the same."""

    engine: Path
    name: str
    image: str = IMAGE

    def choose_port(self) -> int:
        """Return a port that is free now: a container's cannot be known before it runs."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
            return port

    def listen_address(self, port: int) -> str:  # noqa: ARG002 - the engine maps it
        """Return the address within the container."""
        return f":{CONTAINER_PORT}"

    def serve(self, config: Path, port: int) -> list[str]:
        """Return the command that serves, and ends with its container."""
        publish = ["--publish", f"127.0.0.1:{port}:{CONTAINER_PORT}"]
        return [*self._run(config), "--name", self.name, *publish, self.image, "serve", str(config)]

    def garbage_collect(self, config: Path, *, delete_untagged: bool) -> list[str]:
        """Return the command that collects garbage, in a container of its own."""
        return [*self._run(config), self.image, *_garbage_collect(config, delete_untagged)]

    def clean_up(self) -> None:
        """Remove the container, which outlives a killed command."""
        subprocess.run([self.engine, "rm", "--force", self.name], capture_output=True, check=False)

    def _run(self, config: Path) -> list[str]:
        # The same path inside as outside: one configuration serves both. As us: we may damage what it stores.
        folder = config.parent
        user = f"{os.getuid()}:{os.getgid()}"
        return [str(self.engine), "run", "--rm", "--user", user, "--volume", f"{folder}:{folder}"]


def find_registry_program(name: str = "sample-registry") -> RegistryProgram:
    """Find a way to run a registry; `name` is what a container would be called.

    Raises:
        NoRegistry: there is none.

    """
    found = _installed() or _unpacked() or _container(name)
    if found is None:
        raise NoRegistry(
            f"no registry to run: {PROGRAM} is neither on PATH nor to be had from the Debian package of that "
            f"name, and no docker engine answers that could run {IMAGE}. Install {PROGRAM} "
            "(Debian, Ubuntu: apt-get install docker-registry) or start docker."
        )
    return found


def _installed() -> InstalledRegistry | None:
    found = debian.find(debian.PROGRAMS[PROGRAM])
    return None if found is None else InstalledRegistry(found)


def _unpacked() -> InstalledRegistry | None:
    if shutil.which("apt-get") is None:
        return None
    print(f"{PROGRAM} is not installed: unpacking the Debian package", file=sys.stderr)
    return _installed() if debian.main([PROGRAM]) == 0 else None


def _container(name: str) -> ContainerRegistry | None:
    engine = shutil.which("docker")
    if engine is None:
        return None
    answer = subprocess.run([engine, "version"], capture_output=True, timeout=20, check=False)
    return ContainerRegistry(Path(engine), name) if answer.returncode == 0 else None


def _garbage_collect(config: Path, delete_untagged: bool) -> list[str]:
    return ["garbage-collect", *(["--delete-untagged"] if delete_untagged else []), str(config)]
