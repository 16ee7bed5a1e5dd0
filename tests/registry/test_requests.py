"""Counting and watching requests."""

from dataclasses import dataclass, field

import pytest

from exporter.oci import Digest
from exporter.registry import Errand, Purpose, Tally, open_client
from tests.registry.failure import failure
from tests.registry.scripted import Reply, ScriptedServer, Then, json_reply, reply

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
BLOB = f"HEAD /v2/app/blobs/{DIGEST}"


@dataclass
class Watching:
    """An observer that keeps what it is told."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def requested(self, method: str, code: str, seconds: float) -> None:
        self.requests.append((method, code))
        self.seconds.append(seconds)

    def retried(self, reason: str) -> None:
        self.reasons.append(reason)


def test_new_tally_has_counted_nothing():
    """Every purpose beside the walk is listed, zero included."""
    tally = Tally()
    assert (tally.walk, tally.extra) == (
        0,
        {
            Purpose.CONFIRMATION: 0,
            Purpose.RETRY: 0,
            Purpose.REDIRECT: 0,
            Purpose.TOKEN: 0,
            Purpose.REFETCH: 0,
        },
    )


def test_purposes_are_named_as_the_output_names_them():
    """They are keys of the JSON document."""
    assert [str(purpose) for purpose in Purpose] == [
        "walk",
        "confirmation",
        "retry",
        "redirect",
        "token",
        "refetch",
    ]


def test_tally_counts_each_purpose_apart():
    """The floor is of the walk alone."""
    tally = Tally()
    for times, purpose in enumerate(Purpose, start=1):
        for _ in range(times):
            tally.add(purpose)
    assert (tally.walk, list(tally.extra.values())) == (1, [2, 3, 4, 5, 6])


@pytest.mark.parametrize("purpose", [Purpose.WALK, Purpose.CONFIRMATION, Purpose.REFETCH])
async def test_request_counts_for_what_it_is_made(purpose: Purpose, server: ScriptedServer):
    """Its retries and redirects count for themselves."""
    server.answer(
        BLOB, reply(503), reply(307, headers={"Location": "/data"}), reply(307, headers={"Location": "/data"})
    )
    server.answer("HEAD /data", reply(503), reply(200))
    errand = Errand(purpose)
    async with open_client(server.url) as client:
        await client.head_blob("app", DIGEST, errand)
    expected = Tally()
    for counted in (purpose, Purpose.RETRY, Purpose.REDIRECT, Purpose.RETRY, Purpose.REDIRECT):
        expected.add(counted)
    assert (errand.tally.walk, errand.tally.extra) == (expected.walk, expected.extra)


async def test_every_page_counts(server: ScriptedServer):
    """The floor has one request for each."""
    server.answer("GET /v2/_catalog?n=1000", json_reply({"repositories": ["a"]}, Link="<?last=a>; rel=next"))
    server.answer("GET /v2/_catalog?last=a", json_reply({"repositories": ["b"]}))
    errand = Errand()
    async with open_client(server.url) as client:
        await client.catalog(errand)
    assert (errand.tally.walk, sum(errand.tally.extra.values())) == (2, 0)


async def test_observer_is_told_of_every_request_on_the_wire(server: ScriptedServer):
    """With its status, or `error` where there was none; of retries with the reason."""
    server.answer(
        BLOB,
        reply(307, headers={"Location": "/data"}),
        reply(429),
        reply(404, length=99),
    )
    server.answer("HEAD /data", reply(502))
    watching = Watching()
    async with open_client(server.url, observer=watching) as client:
        await failure(client.head_blob("app", DIGEST, Errand()))
    assert (watching.requests, watching.reasons) == (
        [("HEAD", "307"), ("HEAD", "502"), ("HEAD", "429"), ("HEAD", "404")],
        ["server_error", "rate_limited"],
    )
    assert all(0 < seconds < 10 for seconds in watching.seconds)


async def test_observer_is_told_of_requests_without_an_answer(server: ScriptedServer):
    """They took time, too."""
    server.always(BLOB, Reply(b"", Then.STALL))
    watching = Watching()
    async with open_client(server.url, timeout=0.05, observer=watching) as client:
        await failure(client.head_blob("app", DIGEST, Errand()))
    assert (watching.requests, watching.reasons) == ([("HEAD", "error")] * 3, ["timeout", "timeout"])
    assert min(watching.seconds) > 0.04


def test_errands_share_nothing_unless_told_to():
    """Each has its own tally and circuit by default."""
    one, other = Errand(), Errand()
    assert (one.purpose, one.tally is other.tally, one.circuit is other.circuit) == (
        Purpose.WALK,
        False,
        False,
    )
