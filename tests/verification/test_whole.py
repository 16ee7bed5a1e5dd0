"""Blobs read whole: what comes is compared with what was promised, in little memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from bench.large import large_image
from bench.options import Options
from bench.scenarios import SCENARIOS
from bench.whole import verify_whole
from exporter.integrity import BlobCheck, CycleProgress
from exporter.integrity.content import WholeBlobInquiry
from exporter.integrity.finding import Reason
from exporter.integrity.judge import INTACT, Judgement, broken, unverified
from exporter.integrity.proofs import DataProofs, RangeSupport
from exporter.oci import Digest
from exporter.registry import Errand, RegistryClient, open_client
from tests.integrity.virtual_time import run
from tests.registry.scripted import Reply, ScriptedServer, Then, error_reply, reply, serve

DATA = bytes(range(256)) * 1000
OTHER = DATA[:-1] + b"\0"
SIZE = len(DATA)
DIGEST = Digest.of(DATA)
PATH = f"/v2/app/blobs/{DIGEST}"
GET = f"GET {PATH}"
OTHER_DIGEST = broken(Reason.DIGEST_MISMATCH, f"the {SIZE} bytes served have another digest")


@asynccontextmanager
async def inquiry(
    server: ScriptedServer, progress: CycleProgress | None = None
) -> AsyncIterator[WholeBlobInquiry]:
    async with open_client(server.url, timeout=0.5) as client:
        ranges = RangeSupport("registry", BlobCheck.HEAD)
        yield WholeBlobInquiry(client, ranges, DataProofs(), progress or CycleProgress())


async def judged(*replies: Reply, digest: Digest = DIGEST, size: int | None = SIZE) -> Judgement:
    """Serve these and read the blob."""
    async with serve() as server:
        server.answer(f"GET /v2/app/blobs/{digest}", *replies)
        async with inquiry(server) as blobs:
            judgement, pending = await blobs.ask("app", (digest, size), Errand())
        assert not server.unknown
        assert not server.unused
    assert not pending
    return judgement


def chunked(*pieces: bytes, then: Then = Then.KEEP) -> Reply:
    """An answer that does not announce its length; without an end unless the last piece is empty."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Reply(head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), then)


CUT = reply(200, DATA[:1000], length=SIZE, then=Then.CLOSE)


@pytest.mark.parametrize(
    ("replies", "judgement"),
    [
        ([reply(200, DATA)], INTACT),
        ([chunked(DATA, b"")], INTACT),
        ([reply(200, OTHER)], OTHER_DIGEST),
        (
            [reply(200, DATA[:-1])],
            broken(Reason.SIZE_MISMATCH, f"GET announced {SIZE - 1} bytes instead of {SIZE}"),
        ),
        # Not read: there might be no end to it.
        (
            [reply(200, length=2**60, then=Then.STALL)],
            broken(Reason.SIZE_MISMATCH, f"GET announced {2**60} bytes instead of {SIZE}"),
        ),
        (
            [chunked(DATA[:-1], b"")],
            broken(Reason.SIZE_MISMATCH, f"GET brought {SIZE - 1} instead of {SIZE} bytes"),
        ),
        (
            [chunked(DATA, b"more", then=Then.STALL)],
            broken(Reason.SIZE_MISMATCH, f"GET brought more than {SIZE} bytes"),
        ),
        (
            [CUT, CUT],
            broken(Reason.TRUNCATED, f"GET {PATH} answered 200, but the body ended after 1000 bytes"),
        ),
        ([CUT, reply(200, DATA)], INTACT),
        (
            [CUT, reply(200, OTHER)],
            broken(Reason.DIGEST_MISMATCH, f"the {SIZE} bytes served have another digest"),
        ),
        (
            [error_reply(404, "BLOB_UNKNOWN")],
            broken(Reason.MISSING, f"GET {PATH} answered 404 BLOB_UNKNOWN"),
        ),
        ([error_reply(403, "DENIED")], unverified(Reason.FORBIDDEN, f"GET {PATH} answered 403 DENIED")),
        (
            [reply(200, DATA[:1000], length=SIZE, then=Then.STALL)] * 3,
            unverified(Reason.TIMEOUT, f"GET {PATH} brought nothing for 0.5 s"),
        ),
    ],
)
async def test_what_comes_is_judged(replies: list[Reply], judgement: Judgement):
    """By its announced length, by its length, by its digest; what is cut is asked for once more."""
    assert await judged(*replies) == judgement


async def test_other_digests_and_sizes():
    """sha512 is computed too; where a size or an algorithm is not known, the other has to do."""
    long = Digest.of(DATA, "sha512")
    foreign = Digest("blake3:" + "0" * 64)
    assert await judged(reply(200, DATA), digest=long) == INTACT
    assert await judged(reply(200, OTHER), digest=long) == OTHER_DIGEST
    assert await judged(reply(200, DATA), digest=foreign) == INTACT
    assert await judged(reply(200, DATA), size=None) == INTACT
    assert await judged(reply(200, OTHER), size=None) == OTHER_DIGEST
    empty = Digest.of(b"")
    assert await judged(reply(200, b""), digest=empty, size=0) == INTACT
    lost = await judged(error_reply(404, "BLOB_UNKNOWN"), digest=empty, size=0)
    assert lost.reason is Reason.MISSING


class Slowly(httpx.AsyncBaseTransport):
    """Answers with the data in pieces, with so many seconds before each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": str(SIZE)}, stream=_Pieces(self._seconds))


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, SIZE, SIZE // 10):
            await asyncio.sleep(self._seconds)
            yield DATA[start : start + SIZE // 10]


@pytest.mark.parametrize(("seconds", "reason"), [(9.0, None), (11.0, Reason.TIMEOUT)])
def test_time_is_bounded_for_each_piece_and_not_for_the_whole(seconds: float, reason: Reason | None):
    """What comes slowly but steadily is read to its end, however long that takes; in virtual time."""

    async def read() -> Judgement:
        client = RegistryClient("http://registry.invalid", Slowly(seconds), timeout=10.0)
        blobs = WholeBlobInquiry(
            client, RangeSupport("registry", BlobCheck.HEAD), DataProofs(), CycleProgress()
        )
        # Nothing is hashed: a thread would not wait in virtual time.
        return await blobs.prove("app", (Digest("blake3:" + "0" * 64), SIZE), Errand())

    assert run(read()).reason is reason


async def test_data_that_stands_in_several_repositories_is_read_once():
    """The others are asked for its headers, and for the data as well where the first had none."""
    async with serve() as server, inquiry(server) as blobs:
        server.answer(GET, reply(200, OTHER))
        server.answer(f"HEAD {PATH.replace('app', 'two')}", reply(200, length=SIZE))
        server.answer(f"GET {PATH.replace('app', 'three')}", reply(200, DATA))
        waiting = asyncio.create_task(blobs.ask("app", (DIGEST, SIZE), Errand()))
        await server.was_asked()
        second, pending = await blobs.ask("two", (DIGEST, SIZE), Errand())
        assert (second, pending) == (INTACT, True)
        first, _ = await waiting
        assert first.reason is Reason.DIGEST_MISMATCH
        assert await blobs.ask("three", (DIGEST, SIZE), Errand()) == (INTACT, False)


async def test_progress_counts_what_is_read_and_what_need_not_be():
    """Reading anew takes back what was counted; what does not come is done as well."""
    progress = CycleProgress()
    async with serve() as server, inquiry(server, progress) as blobs:
        server.answer(GET, CUT, reply(200, DATA), error_reply(404, "BLOB_UNKNOWN"))
        blobs.expect((DIGEST, SIZE))
        blobs.expect((DIGEST, SIZE))
        assert (progress.bytes, progress.bytes_done, progress.bytes_read) == (SIZE, 0, 0)
        await blobs.prove("app", (DIGEST, SIZE), Errand())
        assert (progress.bytes, progress.bytes_done, progress.bytes_read) == (SIZE, SIZE, SIZE + 1000)
        await blobs.last_byte("app", (DIGEST, SIZE), Errand())
        assert (progress.bytes, progress.bytes_done, progress.bytes_read) == (2 * SIZE, 2 * SIZE, SIZE + 1000)


async def test_hashing_is_not_the_loop_s_business(monkeypatch: pytest.MonkeyPatch):
    """The loop goes on while a piece is hashed, and no more than one is."""
    threads: set[str] = set()

    class Noted:
        def __init__(self, name: str, **_: bool) -> None:
            self._real = hashlib.sha256()
            assert name == "sha256"

        def update(self, data: bytes) -> None:
            import threading

            threads.add(threading.current_thread().name)
            self._real.update(data)

        def hexdigest(self) -> str:
            return self._real.hexdigest()

    monkeypatch.setattr("exporter.integrity.content.hashlib.new", Noted)
    large = DATA * 20
    digest = Digest(f"sha256:{hashlib.sha256(large).hexdigest()}")
    assert await judged(reply(200, large), digest=digest, size=len(large)) == INTACT
    assert threads
    assert "MainThread" not in threads


def test_memory_does_not_grow_with_a_layer():
    """A layer of 200 MiB takes less than 150 MiB, the interpreter and all libraries included."""
    with large_image(200 * 2**20) as image:
        assert verify_whole(image).peak_memory < 150 * 2**20


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_two_gibibytes_are_read_fast_and_in_little_memory():
    """At no less than 0.7 of the speed of curl and sha256sum in the same run, in less than 150 MiB."""
    result = SCENARIOS["whole"](Options(runs=3))
    assert {row.what: row.met for row in result.rows} == {"speed of verify --full": True, "peak memory": True}
