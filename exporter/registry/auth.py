"""Proving to a registry who asks: Basic, or a bearer token from the registry's token service.

Follows the distribution specification's "Token Authentication" and "OAuth2 Token Authentication".
"""

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import httpx

from exporter.registry.challenges import Challenge, parse_challenges
from exporter.registry.credentials import (
    Credentials,
    CredentialsError,
    CredentialSource,
    IdentityToken,
    RegistryToken,
    Secret,
)
from exporter.registry.errors import AuthenticationError, path_of

CLIENT_ID: Final = "registry-integrity-exporter"

_DEFAULT_LIFETIME: Final = 60.0  # seconds, where a token service does not tell
_LONGEST_LIFETIME: Final = 24 * 3600.0
_SAFETY: Final = 10.0  # renewed so much earlier, for clocks and networks that are slow
_MANY_TOKENS: Final = 1000
_TOKEN_FORM: Final = re.compile(r"[\x21-\x7e]{1,65536}")
# What a registry may make us ask for beyond `pull`: Azure's lists of tags need it.
_HARMLESS_ACTIONS: Final = frozenset({"pull", "metadata_read"})
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """A request to a token service; `headers` and `body` hold the secret, so neither is in a `repr`."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token service's answer."""

    status: int
    body: bytes = field(repr=False)


AskTokenService: TypeAlias = Callable[[TokenQuestion], Awaitable[TokenAnswer]]


@dataclass(slots=True)
class _Token:
    header: str
    expires_at: float
    worked: bool = False


@dataclass(frozen=True, slots=True)
class _TokenService:
    realm: httpx.URL
    service: str


class Authentication:
    """Which `Authorization` header goes with which request to a registry's own origin.

    A header is for one repository: empty for the catalog, None for the registry's root. Credentials go to
    the registry itself as Basic until it names a token service; then to that alone.
    """

    def __init__(self, url: httpx.URL, source: CredentialSource, token_hosts: Iterable[str] = ()) -> None:
        """Authenticate at the registry at `url`; at `token_hosts` a token service is trusted by name."""
        self._url = url
        self._source = source
        self._token_hosts = frozenset(token_hosts)
        self._service: _TokenService | None = None
        self._actions = {"pull"}
        self._tokens: dict[str | None, _Token] = {}
        self._locks: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()
        self._basic: dict[str | None, str | None] = {}

    async def header(self, repository: str | None, ask: AskTokenService) -> str | None:
        """Give the header for a request; None: anonymous.

        Raises:
            AuthenticationError: there is no token to be had.
        """
        if self._service is None:
            if repository not in self._basic:
                self._basic[repository] = _as_header(await self._find(repository))
            return self._basic[repository]
        token = self._tokens.get(repository)
        if token is None or token.expires_at <= asyncio.get_running_loop().time():
            token = await self._renew(repository, self._service, ask)
        return token.header

    def worked(self, repository: str | None, header: str) -> None:
        """Take note that a header was accepted."""
        token = self._tokens.get(repository)
        if token is not None and token.header == header:
            token.worked = True

    async def challenged(self, headers: Iterable[str], repository: str | None, sent: str | None) -> bool:
        """Learn from a 401's `WWW-Authenticate` headers; tell whether asking again may help.

        A token that worked before is renewed once. One that never did is not: whoever gave it would give the
        same again, for every reference.

        Raises:
            AuthenticationError: the token service is not to be trusted.
        """
        challenges = parse_challenges(headers)
        bearer = next(
            (one for one in challenges if one.scheme == "bearer" and "realm" in one.parameters), None
        )
        if bearer is None:
            self._basic.pop(repository, None)
            renewed = _as_header(await self._find(repository))  # a rotated password
            self._basic[repository] = renewed
            return renewed is not None and renewed != sent
        more_actions = self._learn(bearer, repository)
        token = self._tokens.get(repository)
        if token is None or token.header != sent:
            return True
        if token.worked or more_actions:
            del self._tokens[repository]
            return True
        return False

    def _learn(self, bearer: Challenge, repository: str | None) -> bool:
        realm = self._trusted(bearer.parameters["realm"])
        self._service = _TokenService(realm, bearer.parameters.get("service", ""))
        wanted: set[str] = set()
        for scope in bearer.parameters.get("scope", "").split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            if kind == "repository" and name == repository:
                wanted |= _HARMLESS_ACTIONS.intersection(actions.split(","))
        new = wanted - self._actions
        self._actions |= new
        return bool(new)

    def _trusted(self, text: str) -> httpx.URL:
        """Check where a secret would go: to https, or to the same host when the registry itself is http."""
        try:
            realm = httpx.URL(text)
        except (httpx.InvalidURL, ValueError) as error:
            raise AuthenticationError("GET", "", "names a token service that is no address") from error
        same_host = self._url.scheme == "http" and realm.host == self._url.host
        by_name = realm.host in self._token_hosts and realm.scheme in {"http", "https"}
        if realm.userinfo or not realm.host or not (realm.scheme == "https" or same_host or by_name):
            raise AuthenticationError(
                "GET", "", f"names a token service that is not trusted: {realm.scheme}://{realm.host}"
            )
        return realm

    async def _find(self, repository: str | None) -> Secret | None:
        try:
            return await self._source.find(repository or "")
        except CredentialsError as error:
            raise AuthenticationError("GET", "", f"has no credentials: {error}") from error

    async def _renew(self, repository: str | None, service: _TokenService, ask: AskTokenService) -> _Token:
        # One request for one scope, however many wait for it.
        async with self._locks.setdefault(repository, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            token = self._tokens.get(repository)
            if token is None or token.expires_at <= now:
                self._forget_expired(now)
                token = await self._fetch(repository, service, ask)
                self._tokens[repository] = token
            return token

    def _forget_expired(self, now: float) -> None:
        if len(self._tokens) >= _MANY_TOKENS:
            self._tokens = {name: token for name, token in self._tokens.items() if token.expires_at > now}

    async def _fetch(self, repository: str | None, service: _TokenService, ask: AskTokenService) -> _Token:
        secret = await self._find(repository)
        if isinstance(secret, RegistryToken):
            return _Token(f"Bearer {secret.token}", math.inf)
        question = self._question(secret, repository, service)
        answer = await ask(question)
        if answer.status != _OK:
            raise AuthenticationError(
                question.method, path_of(question.url), f"answered {answer.status}", status=answer.status
            )
        text, lifetime = _parse_token(answer.body, question)
        now = asyncio.get_running_loop().time()
        return _Token(f"Bearer {text}", now + max(lifetime - _SAFETY, lifetime / 2))

    def _question(
        self, secret: Secret | None, repository: str | None, service: _TokenService
    ) -> TokenQuestion:
        parameters = {"service": service.service} if service.service else {}
        scope = self._scope(repository)
        if scope is not None:
            parameters["scope"] = scope
        if isinstance(secret, IdentityToken):
            parameters |= {
                "grant_type": "refresh_token",
                "refresh_token": secret.token,
                "client_id": CLIENT_ID,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return TokenQuestion("POST", service.realm, headers, urlencode(parameters).encode())
        headers = {}
        if isinstance(secret, Credentials):
            parameters["account"] = secret.username
            headers["Authorization"] = secret.basic
        return TokenQuestion("GET", service.realm.copy_merge_params(parameters), headers)

    def _scope(self, repository: str | None) -> str | None:
        if repository is None:
            return None
        if not repository:
            return "registry:catalog:*"
        return f"repository:{repository}:{','.join(sorted(self._actions))}"


def _as_header(secret: Secret | None) -> str | None:
    match secret:
        case Credentials():
            return secret.basic
        case RegistryToken():
            return f"Bearer {secret.token}"
        case _:  # an identity token is for a token service alone
            return None


def _parse_token(body: bytes, question: TokenQuestion) -> tuple[str, float]:
    wrong = AuthenticationError(question.method, path_of(question.url), "answered with what is no token")
    try:
        document: Any = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(document, dict):
        raise wrong
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or not _TOKEN_FORM.fullmatch(token):
        raise wrong
    lifetime = document.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < math.inf:
        lifetime = _DEFAULT_LIFETIME
    return token, min(float(lifetime), _LONGEST_LIFETIME)
