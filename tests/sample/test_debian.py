"""Programs are fetched from Debian packages, without root, only when they are missing.

Nothing is downloaded: apt-get and dpkg-deb are stand-ins that do what the real ones were seen to do.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import debian

Packages = dict[str, list[str]]
Setup = Callable[..., Path]

APT_GET = """#!{python}
import os, sys
arguments = sys.argv[1:]
command = next(word for word in arguments if word in ("download", "update", "install"))
own = any(word.startswith("Dir::State=") for word in arguments)
with open({log!r}, "a") as log:
    print("own" * own + command, *arguments[arguments.index(command) + 1 :], file=log)
if command == "download":
    if not own and not {system_lists}:
        sys.exit("E: Can't find a source to download it")
    open(arguments[-1] + "_1_all.deb", "w").close()
if command == "install":
    {install}
"""
APT_CONFIG = """#!{python}
print("STATUS='/some/status'")
"""
DPKG_DEB = """#!{python}
import os, sys
_, _, archive, tree = sys.argv
for program in {packages!r}[os.path.basename(archive).split("_")[0]]:
    file = os.path.join(tree, program)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    open(file, "w").close()
    os.chmod(file, 0o755)
"""
LDD = """#!{python}
print("libc.so.6 => /lib/libc.so.6")
{lacking}
"""


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Make a machine with nothing but stand-ins for Debian's tools on PATH; return the log of apt-get."""
    path = tmp_path / "bin"
    path.mkdir()
    log = tmp_path / "log"
    log.touch()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(debian, "UNPACKED", tmp_path / ".debian")
    monkeypatch.setattr(debian, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def make(
        packages: Packages, *, system_lists: bool = True, lacking: str = "", install: str = "sys.exit(100)"
    ) -> Path:
        values = {
            "python": sys.executable,
            "log": str(log),
            "packages": packages,
            "system_lists": system_lists,
            "lacking": f"print({lacking!r})" if lacking else "",
            "install": install,
        }
        for name, text in (
            ("apt-get", APT_GET),
            ("apt-config", APT_CONFIG),
            ("dpkg-deb", DPKG_DEB),
            ("ldd", LDD),
        ):
            (path / name).write_text(text.format(**values))
            (path / name).chmod(0o755)
        return log

    return make


def test_what_is_missing_is_unpacked_once(setup: Setup, tmp_path: Path) -> None:
    """All of a package's programs are there afterwards, and a second call asks nothing of anyone."""
    log = setup({"prometheus": ["usr/bin/prometheus", "usr/bin/promtool"]})
    assert debian.main(["prometheus"]) == 0
    assert debian.find(debian.PROGRAMS["promtool"]) == tmp_path / ".debian/usr/bin/promtool"
    assert debian.main(["prometheus"]) == 0
    assert log.read_text().splitlines() == ["download prometheus"]
    assert sorted(path.name for path in (tmp_path / ".debian").iterdir()) == ["usr"]


def test_what_is_on_path_is_left_alone(setup: Setup, tmp_path: Path) -> None:
    """Under either name."""
    log = setup({})
    for name in ("prometheus-alertmanager", "amtool"):
        (tmp_path / "bin" / name).touch(0o755)
    assert debian.main(["prometheus-alertmanager"]) == 0
    assert log.read_text() == ""


def test_without_package_lists_it_fetches_its_own(setup: Setup) -> None:
    log = setup({"hey": ["usr/bin/hey"]}, system_lists=False)
    assert debian.main(["hey"]) == 0
    assert log.read_text().splitlines() == ["download hey", "ownupdate", "owndownload hey"]


def test_a_program_that_lacks_libraries_is_not_left_behind(
    setup: Setup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be found, and fail, for ever."""
    setup({"skopeo": ["usr/bin/skopeo"]}, lacking="libx.so.1 => not found")
    assert debian.main(["skopeo"]) == 1
    assert debian.find(debian.PROGRAMS["skopeo"]) is None
    assert list((tmp_path / ".debian").iterdir()) == []
    install = "apt-get update && apt-get install --no-install-recommends skopeo"
    assert capsys.readouterr().err.splitlines()[1:] == [
        "skopeo: unpacked, skopeo lacks libraries (libx.so.1 => not found), and only root can install it",
        f"  skopeo of the Debian package skopeo is needed. As root: {install}",
        "  Elsewhere than on Debian or Ubuntu: put skopeo on PATH.",
    ]


def test_root_installs_what_cannot_work_unpacked(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    installed = tmp_path / "bin/chromium"
    log = setup({}, install=f"os.close(os.open({str(installed)!r}, os.O_CREAT, 0o755))")
    assert debian.main(["chromium"]) == 0
    assert log.read_text().splitlines() == ["install --yes --no-install-recommends chromium"]


def test_an_install_that_fails_is_tried_again_with_new_lists(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    log = setup({}, install="sys.exit('E: no network')")
    assert debian.main(["chromium"]) == 1
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["install", "update", "install"]
    assert "failed: E: no network" in capsys.readouterr().err


def test_elsewhere_than_on_debian_it_says_so(
    setup: Setup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup({})
    (tmp_path / "bin/apt-get").unlink()
    assert debian.main(["docker-registry", "hey"]) == 1
    told = capsys.readouterr().err
    assert told.count("there is no apt-get here to fetch it with") == 2
    assert "put docker-registry on PATH" in told


def test_an_unknown_package_is_a_usage_error(setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    setup({})
    assert debian.main(["emacs"]) == 2
    assert debian.main([]) == 2
    assert "usage: python3 tools/debian.py PACKAGE..." in capsys.readouterr().err


def test_it_needs_nothing_but_python() -> None:
    """It runs before there is a virtual environment: with no site packages and no checkout on its path."""
    python = shutil.which("python3") or sys.executable
    assert os.spawnl(os.P_WAIT, python, python, "-I", "-S", debian.__file__, "hey") == 0
