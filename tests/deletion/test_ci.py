"""The step of docs/ci.md for a retention job, run as it stands there, deletes only what breaks nothing."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from sample import content as make
from sample.registry import DockerRegistry
from tests.parts.fixtures import StartRegistry
from tests.parts.programs import find_program
from tests.verification.running import verify
from tests.verification.test_ci import blocks, run_script

AMD64 = make.image("app")
INDEX = make.index([AMD64, make.image("app", platform="linux/arm64")])


@pytest.fixture
def registry(start_registry: StartRegistry) -> DockerRegistry:
    """A release with a tag for one of its platforms, and an old one."""
    started = start_registry()

    async def push() -> None:
        await started.push("app", AMD64, "2-amd64")
        await started.push("app", INDEX, "2")
        await started.push("app", make.multi_platform("old"), "1")

    asyncio.run(push())
    return started


def run_job(registry: DockerRegistry, folder: Path, *old: str) -> subprocess.CompletedProcess[str]:
    [script] = [block for block in blocks("sh") if "check-deletion" in block]
    (folder / "old.txt").write_text("".join(f"{registry.host}/app:{tag}\n" for tag in old), "utf-8")
    (folder / "bin").mkdir()
    skopeo = folder / "bin" / "skopeo"
    program = find_program("skopeo")
    skopeo.write_text(f'#!/bin/sh\nexec "{program}" "$1" --tls-verify=false "$2"\n', "utf-8")
    return run_script(script, folder, f"{registry.host}/app:2")


def test_what_breaks_nothing_is_deleted(registry: DockerRegistry, tmp_path: Path):
    """And what was kept is intact."""
    done = run_job(registry, tmp_path, "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^Nothing would break: 1 listed, 2 kept tags\.", done.stdout, re.MULTILINE)
    assert verify("--quiet", f"{registry.host}/app:1").status == 1
    assert verify("--quiet", f"{registry.host}/app:2", f"{registry.host}/app:2-amd64").status == 0


def test_what_would_break_something_is_not(registry: DockerRegistry, tmp_path: Path):
    """Nothing of the list is."""
    done = run_job(registry, tmp_path, "1", "2-amd64")
    assert done.returncode == 1
    images = [f"{registry.host}/app:{tag}" for tag in ("1", "2", "2-amd64")]
    assert verify("--quiet", *images).status == 0
