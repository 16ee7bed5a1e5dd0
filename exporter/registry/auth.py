"""Proving to a registry who asks: Basic, or a bearer token from the registry's token service.

Follows the distribution specification's "Token Authentication" and "OAuth2 Token Authentication".
"""

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import httpx

from exporter.oci import quoted
from exporter.registry.addresses import is_web_address, names_of
from exporter.registry.challenges import Challenge, parse_challenges
from exporter.registry.credentials import (
    Credentials,
    CredentialsError,
    CredentialSource,
    IdentityToken,
    RegistryToken,
    Secret,
)
from exporter.registry.errors import ConnectionFailedError, ProtocolError, RegistryError, TimedOutError
from exporter.registry.pacing import is_refusal, is_unavailable

CLIENT_ID: Final = "registry-integrity-exporter"
PATIENCE: Final = 10.0  # seconds for which a refusal stands before it is asked for again

_DEFAULT_LIFETIME: Final = 60.0  # seconds, where a token service does not tell
_LONGEST_LIFETIME: Final = 24 * 3600.0
_SAFETY: Final = 10.0  # renewed so much earlier, for clocks and networks that are slow
_SECRET_LIFETIME: Final = 60.0  # after which a secret's source is asked again: it may have been rotated
_MANY_SCOPES: Final = 1000
_TOKEN_FORM: Final = re.compile(r"[\x21-\x7e]{1,65536}")
# What a registry may make us ask for beyond `pull`: Azure's lists of tags need it.
_HARMLESS_ACTIONS: Final = frozenset({"pull", "metadata_read"})


class DeniedError(Exception):
    """There is no way in; `trouble` is how the token service failed, None where it was not asked."""

    def __init__(self, detail: str, trouble: RegistryError | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """A request to a token service; `headers` and `body` hold the secret, so neither is in a `repr`."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """What errors call it by: where it goes, without its query."""
        return str(self.url.copy_with(query=None))


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token service's successful answer; `date` is the header of that name."""

    body: bytes = field(repr=False)
    date: str | None = None


# Raises `RegistryError` where there is no successful answer, not even after asking again.
AskTokenService: TypeAlias = Callable[[TokenQuestion], Awaitable[TokenAnswer]]


@dataclass(frozen=True, slots=True)
class _TokenService:
    realm: httpx.URL
    service: str


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a registry demands: None for Basic; else what to ask the token service for.

    `prefix` is what that calls a repository before its name here.
    """

    service: _TokenService | None = None
    prefix: str = ""
    actions: frozenset[str] = frozenset({"pull"})

    def scope(self, repository: str | None) -> str | None:
        """Write a scope; the registry's root needs none."""
        if repository is None:
            return None
        if not repository:
            return "registry:catalog:*"
        return f"repository:{self.prefix}{repository}:{','.join(sorted(self.actions))}"


_BASIC: Final = _Terms()


@dataclass(slots=True)
class Grant:
    """The header that goes with requests, None where they are anonymous.

    It is good until `expires_at`, by the loop's clock; `worked` says that the registry has accepted it.
    """

    header: str | None = field(repr=False)
    expires_at: float
    terms: _Terms
    worked: bool = False
    refused: bool = False  # and never worked


@dataclass(frozen=True, slots=True)
class _Denial:
    """Why there is no grant, and until when that is not tried again."""

    detail: str
    trouble: RegistryError | None
    until: float


@dataclass(slots=True)
class _Scope:
    """What is known of the way in to one repository, to the catalog, or to the registry's root."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    grant: Grant | None = None
    denial: _Denial | None = None
    futile_until: float = -math.inf  # a new grant would be refused as the last one was

    def good_grant(self, now: float) -> Grant | None:
        """The grant, unless another one is due. One that was refused is as good as the next would be."""
        if self.grant is None:
            return None
        ends = self.futile_until if self.grant.refused else self.grant.expires_at
        return self.grant if ends > now else None

    def useless(self, now: float) -> bool:
        """Whether forgetting it loses nothing."""
        denied = self.denial is not None and self.denial.until > now
        asked_for = self.good_grant(now) is not None or self.lock.locked()
        return not (asked_for or denied or self.futile_until > now)


class Authentication:
    """Which `Authorization` header goes with which request to a registry's own origin.

    A header is for one repository: empty for the catalog, None for the registry's root. Credentials go to
    the registry itself as Basic until it names a token service; then to that alone.
    """

    def __init__(self, url: httpx.URL, source: CredentialSource, token_hosts: Iterable[str] = ()) -> None:
        """Authenticate at the registry at `url`; at `token_hosts` a token service is trusted by name."""
        self._url = url
        self._source = source
        self._token_hosts = frozenset(host.lower() for host in token_hosts)
        self._terms = _BASIC
        self._outage: _Denial | None = None  # the token service cannot be reached, for any scope
        self._scopes: dict[str | None, _Scope] = {}
        self._tidy_at = _MANY_SCOPES

    def ready(self, repository: str | None) -> Grant | None:
        """Give what was granted for a repository, where that is good."""
        scope = self._scopes.get(repository)
        return None if scope is None else scope.good_grant(_now())

    async def grant(self, repository: str | None, ask: AskTokenService) -> Grant:
        """Give what is granted for a repository; ask for it where that is to be done.

        Raises:
            DeniedError: there is none to be had.
        """
        scope = self._scope(repository)
        return scope.good_grant(_now()) or await self._renew(repository, scope, ask)

    def worked(self, repository: str | None, sent: str | None) -> None:
        """Take note that a header was accepted."""
        grant = self._scope(repository).grant
        if grant is not None and grant.header == sent:
            grant.worked, grant.refused = True, False

    async def challenged(
        self, headers: Iterable[str], repository: str | None, sent: str | None, ask: AskTokenService
    ) -> bool:
        """Learn from a 401's `WWW-Authenticate` headers; tell whether asking again may help.

        A grant that worked before is renewed once. One that never did is not: whoever gave it would give the
        same again, for every reference.

        Raises:
            DeniedError: the token service is not to be trusted, or gives no token.
        """
        self._learn(parse_challenges(headers), repository)
        scope, now = self._scope(repository), _now()
        grant = scope.grant
        if grant is not None and grant.header == sent:
            if scope.futile_until > now:
                return False
            if not (grant.worked or grant.terms != self._terms or self._terms.service is None):
                self.refused(repository, sent)
                return False
            scope.grant = None
        if (await self.grant(repository, ask)).header != sent:
            return True
        self.refused(repository, sent)  # the same secret, or the same token
        return False

    def refused(self, repository: str | None, sent: str | None) -> None:
        """Take note that a header was refused that was fresh: another would be, too."""
        scope = self._scope(repository)
        scope.futile_until = _now() + PATIENCE
        if scope.grant is not None and scope.grant.header == sent:
            scope.grant.refused = not scope.grant.worked

    def _scope(self, repository: str | None) -> _Scope:
        scope = self._scopes.get(repository)
        if scope is None:
            if len(self._scopes) >= self._tidy_at:
                now = _now()
                self._scopes = {name: one for name, one in self._scopes.items() if not one.useless(now)}
                self._tidy_at = max(_MANY_SCOPES, 2 * len(self._scopes))
            scope = self._scopes[repository] = _Scope()
        return scope

    def _learn(self, challenges: tuple[Challenge, ...], repository: str | None) -> None:
        bearer = next(
            (one for one in challenges if one.scheme == "bearer" and "realm" in one.parameters), None
        )
        if bearer is None:
            if any(one.scheme == "basic" for one in challenges):
                self._terms = _BASIC
            return
        realm = self._trusted(bearer.parameters["realm"])
        service = _TokenService(realm, bearer.parameters.get("service", ""))
        prefix, wanted = self._terms.prefix, self._terms.actions
        for demanded in bearer.parameters.get("scope", "").split():
            kind, _, rest = demanded.partition(":")
            name, _, actions = rest.rpartition(":")
            # Below a path a registry's own names of its repositories may be longer.
            if kind == "repository" and repository and f"/{name}".endswith(f"/{repository}"):
                prefix = name.removesuffix(repository)
                wanted |= _HARMLESS_ACTIONS.intersection(actions.split(","))
        self._terms = _Terms(service, prefix, wanted)

    def _trusted(self, text: str) -> httpx.URL:
        """Check where a secret would go: to https, or to the same host when the registry itself is http."""
        try:
            realm = httpx.URL(text)
        except (httpx.InvalidURL, ValueError):  # no cause: it would repeat the text
            raise DeniedError("the registry names a token service that is no address") from None
        by_name = not self._token_hosts.isdisjoint(names_of(realm))
        same_host = self._url.scheme == "http" and realm.host == self._url.host
        trusted = realm.scheme == "https" or same_host or by_name
        if not trusted or not is_web_address(realm) or realm.userinfo:
            where = quoted(f"{realm.scheme}://{realm.netloc.decode('ascii')}")
            raise DeniedError(f"the registry names a token service that is not trusted: {where}")
        return realm

    async def _renew(self, repository: str | None, scope: _Scope, ask: AskTokenService) -> Grant:
        # One request for one scope, however many wait for it; and what failed is not tried for each of them.
        async with scope.lock:
            now = _now()
            grant = scope.good_grant(now)
            if grant is not None:
                return grant
            for denial in (self._outage if self._terms.service is not None else None, scope.denial):
                if denial is not None and denial.until > now:
                    raise DeniedError(denial.detail, denial.trouble)
            try:
                grant = await self._obtain(repository, ask)
            except DeniedError as error:
                grant = self._make_do(scope, error)
            scope.grant = grant
            return grant

    def _make_do(self, scope: _Scope, error: DeniedError) -> Grant:
        """Go on with a secret that worked when its source fails; anything else is a denial for a while."""
        soon, old = _now() + PATIENCE, scope.grant
        if error.trouble is None and old is not None and old.worked and old.terms == self._terms == _BASIC:
            return replace(old, expires_at=soon)
        scope.grant, scope.denial = None, _Denial(error.detail, error.trouble, soon)
        lost = isinstance(error.trouble, TimedOutError | ConnectionFailedError)
        if error.trouble is not None and (lost or is_refusal(error.trouble) or is_unavailable(error.trouble)):
            self._outage = scope.denial
        raise error

    async def _obtain(self, repository: str | None, ask: AskTokenService) -> Grant:
        try:
            secret = await self._source.find(repository or "")
        except CredentialsError as error:
            raise DeniedError(f"there are no credentials: {error}") from error
        terms = self._terms
        if terms.service is None or isinstance(secret, RegistryToken):
            return Grant(_as_header(secret), _now() + _SECRET_LIFETIME, terms)
        question = _question(secret, terms.service, terms.scope(repository))
        try:
            answer = await ask(question)
            token, lifetime = _parse_token(answer, question)
        except RegistryError as error:
            raise DeniedError(f"token service: {error}", error) from error
        return Grant(f"Bearer {token}", _now() + max(lifetime - _SAFETY, lifetime / 2), terms)


def _question(secret: Secret | None, service: _TokenService, scope: str | None) -> TokenQuestion:
    named = {"service": service.service, "scope": scope}
    parameters = {name: value for name, value in named.items() if value}
    if isinstance(secret, IdentityToken):
        parameters |= {"grant_type": "refresh_token", "refresh_token": secret.token, "client_id": CLIENT_ID}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return TokenQuestion("POST", service.realm, headers, urlencode(parameters).encode())
    headers = {}
    if isinstance(secret, Credentials):
        parameters["account"] = secret.username
        headers["Authorization"] = secret.basic
    return TokenQuestion("GET", service.realm.copy_merge_params(parameters), headers)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _is_https(url: httpx.URL) -> bool:
    return url.scheme == "https"


def _is_http(url: httpx.URL) -> bool:
    return url.scheme == "http"


def _as_header(secret: Secret | None) -> str | None:
    match secret:
        case Credentials():
            return secret.basic
        case RegistryToken():
            return f"Bearer {secret.token}"
        case _:  # an identity token is for a token service alone
            return None


def _parse_token(answer: TokenAnswer, question: TokenQuestion) -> tuple[str, float]:
    """Read a token and for how many seconds it is good from now on."""
    wrong = ProtocolError(question.method, question.path, "answered with what is no token")
    try:
        document: Any = json.loads(answer.body.decode())
    except (ValueError, RecursionError):  # no cause: it holds the answer
        raise wrong from None
    if not isinstance(document, dict):
        raise wrong
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or not _TOKEN_FORM.fullmatch(token):
        raise wrong
    lifetime = document.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < math.inf:
        lifetime = _DEFAULT_LIFETIME
    lifetime = min(float(lifetime), _LONGEST_LIFETIME)
    return token, max(lifetime - _age(document.get("issued_at"), answer.date), 0.0)


def _age(issued_at: object, date: str | None) -> float:
    """Tell how old a token is that was issued before it was asked for, by the service's own clock alone."""
    with suppress(ValueError, TypeError, OverflowError):
        issued = datetime.fromisoformat(issued_at if isinstance(issued_at, str) else "")
        return max((parsedate_to_datetime(date or "") - issued).total_seconds(), 0.0)
    return 0.0
