"""The smaller parts that tests stand on do what they say."""

import asyncio

import httpx
import pytest

from sample import content as c
from sample.registry import RegistryOptions
from sample.storage import FolderStorage
from tests.parts.access import counts
from tests.parts.distribution.errors import NotModelledError
from tests.parts.programs import MissingProgram, find_program
from tests.parts.registry_in_process import InProcessRegistry
from tests.parts.waiting import wait_until
from tests.parts.webhook import WebhookReceiver
from tools import debian


async def test_requests_to_the_registry_in_process_are_kept() -> None:
    """As an access log has them, and whole, with their headers."""
    registry = InProcessRegistry().start()
    await registry.push("a", c.image("x"), "latest")
    mark = registry.mark()
    async with registry.client() as client:
        await client.get("/v2/_catalog", params={"n": 5}, headers={"X-Test": "yes"})
        await client.head("/v2/a/manifests/absent")
    assert counts(registry.requests(mark)) == {"GET catalog": 1, "HEAD tag": 1}
    assert [(one.target, one.status) for one in registry.requests(mark)] == [
        ("/v2/_catalog?n=5", 200),
        ("/v2/a/manifests/absent", 404),
    ]
    assert registry.asked(mark)[0].headers["X-Test"] == "yes"


async def test_the_registry_in_process_can_be_intercepted() -> None:
    """Before each answer: to damage what is stored, to fail, or to answer otherwise."""
    registry = InProcessRegistry().start()
    await registry.push("a", c.image("x"), "latest")

    def intercept(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/v2/_catalog":
            return httpx.Response(503)
        if request.url.path == "/v2/":
            raise httpx.ReadTimeout("slow", request=request)
        registry.damage.remove_repository("a")
        return None

    registry.intercept = intercept
    async with registry.client() as client:
        assert (await client.get("/v2/_catalog")).status_code == 503
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/v2/")
        assert (await client.get("/v2/a/tags/list")).status_code == 404


async def test_the_registry_in_process_can_be_down() -> None:
    registry = InProcessRegistry()
    async with registry.client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/v2/")
        with registry:
            assert (await client.get("/v2/")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await client.get("/v2/")


async def test_requests_in_process_run_beside_each_other() -> None:
    """Two that start together are both under way before either is answered."""
    registry = InProcessRegistry().start()
    order: list[str] = []

    async with registry.client() as client:

        async def ask(name: str) -> None:
            order.append(f"{name} asked")
            await client.get("/v2/")
            order.append(f"{name} answered")

        await asyncio.gather(ask("one"), ask("other"))
    assert order == ["one asked", "other asked", "one answered", "other answered"]


def test_more_than_the_model_knows_is_refused() -> None:
    with pytest.raises(NotModelledError):
        InProcessRegistry(RegistryOptions(more={"auth": {}}))


def test_a_missing_program_is_an_error_that_names_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr(debian, "UNPACKED", empty)
    monkeypatch.setattr(debian, "SYSTEM_FOLDERS", ())
    with pytest.raises(MissingProgram, match=r"python3 tools/debian\.py apache2-utils"):
        find_program("htpasswd")


async def test_waiting_ends_with_what_was_seen_last() -> None:
    answers = iter(range(100))

    async def ask() -> int:
        return next(answers)

    assert await wait_until(ask, lambda answer: answer == 3, pause=0) == 3
    with pytest.raises(TimeoutError, match=r"a miracle did not come in 0 s; last seen: 4"):
        await wait_until(ask, lambda _: False, 0, what="a miracle")


async def test_the_webhook_receiver_keeps_what_it_gets(webhook: WebhookReceiver) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for number in range(3):
            assert (await client.post(webhook.url, json={"number": number})).status_code == 204
    received = await asyncio.to_thread(webhook.wait_for, lambda messages: len(messages) == 3)
    assert [message["number"] for message in received] == [0, 1, 2]
    with pytest.raises(TimeoutError, match="not received"):
        await asyncio.to_thread(webhook.wait_for, lambda messages: len(messages) == 4, 0.05)


def test_a_folder_behind_the_registry_in_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The model works over any storage, a folder too."""
    folder = tmp_path_factory.mktemp("folder")
    registry = InProcessRegistry(storage=FolderStorage(folder)).start()
    asyncio.run(registry.push("a", c.image("x"), "latest"))
    assert (folder / "docker/registry/v2/repositories/a/_manifests/tags/latest/current/link").exists()
