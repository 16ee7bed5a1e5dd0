"""`python -m sample` serves a broken image beside whole ones, shows it found, and leaves nothing behind."""

import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sample import content as c
from sample import media_types as types
from sample.exporter import url_of
from sample.seed import INTACT, MULTI_PLATFORM, ORPHANED, TAG, seed
from tests.parts.fixtures import StartRegistry
from tests.parts.process import Process
from tests.parts.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
ACCEPT = {"Accept": ", ".join(types.MANIFESTS)}
StartSample = Callable[..., Process]


@pytest.fixture
def start_sample(running: ExitStack, tmp_path: Path) -> StartSample:
    """Start the sample in a temporary folder of its own."""

    def start(*arguments: str, **environment: str) -> Process:
        return running.enter_context(
            Process(
                [sys.executable, "-m", "sample", *arguments],
                name="sample",
                environment={"TMPDIR": str(tmp_path), **environment},
                folder=CHECKOUT,
            )
        )

    return start


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def test_the_seed_is_the_outage_beside_what_is_whole(start_registry: StartRegistry) -> None:
    """The orphaned image answers by tag and lacks every child; the others lack nothing."""
    registry = start_registry()
    await seed(registry)

    async with registry.client() as client:

        async def status(kind: str, repository: str, reference: str) -> int:
            return (await client.head(f"/v2/{repository}/{kind}/{reference}", headers=ACCEPT)).status_code

        catalog = (await client.get("/v2/_catalog")).json()["repositories"]
        assert sorted(catalog) == sorted([INTACT, MULTI_PLATFORM, ORPHANED])
        orphaned = c.multi_platform("orphaned")
        assert await status("manifests", ORPHANED, TAG) == 200
        assert {await status("manifests", ORPHANED, child.digest) for child in orphaned.root.children} == {
            404
        }
        whole = {
            INTACT: c.image("intact"),
            MULTI_PLATFORM: c.multi_platform("multi-platform", attestations=True),
        }
        for repository, content in whole.items():
            assert await status("manifests", repository, TAG) == 200
            assert {await status("manifests", repository, one.digest) for one in content.manifests} == {200}
            assert {await status("blobs", repository, digest) for digest in content.blobs} == {200}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_shows_the_finding_and_leaves_nothing(
    start_sample: StartSample, tmp_path: Path, number: signal.Signals
) -> None:
    """The command that it prints shows the broken image; a signal ends all of it, with status 0."""
    address = _free_address()
    sample = start_sample("--listen-address", address)
    registry = sample.wait_for_line(r"registry +(http://\S+)", 60)[1]
    metrics = sample.wait_for_line(r"curl -s (http://\S+) \| grep (\w+)", 60)
    assert sample.wait_for_line(r"page +(\S+)")[1] == f"http://{address}/"

    async with httpx.AsyncClient(trust_env=False) as client:

        async def finding() -> str:
            text = (await client.get(metrics[1])).text
            return "\n".join(re.findall(rf"^\w*{metrics[2]}{{.*", text, re.MULTILINE))

        found = await wait_until(finding, bool, 60)
        assert 'repository="team/orphaned"' in found
        assert 'repository="team/intact"' not in found
        assert (await client.get(f"{registry}/v2/")).status_code == 200
        sample.send_signal(number)
        assert sample.wait(20) == 0
        for url in (registry, f"http://{address}"):
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
    assert _names(tmp_path) == []


def test_an_exporter_that_ends_ends_all_with_its_status(start_sample: StartSample, tmp_path: Path) -> None:
    sample = start_sample("--listen-address", _free_address(), "--interval", "soon")
    assert sample.wait(60) == 2
    assert "soon" in "\n".join(sample.lines)
    assert _names(tmp_path) == []


def test_an_address_that_is_taken_is_told(start_sample: StartSample, start_registry: StartRegistry) -> None:
    """Another exporter there would else be taken for ours."""
    registry = start_registry()
    sample = start_sample("--listen-address", registry.host)
    assert sample.wait(60) == 1
    assert sample.lines == [f"{registry.url} is taken: choose another address with --listen-address"]


def test_a_signal_while_it_starts_ends_it(start_sample: StartSample, tmp_path: Path) -> None:
    """It ends by itself, and tidily, however early it is told."""
    sample = start_sample("--listen-address", _free_address())
    _wait_for_folder(sample, tmp_path)
    sample.send_signal(signal.SIGTERM)
    assert sample.wait(20) == 0
    assert _names(tmp_path) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _wait_for_folder(sample: Process, folder: Path) -> None:
    until = time.monotonic() + 60
    while not _names(folder):
        assert sample.returncode is None
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (":9949", "http://127.0.0.1:9949"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("[::]:1", "http://[::1]:1"),
        ("[::1]:1", "http://[::1]:1"),
        ("localhost:1", "http://localhost:1"),
    ],
)
def test_where_to_reach_what_listens(address: str, url: str) -> None:
    assert url_of(address) == url
