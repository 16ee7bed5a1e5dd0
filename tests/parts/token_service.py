"""A token service as registries trust them: it signs JSON Web Tokens that a real docker-registry verifies.

After the distribution specification's "Token Authentication" and "OAuth2 Token Authentication".
"""

import base64
import math
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
from aiohttp import BasicAuth, web

from tests.parts.certificates import Authority, Pair

ISSUER = "tests"
SERVICE = "registry of the tests"
_LEEWAY = 60  # seconds that docker-registry adds to the end of every token


@dataclass(frozen=True)
class TokenRequest:
    """What somebody asked for: `user` is empty for nobody, and `grant` for a `GET`."""

    scope: str
    user: str
    grant: str = ""


@dataclass
class TokenService:
    """Gives tokens to its users, or to anyone where it has none.

    A token lasts `lifetime` seconds, by what is said to the client and, to the second, by the registry's
    clock. `denied` are the scopes that no token is good for; `refused` says what is answered instead of a
    token, where that is not None.
    """

    signing: Pair
    roots: Path
    url: str = ""
    users: dict[str, str] = field(default_factory=dict)
    identity_tokens: dict[str, str] = field(default_factory=dict)
    lifetime: float = 60.0
    denied: set[str] = field(default_factory=set)
    refused: Callable[[TokenRequest], int | None] = lambda _request: None
    requests: list[TokenRequest] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    @property
    def registry_options(self) -> dict[str, Any]:
        """How a docker-registry is told to trust it."""
        options = {
            "realm": f"{self.url}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self.roots),
        }
        return {"auth": {"token": options}}

    @property
    def scopes(self) -> Counter[str]:
        """How often each scope was asked for."""
        return Counter(request.scope for request in self.requests)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/token":
            return web.Response(status=404)
        asked = await self._identify(request)
        if asked is None:
            return web.json_response({"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, status=401)
        self.requests.append(asked)
        status = self.refused(asked)
        if status is not None:
            return web.Response(status=status)
        token = self._sign(asked)
        self.given.append(token)
        return web.json_response({"token": token, "access_token": token, "expires_in": self.lifetime})

    async def _identify(self, request: web.BaseRequest) -> TokenRequest | None:
        if request.method == "POST":
            form = dict(parse_qsl((await request.read()).decode()))
            user = self.identity_tokens.get(form.get("refresh_token", ""))
            if form.get("service") != SERVICE or form.get("grant_type") != "refresh_token" or user is None:
                return None
            return TokenRequest(form.get("scope", ""), user, "refresh_token")
        if request.query.get("service") != SERVICE:
            return None
        scope = request.query.get("scope", "")
        header = request.headers.get("Authorization")
        if header is None:
            return TokenRequest(scope, "")
        who = BasicAuth.decode(header, "utf-8")
        return TokenRequest(scope, who.login) if self.users.get(who.login) == who.password else None

    def _sign(self, asked: TokenRequest) -> str:
        now = time.time()
        kind, _, rest = asked.scope.partition(":")
        name, _, actions = rest.rpartition(":")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}]
        allowed = bool(asked.scope) and asked.scope not in self.denied and (asked.user or not self.users)
        claims = {
            "iss": ISSUER,
            "sub": asked.user,
            "aud": SERVICE,
            "iat": int(now),
            "nbf": int(now) - 1,
            "exp": math.ceil(now + self.lifetime) - _LEEWAY,
            "jti": f"{now}",
            "access": access if allowed else [],
        }
        certificate = ssl.PEM_cert_to_DER_cert(_first(self.signing.certificate.read_text("ascii")))
        chain = [base64.b64encode(certificate).decode("ascii")]
        key = self.signing.key.read_text("ascii")
        return jwt.encode(claims, key, algorithm="ES256", headers={"x5c": chain})


def _first(pem: str) -> str:
    end = "-----END CERTIFICATE-----\n"
    return pem.partition(end)[0] + end


@asynccontextmanager
async def serve_tokens(folder: Path, tls: ssl.SSLContext | None = None) -> AsyncIterator[TokenService]:
    """Serve on a loopback port of the system's choice, signing with a key of its own."""
    authority = Authority(folder)
    service = TokenService(authority.issue("tokens.example"), authority.file)
    runner = web.ServerRunner(web.Server(service.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()
