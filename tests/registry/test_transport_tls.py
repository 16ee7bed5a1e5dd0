"""TLS: agreed on, or no connection."""

import pytest

from exporter.registry import Errand, TimedOutError, open_client
from exporter.registry.errors import NotConnectedError
from tests.parts.certificates import Authority
from tests.registry.failure import failure
from tests.registry.scripted import ScriptedServer, reply, serve

NOT_AGREED = (NotConnectedError, "GET /v2/ failed: TLS could not be agreed on")


async def test_trusted_certificate_is_accepted(
    tls_server: ScriptedServer, authority: Authority, monkeypatch: pytest.MonkeyPatch, errand: Errand
):
    """Trust is the system's; a file of the operator's can replace it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    tls_server.answer("GET /v2/", reply(200))
    async with open_client(tls_server.url) as client:
        await client.ping(errand)
    assert tls_server.lines == ["GET /v2/"]


async def test_unknown_certificate_is_refused(tls_server: ScriptedServer, errand: Errand):
    """Before anything was sent."""
    async with open_client(tls_server.url) as client:
        assert await failure(client.ping(errand)) == NOT_AGREED
    assert tls_server.lines == []


async def test_certificate_of_another_host_is_refused(
    tls_server: ScriptedServer, authority: Authority, monkeypatch: pytest.MonkeyPatch, errand: Errand
):
    """Trusted or not."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with open_client(tls_server.url.replace("127.0.0.1", "localhost")) as client:
        assert await failure(client.ping(errand)) == NOT_AGREED
    assert tls_server.lines == []


async def test_server_that_speaks_in_clear_is_refused(errand: Errand):
    """As when the port is that of plain HTTP."""
    async with serve(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        async with open_client(server.url.replace("http:", "https:")) as client:
            assert await failure(client.ping(errand)) == NOT_AGREED
        await server.all_closed()


async def test_server_that_never_agrees_is_a_timeout(server: ScriptedServer, errand: Errand):
    """Within the one deadline of the request."""
    async with open_client(server.url.replace("http:", "https:"), catalog_timeout=0.05) as client:
        assert await failure(client.ping(errand)) == (
            TimedOutError,
            "GET /v2/ was not answered within 0.05 s",
        )
        await server.all_closed()
