"""The image is what its Dockerfile says: the steps are done here without an engine, and run as its user.

The steps are read from the Dockerfile, so a change there is a change here; only the places differ.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx
import pytest

from tests.parts.process import Process

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "/opt/exporter/bin/registry-integrity-exporter"
PLACES = re.compile(r"(?<![\w./])/(?=(?:src|tools|wheels|opt/exporter)\b)")


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined, and the number of its stage."""

    word: str
    rest: str
    stage: int


def instructions() -> list[Instruction]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[Instruction] = []
    stage = -1
    for line in re.sub(r"\\\n", "", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        stage += word == "FROM"
        if word:
            found.append(Instruction(word, rest.strip(), stage))
    return found


def only(word: str, stage: int = 1) -> str:
    """Return what follows a word that a stage has once."""
    (rest,) = (step.rest for step in instructions() if (step.word, step.stage) == (word, stage))
    return rest


def sources(copy: str) -> tuple[list[str], str]:
    *names, target = copy.split()
    return names, target


def excluded(name: str) -> bool:
    """Say whether .dockerignore keeps a file or folder out of the build: its last line that fits decides."""
    decision = False
    path = PurePosixPath(name)
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        anywhere = line.startswith("**/")
        for part in (path, *path.parents[:-1]):
            if fnmatch.fnmatchcase(part.name if anywhere else str(part), pattern) and line[:1] != "#":
                decision = not line.startswith("!")
    return decision


def as_user(python: str | Path) -> list[str]:
    """Return what comes before a command to run it as the image's user; only root can do that.

    Raises:
        FileNotFoundError: that user may not run this Python.

    """
    user, group = only("USER").split(":")
    switch = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--bounding-set=-all"]
    if os.geteuid() != 0:
        return []
    if subprocess.run([*switch, python, "-c", "import venv"], capture_output=True, check=False).returncode:
        raise FileNotFoundError(f"{python} is out of reach of user {user}")
    return switch


def reachable_python() -> str:
    """Find a Python that the image's user may run, too: root's own is in root's home at times."""
    usable = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    for python in (
        getattr(sys, "_base_executable", sys.executable),
        "/usr/bin/python3",
        "/usr/local/bin/python3",
    ):
        if not Path(python).exists() or subprocess.run([python, "-c", usable], check=False).returncode:
            continue
        try:
            as_user(python)
        except FileNotFoundError:
            continue
        return python
    raise FileNotFoundError("no Python 3.11 or newer that another user may run: Debian's is in python3-venv")


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """Do the build stage's steps in a folder that everybody may read, and nobody else may write to."""
    root = Path(tempfile.mkdtemp(prefix="image-"))
    try:
        root.chmod(0o755)
        (root / "bin").mkdir()
        python = root / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{reachable_python()}" "$@"\n')
        python.chmod(0o755)
        (root / "src").mkdir()
        for step in instructions():
            if step.stage == 0:
                perform(step, root)
        shutil.rmtree(root / "tools")
        yield root
    finally:
        shutil.rmtree(root)


def perform(step: Instruction, root: Path) -> None:
    if step.word == "COPY":
        names, target = sources(step.rest)
        for name in names:
            place = root / "src" / target
            place = place / Path(name).name if target.endswith("/") else place
            place.parent.mkdir(parents=True, exist_ok=True)
            copy_of(ROOT / name, place)
    if step.word == "RUN":
        environment = {**os.environ, "PATH": f"{root / 'bin'}:{os.environ['PATH']}"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            ["/bin/sh", "-euc", PLACES.sub(f"{root}/", step.rest)],
            cwd=root / "src",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def copy_of(source: Path, target: Path) -> None:
    """Copy as the engine does: without what .dockerignore leaves out."""
    if source.is_file():
        shutil.copy(source, target)
        return
    for path in source.rglob("*"):
        if path.is_file() and not excluded(str(path.relative_to(ROOT))):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def command(image: Path, *arguments: str) -> list[str]:
    (entry,) = json.loads(only("ENTRYPOINT"))
    return [*as_user(reachable_python()), PLACES.sub(f"{image}/", entry), *arguments]


def bare(**more: str) -> Mapping[str, str]:
    """Return an environment without a home or a place for temporary files, as a read-only root gives it."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/", "TMPDIR": "/nonexistent", **more}


def run(image: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(image, *arguments),
        cwd="/",
        env=bare(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def listing(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in root.rglob("*")
    }


def test_version(image: Path):
    """The program in it is this checkout's."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = run(image, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert version in done.stdout


def test_check_config(image: Path):
    """It reads a configuration, as the image's user."""
    done = run(image, "check-config", "--registry", "http://127.0.0.1:5000")
    assert (done.returncode, done.stderr) == (0, "")
    assert "http://127.0.0.1:5000" in done.stdout


def test_serve_writes_nothing(image: Path):
    """It serves until SIGTERM ends it with 0, and no file of the image is new or changed."""
    before = listing(image)
    (default,) = json.loads(only("CMD"))
    arguments = (
        default,
        "--registry=http://127.0.0.1:9",
        "--listen-address=127.0.0.1:0",
        "--log-format=json",
    )
    environment = {name: "" for name in os.environ if name.startswith("PYTHON")}
    with Process(
        command(image, *arguments), environment={**environment, **bare()}, folder=Path("/")
    ) as process:
        serving = process.wait_for_line(r'"event": "serving".*"addresses": \["(?:http://)?([^"/]+)', 30.0)
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"http://{serving[1]}/-/healthy").status_code == 200
            assert client.get(f"http://{serving[1]}/").status_code == 200
            assert "registry_integrity_build_info" in client.get(f"http://{serving[1]}/metrics").text
        os.kill(process.pid, 15)
        assert process.wait(30.0) == 0
    assert listing(image) == before


def test_no_pip_and_no_compiler_are_copied(image: Path):
    """What the final stage takes from the build holds neither, nor anything that is not locked."""
    (site,) = (image / "opt" / "exporter" / "lib").glob("python3*/site-packages")
    assert (
        sorted(path.name for path in (image / "opt/exporter/bin").iterdir() if path.name.startswith("pip"))
        == []
    )
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE))
    names = {re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower() for path in site.glob("*.dist-info")}
    assert names <= locked | {"registry-integrity-exporter"}
    assert "registry-integrity-exporter" in names


def test_compiled(image: Path):
    """Every module of the program is compiled, since the first start cannot keep what it compiles."""
    (package,) = (image / "opt" / "exporter" / "lib").glob("python3*/site-packages/exporter")
    modules = {path.relative_to(package) for path in package.rglob("*.py")}
    compiled = {
        path.parent.parent.relative_to(package) / f"{path.name.split('.')[0]}.py"
        for path in package.rglob("*.pyc")
    }
    assert len(modules) > 20
    assert compiled == modules


def test_every_copied_source_is_there():
    """Each COPY of the build finds its files: they exist, and .dockerignore lets them through."""
    copies = [
        step.rest for step in instructions() if step.word == "COPY" and not step.rest.startswith("--from")
    ]
    names = [name for copy in copies for name in sources(copy)[0]]
    assert len(names) == 6
    assert [name for name in names if not (ROOT / name).exists() or excluded(name)] == []


@pytest.mark.parametrize(
    "name", ["tests/conftest.py", ".git/config", ".venv/bin/python", "exporter/__pycache__/a"]
)
def test_nothing_else_is_sent_to_the_engine(name: str):
    """Neither the tests, nor the history, nor what the machine compiled."""
    assert excluded(name)


def test_final_stage():
    """It takes one folder, has a numeric user other than root, an entry point, and no health check."""
    final = [step for step in instructions() if step.stage == 1]
    assert [step.rest for step in final if step.word == "COPY"] == [
        "--from=build /opt/exporter /opt/exporter"
    ]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", only("USER"))
    assert json.loads(only("ENTRYPOINT")) == [PROGRAM]
    assert "HEALTHCHECK" not in {step.word for step in final}
    (removal,) = (step.rest for step in final if step.word == "RUN")
    assert removal.startswith("python -m pip uninstall --yes pip setuptools wheel ")
    bases = dict(step.rest.split("=", 1) for step in instructions() if step.word == "ARG")
    assert bases["BASE_IMAGE"] == bases["BUILD_IMAGE"].replace("-bookworm", "-slim-bookworm")


def test_labels():
    """The labels that the OCI image specification names, agreeing with pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', only("LABEL")))
    assert labels == {
        "title": project["name"],
        "description": project["description"],
        "licenses": project["license"],
        "version": "${VERSION}",
        "revision": "${REVISION}",
    }
    arguments = [step.rest for step in instructions() if (step.word, step.stage) == ("ARG", 1)]
    assert arguments == [f"VERSION={project['version']}", "REVISION=unknown"]


def test_hadolint():
    """Hadolint has nothing to say."""
    hadolint: Sequence[str | Path] = [Path(sys.executable).parent / "hadolint", "--no-color", "Dockerfile"]
    done = subprocess.run(hadolint, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
