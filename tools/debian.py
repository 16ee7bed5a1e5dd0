"""Fetch the programs that the tests and the sample run, from Debian packages, without being root.

    python3 tools/debian.py PACKAGE...

A package whose programs are all here is left alone. The others are downloaded by `apt-get download` and
unpacked into `.debian/` in the checkout, where the tests and the sample look too. Only what cannot work
unpacked, and only for root, is installed. It runs before there is any virtual environment, so it needs
Python 3.11 and nothing else.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

CHECKOUT = Path(__file__).resolve().parents[1]
UNPACKED = CHECKOUT / ".debian"
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")  # where Debian puts servers, and a user's PATH does not look
FOLDERS = ("usr/bin", "usr/sbin", "bin", "sbin")
LIST_TIMEOUT = 300
INSTALL_TIMEOUT = 900


class Failed(Exception):  # noqa: N818 - says what happened
    """A package could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Program:
    """A program by the name its makers gave it, the package that has it, and what it may be called."""

    name: str
    package: str
    commands: tuple[str, ...]
    unpackable: bool = True


def _program(package: str, name: str, *commands: str, unpackable: bool = True) -> Program:
    return Program(name, package, commands or (name,), unpackable)


PROGRAMS = MappingProxyType(
    {
        program.name: program
        for program in (
            _program("docker-registry", "docker-registry"),
            _program("git", "git"),
            _program("prometheus", "prometheus"),
            _program("prometheus", "promtool"),
            # It reads its templates from the folder under /usr/share that its package installs.
            _program(
                "prometheus-alertmanager",
                "alertmanager",
                "prometheus-alertmanager",
                "alertmanager",
                unpackable=False,
            ),
            _program("prometheus-alertmanager", "amtool"),
            _program("prometheus-pushgateway", "pushgateway", "prometheus-pushgateway", "pushgateway"),
            _program("nginx", "nginx"),
            _program("apache2-utils", "htpasswd"),
            _program("skopeo", "skopeo"),
            _program("umoci", "umoci"),
            _program("buildah", "buildah"),
            _program("hey", "hey"),
            # Their libraries are packages of their own.
            _program("curl", "curl", unpackable=False),
            _program("jq", "jq", unpackable=False),
            # Its many shared libraries, fonts and data are looked for where the package installs them.
            _program("chromium", "chromium", unpackable=False),
        )
    }
)


def main(packages: Sequence[str]) -> int:
    """Make each package's programs available; return the exit status."""
    known = sorted({program.package for program in PROGRAMS.values()})
    unknown = [package for package in packages if package not in known]
    if unknown or not packages:
        print(f"usage: python3 tools/debian.py PACKAGE...\npackages: {' '.join(known)}", file=sys.stderr)
        return 2
    failures = [failure for package in packages if (failure := _provide(package)) is not None]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def find(program: Program) -> Path | None:
    """Find a program on PATH, where Debian puts servers, or unpacked in the checkout."""
    folders = [*os.get_exec_path(), *SYSTEM_FOLDERS, *(str(UNPACKED / folder) for folder in FOLDERS)]
    path = os.pathsep.join(folders)
    found = (shutil.which(command, path=path) for command in program.commands)
    return next((Path(one) for one in found if one is not None), None)


def _provide(package: str) -> str | None:
    """Make a package's programs available; return what went wrong."""
    missing = _missing(package)
    if not missing:
        return None
    print(f"{package}: fetching the Debian package, for {_names(missing)}", file=sys.stderr)
    try:
        _fetch(package, missing)
    except Failed as failure:
        return (
            f"{package}: {failure}\n"
            f"  {_names(missing)} of the Debian package {package} is needed. As root: "
            f"apt-get update && apt-get install --no-install-recommends {package}\n"
            f"  Elsewhere than on Debian or Ubuntu: put {_names(missing)} on PATH."
        )
    return None


def _missing(package: str) -> list[Program]:
    return [one for one in PROGRAMS.values() if one.package == package and find(one) is None]


def _names(programs: Iterable[Program]) -> str:
    return " and ".join(program.name for program in programs)


def _fetch(package: str, missing: Sequence[Program]) -> None:
    if shutil.which("apt-get") is None:
        raise Failed("there is no apt-get here to fetch it with")
    reason = "it cannot work unpacked"
    if all(program.unpackable for program in missing):
        try:
            _unpack(package, missing)
        except OSError as error:
            raise Failed(f"{UNPACKED.name} in the checkout cannot be written: {error}") from error
        except Failed as failure:
            reason = str(failure)
        else:
            return
    if os.geteuid() != 0:
        raise Failed(f"{reason}, and only root can install it")
    print(f"{package}: {reason}; installing it", file=sys.stderr)
    _install(package)
    if still := _missing(package):
        raise Failed(f"it is installed, but has no {_names(still)}")


def _unpack(package: str, missing: Sequence[Program]) -> None:
    """Unpack a package into the checkout, if its programs then find all their libraries."""
    UNPACKED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED, prefix="new-") as folder:
        tree = Path(folder) / "tree"
        for archive in _download(package, Path(folder)):
            _run(["dpkg-deb", "-x", str(archive), str(tree)])
        for program in missing:
            _check(program, tree)
        # Only now: what stands in .debian is taken for good.
        shutil.copytree(tree, UNPACKED, symlinks=True, dirs_exist_ok=True)


def _check(program: Program, tree: Path) -> None:
    places = (tree / folder / command for folder in FOLDERS for command in program.commands)
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise Failed(f"the package has no {program.name}")
    # A script or a static program is "not a dynamic executable", which is fine.
    told = subprocess.run(["ldd", path], capture_output=True, text=True, timeout=60, check=False)
    lacking = [line.strip() for line in (told.stdout + told.stderr).splitlines() if "not found" in line]
    if lacking:
        raise Failed(f"unpacked, {program.name} lacks libraries ({'; '.join(lacking)})")


def _download(package: str, folder: Path) -> list[Path]:
    """Download a package with the lists of packages the system has, or else with lists of our own."""
    try:
        return _download_with(package, folder, [])
    except Failed as failure:
        print(f"{failure}; trying again with package lists of our own", file=sys.stderr)
    options = _own_apt()
    try:
        _run(["apt-get", *options, "update"], timeout=LIST_TIMEOUT, name="apt-get update")
    except Failed as failure:
        # One source of many that does not answer is reason enough for it, and none for us.
        print(f"{failure}; going on with what it has", file=sys.stderr)
    return _download_with(package, folder, options)


def _download_with(package: str, folder: Path, options: Sequence[str]) -> list[Path]:
    unsandboxed = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    command = ["apt-get", *unsandboxed, *options, "download", package]
    _run(command, folder=folder, timeout=LIST_TIMEOUT, name=f"apt-get download {package}")
    return sorted(folder.glob("*.deb"))


def _own_apt() -> list[str]:
    """Give apt folders that we may write; what is installed it reads where it always does."""
    status = _run(["apt-config", "shell", "STATUS", "Dir::State::status/f"]).partition("'")[2].rstrip("'\n")
    state, cache = UNPACKED / "apt/state", UNPACKED / "apt/cache"
    (state / "lists/partial").mkdir(parents=True, exist_ok=True)
    (cache / "archives/partial").mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::State": state,
        "Dir::State::status": status,
        "Dir::Cache": cache,
        "Dir::Log": cache,
        "Acquire::Retries": 1,
        "Acquire::http::Timeout": 30,
        "Acquire::https::Timeout": 30,
    }
    if os.geteuid() == 0:
        settings["APT::Sandbox::User"] = "root"
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _install(package: str) -> None:
    install = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    try:
        _run(install, timeout=INSTALL_TIMEOUT)
    except Failed as failure:
        print(f"{failure}; trying again after apt-get update", file=sys.stderr)
        _run(["apt-get", "update"], timeout=LIST_TIMEOUT)
        _run(install, timeout=INSTALL_TIMEOUT)


def _run(
    command: Sequence[str], *, folder: Path | None = None, timeout: float = 120, name: str | None = None
) -> str:
    """Run a command and return what it wrote; `name` is how a message calls it."""
    what = name or " ".join(command)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"there is no {command[0]} here") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"`{what}` did not end in {timeout:g} s") from error
    if done.returncode != 0:
        told = done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["no message"]
        raise Failed(f"`{what}` failed: {told[-1]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
