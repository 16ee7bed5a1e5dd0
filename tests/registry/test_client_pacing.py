"""Retries and the circuit, as a client of a server has them."""

import pytest

from exporter.oci import Digest
from exporter.registry import (
    AnswerError,
    BlobHead,
    Errand,
    LeftAloneError,
    Purpose,
    RegistryClient,
    TimedOutError,
    open_client,
)
from exporter.registry.errors import NotConnectedError
from tests.registry.failure import failure
from tests.registry.scripted import Reply, ScriptedServer, Then, reply

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
LEFT_ALONE = "was not asked: there were no answers before it"


def blob(repository: str) -> str:
    return f"/v2/{repository}/blobs/{DIGEST}"


@pytest.mark.parametrize("status", [408, 500, 502, 504])
async def test_transient_status_is_asked_three_times_in_all(
    status: int, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Two of them retries."""
    server.answer(f"HEAD {blob('app')}", *[reply(status)] * 3)
    assert await failure(client.head_blob("app", DIGEST, errand)) == (
        AnswerError,
        f"HEAD {blob('app')} answered {status}",
    )
    assert (errand.tally.walk, errand.tally.extra[Purpose.RETRY]) == (1, 2)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "told", [({}, 10), ({"Retry-After": "0"}, 3)], ids=["not told for how long", "told for how long"]
)
async def test_refusal_is_asked_more_slowly_and_more_often(
    told: tuple[dict[str, str], int],
    status: int,
    server: ScriptedServer,
    client: RegistryClient,
    errand: Errand,
):
    """Since nothing else is wrong; but not for ever where waiting as long as told did not help."""
    headers, asked = told
    server.answer(f"HEAD {blob('app')}", *[reply(status, headers=headers)] * asked)
    assert await failure(client.head_blob("app", DIGEST, errand)) == (
        AnswerError,
        f"HEAD {blob('app')} answered {status}",
    )
    assert (errand.tally.walk, errand.tally.extra[Purpose.RETRY]) == (1, asked - 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 416, 501])
async def test_other_status_is_asked_once(
    status: int, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """It would be the same again."""
    server.answer(f"HEAD {blob('app')}", reply(status))
    assert await failure(client.head_blob("app", DIGEST, errand)) == (
        AnswerError,
        f"HEAD {blob('app')} answered {status}",
    )
    assert (errand.tally.walk, errand.tally.extra[Purpose.RETRY]) == (1, 0)


async def test_registry_that_fails_twice_and_then_answers_has_answered(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Whichever way it failed."""
    server.answer(f"HEAD {blob('app')}", reply(503), reply(429), reply(200, length=7))
    assert await client.head_blob("app", DIGEST, errand) == BlobHead(7)


async def test_registry_is_left_alone_after_5_questions_without_a_connection(refusing: str, errand: Errand):
    """Then nothing is asked any more, of any repository: not even a connection is tried."""
    async with open_client(f"http://{refusing}") as client:
        outcomes = [await failure(client.head_blob(f"app{number}", DIGEST, errand)) for number in range(6)]
        outcomes.append(await failure(client.catalog(errand)))
    assert outcomes == [
        *[
            (NotConnectedError, f"HEAD {blob(f'app{number}')} failed: connection refused")
            for number in range(5)
        ],
        (LeftAloneError, f"HEAD {blob('app5')} {LEFT_ALONE}"),
        (LeftAloneError, f"GET /v2/_catalog {LEFT_ALONE}"),
    ]
    assert (errand.tally.walk, errand.tally.extra[Purpose.RETRY]) == (5, 10)


async def test_next_cycle_asks_again(server: ScriptedServer, refusing: str, client: RegistryClient):
    """The circuit is the errand's, not the client's."""
    errand = Errand()
    async with open_client(f"http://{refusing}") as lost:
        for _ in range(5):
            await failure(lost.head_blob("app", DIGEST, errand))
    server.answer(f"HEAD {blob('app')}", reply(200, length=7))
    assert (await failure(client.head_blob("app", DIGEST, errand)))[0] is LeftAloneError
    assert await client.head_blob("app", DIGEST, Errand()) == BlobHead(7)


async def test_answer_starts_the_count_of_lost_connections_again(
    server: ScriptedServer, refusing: str, client: RegistryClient, errand: Errand
):
    """A refusal is one, too; eight in all are not five in a row."""
    server.answer(f"HEAD {blob('app')}", reply(200, length=7), reply(404))
    async with open_client(f"http://{refusing}") as lost:
        for _ in range(4):
            await failure(lost.head_blob("app", DIGEST, errand))
        assert await client.head_blob("app", DIGEST, errand) == BlobHead(7)
        for _ in range(4):
            await failure(lost.head_blob("app", DIGEST, errand))
    assert (await failure(client.head_blob("app", DIGEST, errand)))[0] is AnswerError


async def test_repository_that_does_not_answer_is_left_alone_and_no_other(
    server: ScriptedServer, errand: Errand
):
    """After 16 questions of which each timed out three times."""
    server.always(f"HEAD {blob('slow')}", Reply(b"", Then.STALL))
    server.always(f"HEAD {blob('quick')}", reply(200, length=7))
    async with open_client(server.url, timeout=0.02) as hurried:
        failures = [await failure(hurried.head_blob("slow", DIGEST, errand)) for _ in range(16)]
    asked = len(server.lines)
    async with open_client(server.url) as client:
        assert await client.head_blob("quick", DIGEST, errand) == BlobHead(7)
        assert await failure(client.head_blob("slow", DIGEST, errand)) == (
            LeftAloneError,
            f"HEAD {blob('slow')} {LEFT_ALONE}",
        )
    assert failures == [(TimedOutError, f"HEAD {blob('slow')} was not answered within 0.02 s")] * 16
    assert len(server.lines) == asked + 1
