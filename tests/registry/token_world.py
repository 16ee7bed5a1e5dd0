"""A registry and its token service that are a transport: no sockets, so that time can be virtual.

Tokens are real in what matters: each is for one scope, ends by the clock of whoever looks at it, and can be
revoked.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx

from exporter.oci import Digest
from exporter.registry import (
    Credentials,
    CredentialSource,
    Errand,
    RegistryClient,
    RegistryError,
    RequestObserver,
)

REGISTRY = "https://registry.example"
REALM = "https://auth.example/token"
DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
Trouble = Callable[[httpx.Request], httpx.Response]


@dataclass
class Token:
    scope: str
    accepted_until: float
    revoked: bool = False


@dataclass
class TokenService:
    """`lifetime` is what it tells, `accepted_for` for how long the registry takes its tokens."""

    lifetime: float | None = 300.0
    accepted_for: float | None = None
    users: dict[str, str] = field(default_factory=dict)
    identity_tokens: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    trouble: Trouble | None = None
    more: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    slowness: float = 0.0
    tokens: dict[str, Token] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(self.slowness)
        if self.trouble is not None:
            return self.trouble(request)
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        authorization = request.headers.get("authorization")
        if request.method == "POST":
            known = form["refresh_token"] in self.identity_tokens
            scope = form.get("scope", "")
        else:
            user, _, password = _pair(authorization)
            known = authorization is None or self.users.get(user) == password
            scope = request.url.params.get("scope", "")
        if not known:
            return httpx.Response(401, json={"errors": [{"code": "UNAUTHORIZED"}]})
        name = f"token-{len(self.tokens)}"
        lasts = self.accepted_for if self.accepted_for is not None else self.lifetime or 60.0
        useless = authorization is None and bool(self.users)
        granted = "" if scope in self.denied or useless else scope
        self.tokens[name] = Token(granted, asyncio.get_running_loop().time() + lasts)
        document = {"token": name, **({} if self.lifetime is None else {"expires_in": self.lifetime})}
        return httpx.Response(200, json={**document, **self.more}, headers=self.headers)

    def revoke_all(self) -> None:
        for token in self.tokens.values():
            token.revoked = True

    @property
    def scopes(self) -> list[str]:
        """The scope of each request, in order."""
        return [
            request.url.params.get("scope") or parse_qs(request.content.decode()).get("scope", [""])[0]
            for request in self.requests
        ]


def _pair(authorization: str | None) -> tuple[str, str, str]:
    scheme, _, pair = (authorization or "").partition(" ")
    return base64.b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")


@dataclass
class World(httpx.AsyncBaseTransport):
    """What answers for every host; `asked` has each request to the registry, in order.

    `demand` is the scheme that the registry wants. `refuses` says that it denies a path whatever the token.
    """

    service: TokenService = field(default_factory=TokenService)
    demand: str = "bearer"
    users: dict[str, str] = field(default_factory=dict)
    fixed_token: str | None = None
    actions: str = "pull"
    prefix: str = ""
    challenge: list[str] | None = None
    refuses: Callable[[str], bool] = lambda _path: False
    asked: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await asyncio.sleep(0)
        if request.url.host != "registry.example":
            answer = await self.service.answer(request)
        else:
            self.asked.append(request)
            answer = self._answer(request)
        # As from a server: the body is still to come.
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_Body(answer.content))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        scope = self._scope(request.url.path)
        if not self._lets_in(request.headers.get("authorization"), scope) or self.refuses(request.url.path):
            return httpx.Response(401, headers=[("WWW-Authenticate", text) for text in self._demands(scope)])
        if request.url.path.endswith("/_catalog"):
            return httpx.Response(200, json={"repositories": ["app"]})
        if request.url.path.endswith("/tags/list"):
            return httpx.Response(200, json={"tags": ["v1"]})
        return httpx.Response(200, headers={"Content-Length": "7"})

    def _lets_in(self, authorization: str | None, scope: str) -> bool:
        scheme, _, credentials = (authorization or "").partition(" ")
        if self.demand == "none":
            return True
        if self.demand == "basic":
            user, _, password = _pair(authorization)
            return scheme == "Basic" and self.users.get(user) == password
        if self.fixed_token is not None:
            return scheme == "Bearer" and credentials == self.fixed_token
        token = self.service.tokens.get(credentials)
        if scheme != "Bearer" or token is None or token.revoked:
            return False
        return token.accepted_until > asyncio.get_running_loop().time() and token.scope == scope

    def _demands(self, scope: str) -> list[str]:
        if self.challenge is not None:
            return self.challenge
        if self.demand == "basic":
            return ['Basic realm="registry"']
        return [f'Bearer realm="{REALM}",service="registry.example"' + (f',scope="{scope}"' if scope else "")]

    def _scope(self, path: str) -> str:
        rest = path.removeprefix("/v2/")
        if rest in {"", "_catalog"}:
            return "registry:catalog:*" if rest else ""
        for separator in ("/tags/", "/manifests/", "/blobs/"):
            rest = rest.partition(separator)[0]
        return f"repository:{self.prefix}{rest}:{self.actions}"

    @property
    def seen(self) -> list[tuple[str, str | None]]:
        """The path and the header of each request to the registry."""
        return [(request.url.path, request.headers.get("authorization")) for request in self.asked]


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class Told(RequestObserver):
    """Counts what an observer is told."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()

    def requested(self, method: str, code: str, seconds: float) -> None:  # noqa: ARG002
        self.codes[f"{method} {code}"] += 1

    def retried(self, reason: str) -> None:
        self.retries[reason] += 1


@dataclass
class Visitor:
    """Asks a world's registry, and tells how that ended: `""`, or the error's whole message."""

    world: World
    credentials: CredentialSource | Credentials | None = None
    token_hosts: tuple[str, ...] = ()
    url: str = REGISTRY

    def __post_init__(self) -> None:
        self.told = Told()
        self.errand = Errand()
        self.client = RegistryClient(
            self.url,
            self.world,
            credentials=self.credentials,
            token_hosts=self.token_hosts,
            observer=self.told,
        )

    async def blob(self, repository: str = "app") -> str:
        return await self._outcome(self.client.head_blob(repository, DIGEST, self.errand))

    async def manifest(self, repository: str = "app") -> str:
        return await self._outcome(self.client.head_manifest(repository, "v1", self.errand))

    async def tags(self, repository: str = "app") -> str:
        return await self._outcome(self.client.tags(repository, self.errand))

    async def catalog(self) -> str:
        return await self._outcome(self.client.catalog(self.errand))

    async def ping(self) -> str:
        return await self._outcome(self.client.ping(self.errand))

    async def blobs(self, number: int, repository: str = "app") -> Counter[str]:
        """Ask for so many at once; count the outcomes."""
        return Counter(await asyncio.gather(*(self.blob(repository) for _ in range(number))))

    @staticmethod
    async def _outcome(asking: object) -> str:
        try:
            await asking  # type: ignore[misc]
        except RegistryError as error:
            return str(error)
        return ""


def says(status: int, **document: object) -> Trouble:
    """Let a token service answer so."""
    return lambda _request: httpx.Response(status, content=json.dumps(document).encode())


def raises(error: Exception) -> Trouble:
    """Let a connection to the token service end so."""

    def trouble(_request: httpx.Request) -> httpx.Response:
        raise error

    return trouble
