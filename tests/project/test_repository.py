"""What no file of the repository may hold."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.parts.programs import find_program

ROOT = Path(__file__).resolve().parents[2]

# Put together here, so that this file does not hold them either.
PACKAGE_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("snapshot", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("repo", "maven", "apache", "org"),
    )
]
FORBIDDEN = {
    "a package registry's host": re.compile("|".join(rf"\b{re.escape(host)}\b" for host in PACKAGE_HOSTS)),
    "a path of one machine": re.compile(
        r"(?<![\w.~$}/-])(?:file://)?/(?:root|work|Users/\w+|home/\w+)(?![\w-])"
    ),
    "an unfinished place": re.compile(rf"\b(?:{'|'.join(('TO' + 'DO', 'FIX' + 'ME'))})\b"),
}


@pytest.fixture
def repository_files(tmp_path: Path) -> list[Path]:
    """Every file that git would take with `git add --all`, whether or not this is a checkout."""
    git = [find_program("git"), f"--git-dir={tmp_path}/aside", f"--work-tree={ROOT}"]
    subprocess.run([*git, "init", "--quiet"], check=True, capture_output=True)
    listing = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def offences(text: str) -> list[str]:
    """Say what a text holds that it may not, with the line."""
    return [
        f"{number}: {what}: {found.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        for found in pattern.finditer(line)
    ]


def test_no_file_holds_what_it_may_not(repository_files: list[Path]):
    """No package registry's host, no path of somebody's machine, nothing left for later."""
    found = [
        f"{path.relative_to(ROOT)}:{offence}"
        for path in repository_files
        for offence in offences(path.read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://" + "pypi" + ".org/simple",
        "see files." + "pythonhosted" + ".org",
        "cd /" + "work/main",
        "'/" + "root'",
        "file:///" + "home/ann/registry",
        "# TO" + "DO: later",
    ],
)
def test_offence_is_noticed(text: str):
    """Each thing that is forbidden is found."""
    assert offences(text) != []


@pytest.mark.parametrize(
    "text", ["registry.example/work/app", "$HOME/root", "/var/lib/registry", "/workload", "/home/"]
)
def test_harmless_text_passes(text: str):
    """Repository names and paths that every machine has are no offence."""
    assert offences(text) == []
