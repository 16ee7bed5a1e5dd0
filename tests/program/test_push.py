"""Delivering metrics: to a real Pushgateway, to one that does as it is told, and into a file."""

import asyncio
import base64
import os
import re
import stat
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter.integrity.report import Outcome
from exporter.metrics import ProbedRegistry, write_probes
from exporter.push import DeliveryError, Pushgateway, write_textfile
from exporter.registry import Credentials, Proxies, TransportOptions
from tests.parts.certificates import Authority
from tests.parts.fixtures import StartNginx, StartPushgateway
from tests.parts.programs import find_program
from tests.program.loading import SECRET
from tests.program.test_metrics import EDGE, EDGE_REPORT, PRIVATE, PRIVATE_REPORT, own_part


class Gateway:
    """Answers pushes with a list of statuses, of which the last one repeats, and notes them."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.pushes: list[tuple[str, str, str | None, bytes]] = []

    async def handle(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("Authorization")
        self.pushes.append((request.method, request.raw_path, authorization, await request.read()))
        await self.may_answer.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        headers = {"Location": "http://127.0.0.1:1/elsewhere"} if status == 307 else {}
        return web.Response(status=status, text="why\nnot", headers=headers)


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway and its address."""
    it = Gateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.handle)
    async with TestServer(app) as server:
        yield it, str(server.make_url("")).rstrip("/")


@pytest.fixture(autouse=True)
def without_waiting() -> None:
    """Retries follow at once."""
    stamina.set_testing(True, attempts=100, cap=True)


@pytest.fixture(autouse=True, scope="module")
def waiting_again() -> AsyncIterator[None]:
    yield
    stamina.set_testing(False)


def text_of(*names: str) -> bytes:
    private, edge = (ProbedRegistry(PRIVATE), PRIVATE_REPORT), (ProbedRegistry(EDGE), EDGE_REPORT)
    probed = {"private": private, "edge": edge}
    return write_probes([probed[name] for name in names], "1.2.3")


def test_probes_show_what_the_daemon_would():
    """The families of a first cycle, by registry, and nothing of the process."""
    text = text_of("private", "edge").decode()
    assert own_part(text) == text
    families = set(re.findall(r"^# TYPE registry_integrity_(\w+)", text, re.MULTILINE))
    assert {"broken_tags", "cycles_total", "interval_seconds", "last_run_timestamp_seconds"} <= families
    assert not any(name.startswith("config_") for name in families)
    assert 'registry_integrity_cycles_total{outcome="complete",registry="private"} 1.0\n' in text
    assert 'registry_integrity_cycles_total{outcome="failed",registry="edge"} 1.0\n' in text
    assert 'registry="edge"' not in text_of("private").decode()


async def test_what_is_pushed_replaces_what_was(start_pushgateway: StartPushgateway):
    """A group for each registry and shard; nothing is left of the last push, and others' groups stay."""
    real = start_pushgateway()
    pushing = Pushgateway(real.url, "nightly")
    await pushing.push({"registry": "private"}, text_of("private"), whole=True)
    await pushing.push({"registry": "edge", "shard": "0"}, text_of("edge"), whole=True)
    shown = await real.metrics()
    labels = 'instance="",job="nightly",registry="private",repository="team/app"'
    assert f"registry_integrity_broken_tags{{{labels}}} 3\n" in shown
    assert 'push_time_seconds{instance="",job="nightly",registry="edge",shard="0"}' in shown

    nothing = replace(PRIVATE_REPORT, repositories={})
    text = write_probes([(ProbedRegistry(PRIVATE), nothing)], "1.2.3")
    await pushing.push({"registry": "private"}, text, whole=True)
    shown = await real.metrics()
    assert "team/app" not in shown
    assert 'catalog_accessible{instance="",job="nightly",registry="edge",shard="0"} 0' in shown


async def test_a_failed_cycle_leaves_what_is_known(start_pushgateway: StartPushgateway):
    """What it could not learn about stays as it was pushed; what it knows is replaced."""
    real = start_pushgateway()
    pushing = Pushgateway(real.url, "nightly")
    await pushing.push({"registry": "private"}, text_of("private"), whole=True)
    failed = replace(
        EDGE_REPORT, registry="private", url=PRIVATE.url, outcome=Outcome.FAILED, repositories={}
    )
    text = write_probes([(ProbedRegistry(PRIVATE), failed)], "1.2.3")
    await pushing.push({"registry": "private"}, text, whole=False)
    shown = await real.metrics()
    labels = 'instance="",job="nightly",registry="private"'
    assert f'registry_integrity_broken_tags{{{labels},repository="team/app"}} 3' in shown
    assert f"registry_integrity_last_success_timestamp_seconds{{{labels}}}" in shown
    assert f"registry_integrity_catalog_accessible{{{labels}}} 0" in shown


async def test_grouping_in_the_address(gateway: tuple[Gateway, str]):
    """Names are escaped; PUT replaces, POST adds to what is there; credentials are Basic."""
    it, url = gateway
    pushing = Pushgateway(f"{url}/prefix", "a job", credentials=Credentials("u", SECRET))
    await pushing.push({"registry": "[::1]:5000", "shard": "1"}, b"x 1\n", whole=True)
    await pushing.push({"registry": "r"}, b"x 1\n", whole=False)
    basic = f"Basic {base64.b64encode(f'u:{SECRET}'.encode()).decode()}"
    assert it.pushes == [
        ("PUT", "/prefix/metrics/job/a%20job/registry/%5B%3A%3A1%5D%3A5000/shard/1", basic, b"x 1\n"),
        ("POST", "/prefix/metrics/job/a%20job/registry/r", basic, b"x 1\n"),
    ]


@pytest.mark.parametrize(
    ("statuses", "tries", "told"),
    [
        ([200], 1, None),
        ([202], 1, None),
        ([503, 429, 200], 3, None),
        ([500], 4, "it answered 500 why not"),
        ([400], 1, "it answered 400 why not"),
        ([401], 1, "it answered 401 why not"),
        ([307], 1, "it answered 307 why not"),
    ],
)
async def test_refusals(gateway: tuple[Gateway, str], statuses: list[int], tries: int, told: str | None):
    """What may pass is tried again, a bounded number of times; a redirect, which could lead anywhere, is not
    followed."""
    it, url = gateway
    it.statuses = statuses
    pushing = Pushgateway(url, "j", credentials=Credentials("u", SECRET))
    outcome = None
    try:
        await pushing.push({"registry": "r"}, b"x 1\n", whole=True)
    except DeliveryError as error:
        outcome = str(error)
    assert outcome == (f"cannot push to {url}: {told}" if told else None)
    assert len(it.pushes) == tries


def users_file(folder: Path) -> Path:
    """Write the password of the user u for nginx."""
    users = folder / "users"
    # crypt() of the C library, which nginx uses, knows SHA-512 but not everywhere bcrypt.
    command = [find_program("htpasswd"), "-c", "-i", "-5", users, "u"]
    subprocess.run(command, input=SECRET.encode(), capture_output=True, check=True)
    return users


async def test_over_tls_with_a_login(
    start_pushgateway: StartPushgateway, start_nginx: StartNginx, authority: Authority, tmp_path: Path
):
    """A real Pushgateway behind TLS, a client certificate and Basic takes it; with one missing nothing
    arrives, and it is said why."""
    real, client = start_pushgateway(), authority.issue("client")
    front = start_nginx(
        f"""
        ssl_client_certificate {authority.file};
        ssl_verify_client on;
        auth_basic "push";
        auth_basic_user_file {users_file(tmp_path)};
        location / {{ proxy_pass {real.url}; }}
        """,
        tls=authority.issue("127.0.0.1").files,
    )
    login = Credentials("u", SECRET)
    trusting = TransportOptions(authority.file, *client.files)

    async def told(credentials: Credentials | None, options: TransportOptions) -> str:
        pushing = Pushgateway(front.url, "nightly", credentials=credentials, transport_options=options)
        with pytest.raises(DeliveryError) as caught:
            await pushing.push({"registry": "private"}, text_of("private"), whole=True)
        return str(caught.value).removeprefix(f"cannot push to {front.url}: ")

    assert "certificate verify failed" in await told(login, TransportOptions(None, *client.files))
    assert (await told(login, TransportOptions(authority.file))).startswith("it answered 400 ")
    for credentials in (None, Credentials("u", "wrong")):
        assert (await told(credentials, trusting)).startswith("it answered 401 ")
    assert "registry_integrity" not in await real.metrics()

    pushing = Pushgateway(front.url, "nightly", credentials=login, transport_options=trusting)
    await pushing.push({"registry": "private"}, text_of("private"), whole=True)
    assert 'registry_integrity_broken_tags{instance="",job="nightly"' in await real.metrics()


async def test_it_does_not_answer_in_time(gateway: tuple[Gateway, str]):
    """A connection alone is not enough, and each try has its time."""
    it, url = gateway
    it.may_answer.clear()
    with pytest.raises(DeliveryError) as caught:
        await Pushgateway(url, "nightly", timeout=0.05).push({}, b"x 1\n", whole=True)
    assert str(caught.value) == f"cannot push to {url}: it did not answer within 0.05 s"
    assert len(it.pushes) == 4
    it.may_answer.set()


async def test_nobody_answers():
    """It is said in a line, without secrets, after some tries."""
    pushing = Pushgateway("http://127.0.0.1:1", "j", credentials=Credentials("u", SECRET))
    with pytest.raises(DeliveryError, match=r"\Acannot push to http://127\.0\.0\.1:1: .*\Z") as caught:
        await pushing.push({"registry": "r"}, b"x 1\n", whole=True)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_files_that_are_gone(tmp_path: Path):
    """A certificate that vanished since the start is told like any other trouble."""
    options = TransportOptions(tmp_path / "none.pem", None, None, False, Proxies())
    with pytest.raises(DeliveryError, match="expected a file that can be read: No such file"):
        await Pushgateway("https://127.0.0.1:1", "j", transport_options=options).push({}, b"", whole=True)


def test_textfile(tmp_path: Path):
    """All of it, readable for everybody, over what was there; nothing else is left in the folder."""
    file = tmp_path / "registry.prom"
    for text in (b"x 1\n" * 1000, b"x 2\n"):
        write_textfile(file, text)
        assert file.read_bytes() == text
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("step", ["fchmod", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_textfile_that_cannot_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
):
    """Wherever it ends, what was there before is there, whole, and nothing is left of the new one."""
    file = tmp_path / "registry.prom"
    file.write_bytes(b"before\n")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    expected: type[BaseException] = DeliveryError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_textfile(file, b"after\n")
    assert file.read_bytes() == b"before\n"
    assert list(tmp_path.iterdir()) == [file]


def test_textfile_in_no_folder(tmp_path: Path):
    """It is said where, and why."""
    file = tmp_path / "none" / "registry.prom"
    with pytest.raises(DeliveryError) as caught:
        write_textfile(file, b"x 1\n")
    assert str(caught.value) == f"cannot write {file}: No such file or directory"
