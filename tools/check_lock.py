"""Says whether requirements/*.txt are in step with pyproject.toml, without asking the network.

It reads what `make lock` wrote: every line pinned and hashed, every declared requirement locked to a version
that it allows, nothing locked on behalf of a requirement that is no longer declared, no option of pip.
"""

import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_OWN = re.compile(r"^registry-integrity-exporter \(pyproject\.toml(:\w+)?\)$")
_HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")


@dataclass
class Pin:
    """One locked package: its requirement line, its hashes, and on whose behalf it is there."""

    requirement: Requirement
    hashes: list[str] = field(default_factory=list)
    via: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The normalized name."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str | None:
        """The version, when exactly one is pinned."""
        specifiers = list(self.requirement.specifier)
        exact = len(specifiers) == 1 and specifiers[0].operator == "==" and "*" not in specifiers[0].version
        return specifiers[0].version if exact else None


def read_lock(path: Path) -> tuple[list[Pin], list[str]]:
    """Read the pins of a lock file, and the lines that have no place in one."""
    pins: list[Pin] = []
    strangers: list[str] = []
    for raw in path.read_text().splitlines():
        line = raw.strip().removesuffix("\\").strip()
        if not line or (line.startswith("#") and not raw.startswith(" ")):
            continue
        if pins and line.startswith("#"):
            source = line.removeprefix("#").strip().removeprefix("via").strip()
            pins[-1].via += [source] if source else []
        elif pins and _HASH.match(line):
            pins[-1].hashes.append(line)
        else:
            try:
                pins.append(Pin(Requirement(line)))
            except InvalidRequirement:
                strangers.append(line)
    return pins, strangers


def group(pyproject: dict[str, Any], name: str) -> list[Requirement]:
    """Return the requirements of a dependency group, those of included groups among them."""
    requirements: list[Requirement] = []
    for entry in pyproject["dependency-groups"][name]:
        if isinstance(entry, str):
            requirements.append(Requirement(entry))
        else:
            requirements += group(pyproject, entry["include-group"])
    return requirements


def problems(root: Path) -> list[str]:
    """Say what is wrong with the lock files of a checkout; nothing when they are in step."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    runtime = [Requirement(line) for line in pyproject["project"]["dependencies"]]
    build = [Requirement(line) for line in pyproject["build-system"]["requires"]]
    files = {
        "runtime": runtime,
        "dev": runtime + build + group(pyproject, "dev"),
        "build": build + group(pyproject, "build"),
    }

    found: list[str] = []
    locked: dict[str, set[tuple[str, str]]] = {}
    for name, declared in files.items():
        path = root / "requirements" / f"{name}.txt"
        pins, strangers = read_lock(path)
        label = f"requirements/{name}.txt"
        found += [f"{label}: {line!r} has no place in a lock file" for line in strangers]
        found += [f"{label}: {problem}" for pin in pins for problem in _unsafe(pin)]
        found += [f"{label}: {problem}" for problem in _out_of_step(pins, declared)]
        locked[name] = {(pin.name, str(pin.requirement.specifier)) for pin in pins}
    found += [
        f"requirements/dev.txt: lacks {package}{specifier} of requirements/{name}.txt"
        for name in ("runtime", "build")
        for package, specifier in sorted(locked[name] - locked["dev"])
    ]
    return found


def _unsafe(pin: Pin) -> list[str]:
    found = []
    if pin.version is None:
        found.append(f"{pin.requirement} pins no version")
    if pin.requirement.url is not None:
        found.append(f"{pin.name} comes from an address")
    if not pin.hashes:
        found.append(f"{pin.name} has no hash")
    return found


def _out_of_step(pins: list[Pin], declared: list[Requirement]) -> list[str]:
    found = []
    for requirement in declared:
        versions = [pin.version for pin in pins if pin.name == canonicalize_name(requirement.name)]
        if not versions:
            found.append(f"{requirement} of pyproject.toml is not locked")
        found += [
            f"{version} is locked, but pyproject.toml asks for {requirement}"
            for version in versions
            if version is not None and not requirement.specifier.contains(version, prereleases=True)
        ]
    names = {canonicalize_name(requirement.name) for requirement in declared}
    found += [
        f"{pin.name} is locked for pyproject.toml, which no longer asks for it"
        for pin in pins
        if pin.name not in names and any(_OWN.match(source) for source in pin.via)
    ]
    return found


def main() -> int:
    """Print every problem, and what to do about them."""
    found = problems(Path(__file__).resolve().parent.parent)
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        print("Run `make lock`.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
