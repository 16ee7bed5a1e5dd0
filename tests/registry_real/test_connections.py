"""Proxies, and both addresses of this machine's own name; on the loop of the program, too."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.registry import Credentials, Errand, Proxies, RegistryError, TransportOptions, open_client
from exporter.registry.transport import PROJECT_URL, USER_AGENT
from tests.parts.certificates import Authority
from tests.parts.proxy import ForwardProxy, forward
from tests.registry.recording import Recorder, record

ANN = Credentials("ann", "s3cr3t")


@pytest.fixture
async def proxy() -> AsyncIterator[ForwardProxy]:
    async with forward() as running:
        yield running


@pytest.fixture
async def registry() -> AsyncIterator[Recorder]:
    async with record() as server:
        yield server


def by_way_of(proxy: ForwardProxy, *, loopback: bool = True, **variables: str) -> TransportOptions:
    """Go through a proxy to whatever is not exempted."""
    address = proxy.url.replace("//", "//eve:pr%40xy@")
    proxies = Proxies.from_environment({"ALL_PROXY": address, **variables}, loopback=loopback)
    return TransportOptions(proxies=proxies)


async def ping(url: str, options: TransportOptions | None = None) -> str:
    """Ask once; `""`, or the error's whole message."""
    async with open_client(url, credentials=ANN, transport_options=options) as client:
        try:
            await client.ping(Errand())
        except RegistryError as error:
            return str(error)
    return ""


async def test_http_goes_through_the_proxy_in_clear(proxy: ForwardProxy, registry: Recorder):
    """With a password for the proxy, and one for the registry."""
    url = f"http://127.0.0.1:{registry.port}"
    assert await ping(url, by_way_of(proxy)) == ""
    ((line, headers),) = proxy.requests
    assert (line, headers["proxy-authorization"], headers["authorization"]) == (
        f"GET {url}/v2/ HTTP/1.1",
        Credentials("eve", "pr@xy").basic,
        ANN.basic,
    )
    assert [request.authorization for request in registry.requests] == [ANN.basic]


async def test_https_goes_through_the_proxy_unseen(proxy: ForwardProxy, authority: Authority):
    """It learns the registry's address and no more; the registry does not learn the proxy's password."""
    pair = authority.issue("127.0.0.1")
    async with record(tls=pair.server_context()) as registry:
        options = by_way_of(proxy)
        trusting = TransportOptions(ca_file=authority.file, proxies=options.proxies)
        assert await ping(f"https://127.0.0.1:{registry.port}", trusting) == ""
        ((line, headers),) = proxy.requests
        assert line == f"CONNECT 127.0.0.1:{registry.port} HTTP/1.1"
        assert headers["proxy-authorization"] == Credentials("eve", "pr@xy").basic
        assert "authorization" not in headers
        (request,) = registry.requests
        assert (request.authorization, "proxy-authorization" in request.headers) == (ANN.basic, False)
        assert "not be agreed on" in await ping(f"https://127.0.0.1:{registry.port}", options)


async def test_certificate_is_the_registrys_and_not_the_proxys(proxy: ForwardProxy, authority: Authority):
    """A name that is not the registry's is refused behind a proxy as well."""
    async with record(tls=authority.issue("localhost").server_context()) as registry:
        trusting = TransportOptions(ca_file=authority.file, proxies=by_way_of(proxy).proxies)
        failed = await ping(f"https://127.0.0.1:{registry.port}", trusting)
        assert (failed, registry.requests) == ("GET /v2/ failed: TLS could not be agreed on", [])


async def test_loopback_is_reached_directly(proxy: ForwardProxy, registry: Recorder):
    """Unless it is asked for, and then not where it is exempted."""
    assert await ping(f"http://127.0.0.1:{registry.port}", by_way_of(proxy, loopback=False)) == ""
    assert await ping(f"http://127.0.0.1:{registry.port}", by_way_of(proxy, NO_PROXY="127.0.0.0/8")) == ""
    assert (proxy.requests, len(registry.requests)) == ([], 2)


async def test_environment_is_not_read_by_itself(
    proxy: ForwardProxy, registry: Recorder, monkeypatch: pytest.MonkeyPatch
):
    """Only who asks for the proxies of the environment has them."""
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert await ping(f"http://127.0.0.1:{registry.port}") == ""
    assert proxy.requests == []


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_proxy_that_refuses_to_connect_is_no_connection(status: int, proxy: ForwardProxy):
    """The error says that it was the proxy; nothing is missing."""
    proxy.refuses = status
    failed = await ping("https://registry.example", by_way_of(proxy))
    assert failed == f"GET /v2/ failed: the proxy answered {status}"
    assert proxy.lines == ["CONNECT registry.example:443"] * 3


async def test_proxy_that_is_down_is_no_connection():
    """Nobody is asked directly instead."""
    options = TransportOptions(proxies=Proxies.from_environment({"ALL_PROXY": "http://127.0.0.1:1"}))
    assert await ping("https://registry.example", options) == "GET /v2/ failed: connection refused"
    assert await ping("http://registry.example", options) == "GET /v2/ failed: connection refused"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "registry.localhost"])
async def test_localhost_is_tried_on_both_families(name: str, address: str):
    """Whatever the hosts file says: a registry may listen on one of them only."""
    async with record(host=address) as registry:
        assert await ping(f"http://{name}:{registry.port}") == ""
        assert len(registry.requests) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_address_is_the_one_that_was_given(address: str):
    """Of either family."""
    async with record(host=address) as registry:
        host = f"[{address}]" if ":" in address else address
        assert await ping(f"http://{host}:{registry.port}") == ""
        assert registry.requests[0].host == f"{host}:{registry.port}"


async def test_localhost_where_nobody_listens_is_refused():
    """By neither address."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert (await ping(f"http://localhost:{port}")).startswith("GET /v2/ failed: ")


async def test_registry_learns_who_asks(registry: Recorder):
    """By program, version and where to complain."""
    await ping(f"http://127.0.0.1:{registry.port}")
    assert registry.requests[0].headers["user-agent"] == USER_AGENT
    assert USER_AGENT.endswith(f" (+{PROJECT_URL})")
