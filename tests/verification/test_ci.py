"""The steps of docs/ci.md, run as they stand there, pass what is intact and stop at what is broken."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sample import content as make
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.parts.deeds import digest_of_target
from tests.parts.programs import find_program
from tests.verification.running import environment

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
SYSTEMS = ("Woodpecker", "GitHub Actions", "GitLab CI", "Tekton")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def scripts_in(document: Any) -> Iterator[str]:
    """Find what a step runs, under the names that these systems have for it."""
    if isinstance(document, list):
        for item in document:
            yield from scripts_in(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key in {"commands", "script", "run"}:
                yield value if isinstance(value, str) else "\n".join(value)
            else:
                yield from scripts_in(value)


def scripts() -> list[str]:
    """All of the page but what goes before a deletion, which tests/deletion/test_ci.py runs."""
    shell = [block for block in blocks("sh") if "check-deletion" not in block]
    return [*shell, *(one for block in blocks("yaml") for one in scripts_in(yaml.safe_load(block)))]


@dataclass(frozen=True)
class Images:
    """What a pipeline might have pushed."""

    intact: str
    broken: str
    digests: dict[str, str]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """A good one and a bad one, each under its own tag and as a candidate for it."""
    program = InstalledRegistry(find_program("docker-registry"))
    with DockerRegistry(tmp_path_factory.mktemp("registry"), RegistryOptions(), program) as registry:
        good, bad = make.multi_platform("good"), make.multi_platform("bad")

        async def push() -> None:
            for name, content in (("good", good), ("bad", bad)):
                await registry.push(name, content, "1.2.3")
                await registry.push(name, content, "1.2.3-candidate")

        asyncio.run(push())
        registry.damage.remove_data(digest_of_target(bad, "layer"))
        names = [f"{registry.host}/{name}:1.2.3" for name in ("good", "bad")]
        yield Images(*names, digests=dict(zip(names, (good.digest, bad.digest), strict=True)))


def run_script(script: str, folder: Path, image: str, digest: str = "") -> subprocess.CompletedProcess[str]:
    """Run a step in a folder of its own, with the program on the PATH and a `docker` that only notes."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "registry-integrity-exporter").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m exporter "$@"\n', "utf-8"
    )
    metadata = f'{{"containerimage.digest": "{digest}", "image.name": "x"}}'
    (tools / "docker").write_text(
        f"#!/bin/sh\necho \"$@\" >> docker.txt\necho '{metadata}' > metadata.json\n", "utf-8"
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    (folder / "kept.txt").write_text(f"{image}\n", "utf-8")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        # What has to end at a failure says so itself.
        ["sh", "-u", "-c", script],
        cwd=folder,
        env=environment(PATH=path, IMAGE=image, PYTHONPATH=str(PAGE.parents[1])),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_each_system_has_its_step():
    """With one that is run below."""
    page = PAGE.read_text("utf-8")
    assert all(f"\n## {system}\n" in page for system in SYSTEMS)
    assert len(blocks("yaml")) == len(SYSTEMS)
    assert len(scripts()) == len(blocks("sh")) - 1 + len(SYSTEMS)
    assert all("registry-integrity-exporter verify" in script for script in scripts())


@pytest.mark.parametrize("number", range(len(scripts())))
def test_a_step_passes_what_is_intact(images: Images, number: int, tmp_path: Path):
    """With status 0."""
    done = run_script(scripts()[number], tmp_path, images.intact, images.digests[images.intact])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", range(len(scripts())))
def test_a_step_stops_at_what_is_broken(images: Images, number: int, tmp_path: Path):
    """With the status that the page tells."""
    script = scripts()[number].replace("--retries 3", "--retries 0")
    done = run_script(script, tmp_path, images.broken, images.digests[images.broken])
    assert done.returncode == (123 if "xargs" in script else 1), done.stderr
    if (tmp_path / "docker.txt").exists():  # it was not given its name
        assert "imagetools" not in (tmp_path / "docker.txt").read_text("utf-8")


def test_what_could_not_be_verified_need_not_stop(tmp_path: Path):
    """Status 3 is told apart, where the page says so."""
    [script] = [one for one in scripts() if "case $status" in one]
    done = run_script(script.replace("--retries 3", ""), tmp_path, "127.0.0.1:1/app:1.2.3")
    assert done.returncode == 0
    assert "warning: 127.0.0.1:1/app:1.2.3 could not be verified" in done.stderr
