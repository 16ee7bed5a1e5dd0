"""`docker-credential-*` programs on PATH, those that misbehave among them."""

import asyncio
import json
import os
import signal
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.registry import Credentials, DockerConfig
from exporter.registry.credentials import CredentialsError, IdentityToken, run_helper
from tests.parts.waiting import wait_until

SECRET = "s3cr3t"
URL = "https://registry.example"
# Says who asked for what, as the user and the password.
ECHO = """\
server=$(cat)
echo "$1 $server" >> "$0.asked"
printf '{"ServerURL": "%s", "Username": "NAME", "Secret": "for %s"}' "$server" "$server"
"""

Install = Callable[[str, str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write a helper, a shell script, into a folder that comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str) -> Path:
        file = folder / f"docker-credential-{name}"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return write


def asked(helper: Path) -> list[str]:
    """What a helper that notes it was asked for."""
    return helper.with_name(f"{helper.name}.asked").read_text().splitlines()


def config(tmp_path: Path, url: str = URL, **document: Any) -> DockerConfig:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document))
    return DockerConfig.for_registry(file, url)


async def trouble(source: DockerConfig) -> str:
    with pytest.raises(CredentialsError) as caught:
        await source.find("app")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


async def test_store_is_asked_for_the_registry(install: Install, tmp_path: Path):
    """By its host, with the port."""
    helper = install("mine", ECHO)
    source = config(tmp_path, "http://registry.example:5000", credsStore="mine")
    assert await source.find("app") == Credentials("NAME", "for registry.example:5000")
    assert asked(helper) == ["get registry.example:5000"]


async def test_store_is_asked_for_docker_hub_by_its_old_name(install: Install, tmp_path: Path):
    """Under which `docker login` stores it."""
    install("mine", ECHO)
    source = config(tmp_path, "https://registry-1.docker.io", credsStore="mine")
    assert await source.find("library/app") == Credentials("NAME", "for https://index.docker.io/v1/")


async def test_helper_of_a_host_comes_before_the_store(install: Install, tmp_path: Path):
    """And before an entry of its own; it is asked for what the file calls the registry."""
    mine, store = install("mine", ECHO), install("store", ECHO)
    document = {
        "auths": {"registry.example": {"username": "eve", "password": "old"}},
        "credHelpers": {"other.example": "store", "https://registry.example": "mine"},
        "credsStore": "store",
    }
    assert await config(tmp_path, **document).find("app") == Credentials(
        "NAME", "for https://registry.example"
    )
    assert (asked(mine), store.with_name(f"{store.name}.asked").exists()) == (
        ["get https://registry.example"],
        False,
    )


async def test_helper_of_the_longest_path_is_asked(install: Install, tmp_path: Path):
    """As with entries."""
    install("whole", ECHO)
    install("team", ECHO)
    helpers = {"registry.example/team": "team", "registry.example": "whole", "*.example": "none"}
    source = config(tmp_path, credHelpers=helpers)
    assert [await source.find(name) for name in ("app", "team/app")] == [
        Credentials("NAME", "for registry.example"),
        Credentials("NAME", "for registry.example/team"),
    ]


async def test_entry_with_a_secret_comes_before_the_store(install: Install, tmp_path: Path):
    """An empty one, as Docker leaves it beside a store, does not."""
    install("mine", ECHO)
    full = {"registry.example": {"username": "ann", "password": "pw"}}
    assert await config(tmp_path, auths=full, credsStore="mine").find("app") == Credentials("ann", "pw")
    empty: dict[str, dict[str, str]] = {"registry.example": {}}
    assert await config(tmp_path, auths=empty, credsStore="mine").find("app") == Credentials(
        "NAME", "for registry.example"
    )


async def test_identity_token_of_a_helper(install: Install):
    """It is marked by the user's name."""
    install("mine", """echo '{"Username": "<token>", "Secret": "refresh"}'""")
    assert await run_helper("mine", "registry.example") == IdentityToken("refresh")


async def test_helper_that_has_none_makes_it_anonymous(install: Install):
    """With the words that all helpers use, on standard output, and a status."""
    install("mine", "echo 'credentials not found in native keychain'; exit 1")
    assert await run_helper("mine", "registry.example") is None


async def test_helper_that_ended_before_it_was_told_the_server_has_answered(
    install: Install, monkeypatch: pytest.MonkeyPatch
):
    """A busy program comes to telling it late; on any loop."""
    install("quick", f"""echo '{{"Username": "ann", "Secret": "{SECRET}"}}'""")
    loop = asyncio.get_running_loop()
    start = loop.subprocess_exec

    async def start_and_be_busy(*arguments: Any, **options: Any) -> Any:
        transport, conversation = await start(*arguments, **options)
        await conversation.ended
        return transport, conversation

    monkeypatch.setattr(loop, "subprocess_exec", start_and_be_busy)
    assert await run_helper("quick", "registry.example") == Credentials("ann", SECRET)


async def test_helper_that_does_not_read_may_answer(install: Install):
    """Some know only one registry."""
    install("mine", """exec 0<&-; echo '{"Username": "ann", "Secret": "pw"}'""")
    assert await run_helper("mine", "registry.example" * 10_000) == Credentials("ann", "pw")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "ended with status 3"),
        (f"echo {SECRET}; exit 1", "ended with status 1"),
        ("kill -9 $$", "ended with status -9"),
        ("true", "answered with what is no secret"),
        (f"echo {SECRET}", "answered with what is no secret"),
        (f'echo \'{{"Username": "ann", "Secret": "{SECRET}"\'', "answered with what is no secret"),
        (f"echo '[\"{SECRET}\"]'", "answered with what is no secret"),
        (f'echo \'{{"Secret": "{SECRET}"}}\'', "answered with what is no secret"),
        ("""echo '{"Username": "ann", "Secret": 7}'""", "answered with what is no secret"),
        ("""echo '{"Username": null, "Secret": "pw"}'""", "answered with what is no secret"),
        ("""echo '{"Username": "ann", "Secret": ""}'""", "answered with what is no secret"),
        (r"printf '\377\376'", "answered with what is no secret"),
        ("head -c 100000 /dev/zero | tr '\\0' '['", "answered with more than 65536 bytes"),
        ("cat /dev/zero", "answered with more than 65536 bytes"),
    ],
)
async def test_helper_that_misbehaves_says_so_and_no_secret(
    script: str, message: str, install: Install, tmp_path: Path
):
    """What it wrote is not repeated; that it wrote without end is not waited for."""
    install("mine", script)
    assert await trouble(config(tmp_path, credsStore="mine")) == f"docker-credential-mine {message}"


async def test_complaint_of_a_helper_is_not_repeated(install: Install, capfd: pytest.CaptureFixture[str]):
    """It may hold a secret."""
    install("mine", f"echo {SECRET} >&2; exit 1")
    with pytest.raises(CredentialsError, match=r"^docker-credential-mine ended with status 1$"):
        await run_helper("mine", "registry.example")
    assert capfd.readouterr() == ("", "")


class Patience:
    """Stands in for `asyncio.timeout`: it runs out when a test says so."""

    def __init__(self) -> None:
        self._limits: asyncio.Queue[asyncio.Timeout] = asyncio.Queue()
        self._real = asyncio.timeout

    def __call__(self, _seconds: float) -> asyncio.Timeout:
        limit = self._real(None)
        self._limits.put_nowait(limit)
        return limit

    async def run_out(self) -> None:
        limit = await self._limits.get()
        limit.reschedule(asyncio.get_running_loop().time())


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    stand_in = Patience()
    monkeypatch.setattr("exporter.registry.credentials.asyncio.timeout", stand_in)
    return stand_in


@pytest.fixture
def says_pids(tmp_path: Path) -> Path:
    """A pipe into which a helper writes process ids; it waits until they are read."""
    os.mkfifo(tmp_path / "pids")
    return tmp_path / "pids"


async def read(pipe: Path) -> list[int]:
    return [int(pid) for pid in (await asyncio.to_thread(pipe.read_text)).split()]


GiveUp = Callable[[str], Awaitable[list[int]]]


@pytest.fixture
def give_up(install: Install, tmp_path: Path, patience: Patience, says_pids: Path) -> GiveUp:
    """Run a helper until it is given up; returns the process ids that it wrote into PIPE."""

    async def run_out(script: str) -> list[int]:
        install("mine", script.replace("PIPE", f'"{says_pids}"'))
        task = asyncio.create_task(trouble(config(tmp_path, credsStore="mine")))
        pids = await read(says_pids)
        await patience.run_out()
        assert await task == "docker-credential-mine did not answer within 30 s"
        return pids

    return run_out


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000 & echo $! $$ > PIPE; wait",
        "exec > PIPE; echo $$; exec 1>&-; exec sleep 1000",
        "sleep 1000 & echo $! > PIPE; exit 0",
    ],
    ids=["with a child", "silent", "gone, but for a child with its output"],
)
async def test_helper_that_hangs_is_ended_with_all_it_started(script: str, give_up: GiveUp):
    """Whoever waited is told."""
    for pid in await give_up(script):
        await ended(pid)


async def test_helper_whose_child_went_its_own_way_is_not_waited_for(give_up: GiveUp):
    """Nothing ends it, and it holds the output."""
    for pid in await give_up("setsid sleep 1000 & echo $! > PIPE; exit 0"):
        os.kill(pid, signal.SIGKILL)


async def test_helper_is_ended_when_nobody_waits_any_more(install: Install, says_pids: Path):
    """As when the program ends."""
    install("mine", f'echo $$ > "{says_pids}"; exec sleep 1000')
    task = asyncio.create_task(run_helper("mine", "registry.example"))
    (pid,) = await read(says_pids)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended(pid)


async def ended(pid: int) -> None:
    """Wait until a process is no more; whoever waits for orphans may be slow."""

    async def runs() -> bool:
        return _runs(pid)

    await wait_until(runs, lambda still: not still, 10.0, what=f"the end of process {pid}")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "x" * 65, "mine;id", "$(id)", "ü", "a\nb"])
async def test_name_that_is_no_helpers_is_not_run(name: str):
    """A file from elsewhere may not name just any program."""
    with pytest.raises(CredentialsError, match=r" is not the name of a credential helper$"):
        await run_helper(name, "registry.example")


async def test_missing_helper_says_so(tmp_path: Path, install: Install):
    """By the name of the program."""
    assert await trouble(config(tmp_path, credsStore="absent")) == (
        "docker-credential-absent could not be run: No such file or directory"
    )
    install("plain", "").chmod(0o644)
    assert await trouble(config(tmp_path, credsStore="plain")) == (
        "docker-credential-plain could not be run: Permission denied"
    )


async def test_helper_is_asked_once_for_all_repositories(install: Install, tmp_path: Path):
    """A thousand of them at once, and those that follow."""
    helper = install("mine", ECHO)
    source = config(tmp_path, credsStore="mine")
    found = await asyncio.gather(*(source.find(f"app-{number}") for number in range(1000)))
    assert set(found) == {Credentials("NAME", "for registry.example")}
    assert len(asked(helper)) == 1


async def test_failing_helper_is_not_run_for_each_repository(install: Install, tmp_path: Path):
    """Each that waits is told why."""
    helper = install("mine", 'echo "$1" >> "$0.asked"; exit 5')
    source = config(tmp_path, credsStore="mine")
    found = await asyncio.gather(
        *(source.find(f"app-{number}") for number in range(100)), return_exceptions=True
    )
    assert {str(error) for error in found} == {"docker-credential-mine ended with status 5"}
    assert len(asked(helper)) == 1


async def test_helper_that_a_rotated_file_names_is_asked(install: Install, tmp_path: Path):
    """Without a restart."""
    install("mine", ECHO)
    install("other", ECHO.replace("NAME", "OTHER"))
    source = config(tmp_path, credsStore="mine")
    assert await source.find("app") == Credentials("NAME", "for registry.example")
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "other"}))
    assert await source.find("app") == Credentials("OTHER", "for registry.example")
