"""Which token services are trusted with a secret, whatever a registry says.

The claim of each case is about every request that was made, to any host: none but the registry's own origin
and a trusted token service ever sees an `Authorization`.
"""

from collections.abc import AsyncIterator

import httpx
import pytest

from exporter.registry import AuthenticationError, Credentials, Errand, FixedCredentials, RegistryClient
from exporter.registry.addresses import origin
from exporter.registry.credentials import IdentityToken, Secret
from tests.registry.failure import error_of

HTTPS = "https://registry.example"
HTTP = "http://registry.example:5000"
SECRET = "s3cr3t"
ANN = Credentials("ann", SECRET)

TRUSTED = [
    pytest.param(HTTPS, "https://registry.example/token", (), id="its own origin"),
    pytest.param(HTTPS, "https://registry.example:5001/token", (), id="another port of its host"),
    pytest.param(HTTPS, "https://auth.example/token", (), id="another host by https"),
    pytest.param(HTTPS, "https://AUTH.example:443/token?a=b", (), id="https with port and query"),
    pytest.param(HTTP, "http://registry.example:5000/token", (), id="http on the very origin"),
    pytest.param(HTTP, "http://REGISTRY.example:5001/token", (), id="http on its host, in capitals"),
    pytest.param(HTTP, "https://auth.example/token", (), id="https for an http registry"),
    pytest.param(HTTP, "http://auth.example/token", ("auth.example",), id="http allowed by name"),
    pytest.param(HTTP, "http://auth.example:81/token", ("AUTH.example:81",), id="allowed with its port"),
    pytest.param(HTTPS, "http://auth.example:81/token", ("auth.example",), id="http for https, by name"),
    pytest.param(HTTP, "http://auth.example/token", ("auth.example:80",), id="the default port by name"),
    pytest.param(HTTP, "http://[fd00::1]:81/token", ("[fd00::1]",), id="an address by name"),
    pytest.param(HTTP, "http://[fd00::1]:81/token", ("fd00::1",), id="an address without brackets"),
    pytest.param(HTTP, "http://[fd00::1]:81/token", ("[FD00::1]:81",), id="an address and port by name"),
]
REFUSED = [
    pytest.param(HTTPS, "http://auth.example/token", (), id="http elsewhere"),
    pytest.param(HTTPS, "http://registry.example/token", (), id="http on the host of an https registry"),
    pytest.param(HTTPS, "http://registry.example:443/token", (), id="http on the port of https"),
    pytest.param(HTTP, "http://auth.example:5000/token", (), id="http on another host"),
    pytest.param(HTTP, "http://registry.example.evil.example:5000/token", (), id="look-alike: longer"),
    pytest.param(HTTP, "http://evil-registry.example:5000/token", (), id="look-alike: prefixed"),
    pytest.param(HTTP, "http://example:5000/token", (), id="look-alike: the parent"),
    pytest.param(HTTP, "http://registry.example.:5000/token", (), id="look-alike: a dot at the end"),
    pytest.param(HTTP, "http://registry。example.evil:5000/token", (), id="look-alike: another dot"),
    pytest.param(HTTP, "http://r\u0435gistry.example:5000/token", (), id="look-alike: another alphabet"),
    pytest.param(HTTP, "http://registry.example:5000@evil.example/token", (), id="the host as a user"),
    pytest.param(HTTP, "http://ann:pw@registry.example:5000/token", (), id="a user of its own"),
    pytest.param(HTTPS, "https://ann:pw@registry.example/token", (), id="a user of its own by https"),
    pytest.param(HTTP, "http://registry.example:5000\\@evil.example/token", (), id="a backslash"),
    pytest.param(HTTP, "http://evil.example#@registry.example:5000/", (), id="a fragment"),
    pytest.param(HTTP, "http://evil.example?@registry.example:5000/", (), id="a query"),
    pytest.param(HTTP, "//evil.example/token", (), id="no scheme"),
    pytest.param(HTTP, "/token", (), id="only a path"),
    pytest.param(HTTP, "", (), id="nothing"),
    pytest.param(HTTP, "http:///token", (), id="no host"),
    pytest.param(HTTP, "ftp://registry.example/token", (), id="ftp"),
    pytest.param(HTTP, "file:///etc/passwd", (), id="a file"),
    pytest.param(HTTP, "javascript:alert(1)", (), id="a script"),
    pytest.param(HTTP, "http://[::1", (), id="half an address"),
    pytest.param(HTTP, "http://registry.example:99999999/token", (), id="a port that is none"),
    pytest.param(HTTP, "http://auth.example:82/token", ("auth.example:81",), id="another port than allowed"),
    pytest.param(HTTP, "http://x.auth.example/token", ("auth.example",), id="below an allowed name"),
    pytest.param(HTTP, "ftp://auth.example/token", ("auth.example",), id="ftp on an allowed name"),
    pytest.param("http://127.0.0.1:5000", "http://localhost:5000/token", (), id="its name"),
    pytest.param("http://localhost:5000", "http://127.0.0.1:5000/token", (), id="its address"),
    pytest.param("http://127.0.0.1:5000", "http://127.1:5000/token", (), id="its address, short"),
    pytest.param("http://127.0.0.1:5000", "http://[::ffff:7f00:1]:5000/token", (), id="the same as IPv6"),
    pytest.param("http://127.0.0.1:5000", "http://2130706433:5000/token", (), id="the same as a number"),
]


class Everyone(httpx.AsyncBaseTransport):
    """A registry that names a realm, and whoever else is asked gives a token; every request is kept."""

    def __init__(self, registry: str, realm: str) -> None:
        self.registry = origin(httpx.URL(registry))
        self.realm = realm
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        at_home = origin(request.url) == self.registry and request.url.path.startswith("/v2/")
        if not at_home:
            return httpx.Response(200, stream=_Json(b'{"token": "given"}'))
        if request.headers.get("authorization") == "Bearer given":
            return httpx.Response(200, stream=_Json(b""))
        challenge = f'Bearer realm="{self.realm}",service="s"'.encode()
        return httpx.Response(401, headers=[(b"WWW-Authenticate", challenge)], stream=_Json(b""))

    def carried(self) -> set[tuple[str, str, int | None]]:
        """The origins that were shown a secret, in whatever way."""
        return {
            origin(request.url)
            for request in self.requests
            if "authorization" in request.headers
            or SECRET in f"{request.url} {request.headers} {request.content!r}"
        }


class _Json(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


@pytest.mark.parametrize("secret", [ANN, IdentityToken(SECRET)], ids=["password", "identity token"])
@pytest.mark.parametrize(("registry", "realm", "token_hosts"), TRUSTED)
async def test_token_service_is_trusted(
    registry: str, realm: str, token_hosts: tuple[str, ...], secret: Secret
):
    """By https, on the registry's own host where that is http, or by name."""
    everyone = Everyone(registry, realm)
    client = RegistryClient(registry, everyone, credentials=FixedCredentials(secret), token_hosts=token_hosts)
    await client.ping(Errand())
    assert len(everyone.requests) == 3
    assert everyone.carried() == {everyone.registry, origin(httpx.URL(realm))}


@pytest.mark.parametrize("secret", [ANN, IdentityToken(SECRET)], ids=["password", "identity token"])
@pytest.mark.parametrize(("registry", "realm", "token_hosts"), REFUSED)
async def test_token_service_is_refused(
    registry: str, realm: str, token_hosts: tuple[str, ...], secret: Secret
):
    """Nothing at all is sent there, and the error says to whom a secret would have gone."""
    everyone = Everyone(registry, realm)
    client = RegistryClient(registry, everyone, credentials=FixedCredentials(secret), token_hosts=token_hosts)
    error = await error_of(client.ping(Errand()))
    assert isinstance(error, AuthenticationError)
    assert str(error).startswith("GET /v2/ was not asked: the registry names a token service that is ")
    assert {origin(request.url) for request in everyone.requests} == {everyone.registry}
    assert everyone.carried() <= {everyone.registry}


@pytest.mark.parametrize(
    ("realm", "shown"),
    [
        ("http://evil.example/token?x=1", "'http://evil.example'"),
        ("http://ann:pw@evil.example:81/", "'http://evil.example:81'"),
        ("ftp://registry.example/", "'ftp://registry.example'"),
        ("http://" + "x" * 200 + ".example/", "'http://" + "x" * 68 + "...'"),
        ("/token", "'://'"),
    ],
)
async def test_refusal_names_the_origin_and_no_more(realm: str, shown: str):
    """Neither a user nor a query, and no more than a line."""
    client = RegistryClient(HTTP, Everyone(HTTP, realm), credentials=ANN)
    assert str(await error_of(client.ping(Errand()))) == (
        f"GET /v2/ was not asked: the registry names a token service that is not trusted: {shown}"
    )
