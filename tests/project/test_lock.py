"""The lock files install by hash alone, and `make check` notices when they fall behind pyproject.toml."""

import shutil
from pathlib import Path

import pytest

from tools.check_lock import problems, read_lock

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"runtime": 20, "dev": 20, "build": 3}
"""Each with a number of packages that it has at least."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what the check reads to where it can be damaged."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def version(name: str) -> str:
    pins, _ = read_lock(ROOT / "requirements" / "dev.txt")
    (found,) = (pin.version for pin in pins if pin.name == name)
    assert found is not None
    return found


def test_in_step():
    """The lock files of this checkout are complete, hashed and in step with pyproject.toml."""
    assert problems(ROOT) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_pinned_and_hashed(name: str):
    """pip --require-hashes takes the file: nothing in it is unpinned, unhashed or another option."""
    pins, strangers = read_lock(ROOT / "requirements" / f"{name}.txt")
    assert strangers == []
    assert len(pins) > LOCKS[name]
    assert all(pin.version and pin.hashes for pin in pins)


@pytest.mark.parametrize("name", LOCKS)
def test_no_index_and_no_place(name: str):
    """No line names an index, a host, a folder or a file of the machine that made the lock."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    for trace in (
        "://",
        "--index",
        "--extra-index",
        "--find-links",
        "--trusted-host",
        "file:",
        " @ ",
        "# from ",
    ):
        assert trace not in text


def test_missing_requirement_is_noticed(copy: Path):
    """A dependency that is declared and not locked."""
    edit(copy / "pyproject.toml", '"rich>=13.9",', '"rich>=13.9",\n  "arrow>=1.3",')
    assert problems(copy) == [
        "requirements/runtime.txt: arrow>=1.3 of pyproject.toml is not locked",
        "requirements/dev.txt: arrow>=1.3 of pyproject.toml is not locked",
    ]


def test_outgrown_version_is_noticed(copy: Path):
    """A dependency that now asks for more than the locked version."""
    edit(copy / "pyproject.toml", '"respx>=0.22"', '"respx>=99"')
    assert problems(copy) == [
        f"requirements/dev.txt: {version('respx')} is locked, but pyproject.toml asks for respx>=99"
    ]


def test_leftover_is_noticed(copy: Path):
    """A dependency that is locked and no longer declared."""
    edit(copy / "pyproject.toml", '  "respx>=0.22",\n', "")
    assert problems(copy) == [
        "requirements/dev.txt: respx is locked for pyproject.toml, which no longer asks for it"
    ]


def test_build_requirements_are_locked(copy: Path):
    """The project is installed without build isolation, so what builds it stands in the lock."""
    edit(copy / "pyproject.toml", 'requires = ["hatchling>=1.27"]', 'requires = ["hatchling>=99"]')
    locked = version("hatchling")
    assert problems(copy) == [
        f"requirements/{name}.txt: {locked} is locked, but pyproject.toml asks for hatchling>=99"
        for name in ("dev", "build")
    ]


def test_missing_hash_is_noticed(copy: Path):
    """A package whose hashes were taken out."""
    lock = copy / "requirements" / "runtime.txt"
    lines = lock.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith("uvloop=="))
    kept = [line for line in lines[at + 1 :] if "--hash" not in line]
    lock.write_text("".join([*lines[:at], lines[at].replace(" \\", ""), *kept]))
    assert "requirements/runtime.txt: uvloop has no hash" in problems(copy)


def test_index_line_is_noticed(copy: Path):
    """An option of pip, such as the address of an index."""
    lock = copy / "requirements" / "dev.txt"
    lock.write_text("--index-url https://index.example/simple\n" + lock.read_text())
    assert problems(copy) == [
        "requirements/dev.txt: '--index-url https://index.example/simple' has no place in a lock file"
    ]


def test_runtime_and_dev_agree(copy: Path):
    """The tests run on the versions that are shipped."""
    edit(copy / "requirements" / "runtime.txt", f"rich=={version('rich')}", "rich==14.0.0")
    assert problems(copy) == ["requirements/dev.txt: lacks rich==14.0.0 of requirements/runtime.txt"]
