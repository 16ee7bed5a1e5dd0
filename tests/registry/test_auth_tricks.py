"""Where a secret goes, proved by recording servers: to the registry's origin and its token service alone.

Every trick is played on a password that the registry or its token service wants, on an identity token and on
a token of the operator's. The registry is `127.0.0.1:R`, its token service `127.0.0.1:T`. A stranger listens
on `127.0.0.1:S`; and `localhost:R` and the like are strangers, too, though the same machine answers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from exporter.oci import Digest
from exporter.registry import (
    Credentials,
    Errand,
    FixedCredentials,
    RegistryClient,
    RegistryError,
    open_client,
)
from exporter.registry.credentials import IdentityToken, RegistryToken, Secret
from tests.registry.recording import Recorded, Recorder, Say, record

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
SECRET = "s3cr3t"
GIVEN = "g1v3n-t0k3n"
BLOB = f"/v2/app/blobs/{DIGEST}"
PAGE = b'{"repositories": ["app"], "tags": ["v1"]}'


def redirect(location: str, status: int = 307) -> Say:
    return Say(status, headers=(("Location", location),))


def data(request: Recorded) -> Say:
    if "range" in request.headers:
        return Say(206, b"x", (("Content-Range", "bytes 6-6/7"),))
    return Say(body=b"x" * 7)


def challenge(*texts: str) -> Say:
    return Say(401, headers=tuple(("WWW-Authenticate", text) for text in texts))


@dataclass
class Stage:
    """The three servers, and the addresses by which the tricks call them."""

    registry: Recorder
    tokens: Recorder
    stranger: Recorder
    wants: str
    secret: Secret

    def name(self, text: str) -> str:
        """Fill in the ports, and the origins in full."""
        ports = {"R": self.registry.port, "T": self.tokens.port, "S": self.stranger.port}
        for letter, port in ports.items():
            text = text.replace(f"{{{letter}}}", str(port))
        return text

    @property
    def url(self) -> str:
        return self.name("http://127.0.0.1:{R}")

    def realm(self) -> str:
        return self.name('Bearer realm="http://127.0.0.1:{T}/token",service="s"')

    def lets_in(self, request: Recorded) -> bool:
        """As the registry does; whoever comes by another name is let in, too, to see what he brings."""
        if request.host != self.name("127.0.0.1:{R}"):
            return True
        scheme = (request.authorization or "").partition(" ")[0]
        return scheme.lower() == self.wants

    def demand(self) -> Say:
        return challenge('Basic realm="registry"' if self.wants == "basic" else self.realm())

    def play(self, act: Callable[[Recorded], Say | None]) -> None:
        """Let the registry do this once it let someone in, where that is not None."""

        def answer(request: Recorded) -> Say:
            if not self.lets_in(request):
                return self.demand()
            is_data = "/blobs/" in request.path or "data" in request.path
            return act(request) or (data(request) if is_data else Say(body=PAGE))

        self.registry.answering = answer

    def send_away(self, location: str, status: int = 307) -> None:
        """Let the registry send whoever asks for a blob elsewhere."""
        target = redirect(self.name(location), status)
        self.play(lambda request: target if request.path == BLOB else None)

    def assert_safe(self) -> None:
        """No request to another origin carried a secret; that to the registry or its token service did."""
        trusted = {self.name("127.0.0.1:{R}"), self.name("127.0.0.1:{T}")}
        everyone = [*self.registry.requests, *self.tokens.requests, *self.stranger.requests]
        shown = [
            f"{request.method} {request.host} {request.target}"
            for request in everyone
            if request.host not in trusted
            and (
                {"authorization", "proxy-authorization", "cookie"} & set(request.headers)
                or SECRET in request
                or GIVEN in request
                or Credentials("ann", SECRET).basic in request
            )
        ]
        assert shown == []
        assert any(
            request.authorization or SECRET in request for request in everyone if request.host in trusted
        )


def token(request: Recorded) -> Say:
    return Say(body=b'{"token": "%s"}' % GIVEN.encode() if request.path == "/token" else b"{}")


CASES: dict[str, tuple[str, Secret]] = {
    "password for the registry": ("basic", Credentials("ann", SECRET)),
    "password for the token service": ("bearer", Credentials("ann", SECRET)),
    "identity token": ("bearer", IdentityToken(SECRET)),
    "registry token": ("bearer", RegistryToken(SECRET)),
}


@pytest.fixture(params=CASES)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    wants, secret = CASES[request.param]
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(record()) for _ in range(3)]
        servers[1].answering = token
        servers[2].answering = data
        yield Stage(*servers, wants=wants, secret=secret)


async def ask_everything(stage: Stage) -> list[str]:
    """Ask for one of everything; return the errors."""
    errors = []
    asked: list[Callable[[RegistryClient, Errand], Awaitable[object]]] = [
        lambda client, errand: client.last_byte("app", DIGEST, 7, errand),
        lambda client, errand: client.head_blob("app", DIGEST, errand),
        lambda client, errand: client.get_manifest("app", "v1", errand),
        lambda client, errand: client.tags("app", errand),
        lambda client, errand: client.catalog(errand),
        lambda client, errand: client.ping(errand),
    ]
    async with open_client(stage.url, credentials=FixedCredentials(stage.secret)) as client:
        for ask in asked:
            try:
                await ask(client, Errand())
            except RegistryError as error:
                errors.append(str(error))
    assert [SECRET in error or GIVEN in error for error in errors] == [False] * len(errors)
    return errors


# Where the registry sends us, by what it would be if it were trusted.
ELSEWHERE = {
    "another port": "http://127.0.0.1:{S}/data",
    "another name of the same machine": "http://localhost:{R}/data",
    "another name and another port": "http://localhost:{S}/data",
    "the name in capitals": "HTTP://LOCALHOST:{R}/data",
    "the name with a dot at its end": "http://localhost.:{R}/data",
    "a name below localhost": "http://registry.localhost:{R}/data",
    "the address, written short": "http://127.1:{R}/data",
    "the address as a number": "http://2130706433:{R}/data",
    "the address in octal": "http://0177.0.0.1:{R}/data",
    "the address within IPv6": "http://[::ffff:127.0.0.1]:{R}/data",
    "no scheme": "//127.0.0.1:{S}/data",
    "no scheme, and another name": "//localhost:{R}/data",
    "a user of its own": "http://ann:pw@127.0.0.1:{S}/data",
    "a user of its own, by another name": "http://ann:pw@localhost:{R}/data",
    "the registry as the user": "http://127.0.0.1:{R}@127.0.0.1:{S}/data",
    "the registry as user and password": "http://127.0.0.1:{R}@localhost:{R}/data",
    "the registry in a fragment": "http://127.0.0.1:{S}/data#@127.0.0.1:{R}/data",
    "the registry in a query": "http://127.0.0.1:{S}/data?@127.0.0.1:{R}/data",
    "the registry in the path": "http://127.0.0.1:{S}/data/127.0.0.1:{R}/data",
    "https at the registry's own port": "https://127.0.0.1:{R}/data",
    "https elsewhere": "https://127.0.0.1:{S}/data",
}


@pytest.mark.parametrize("where", ELSEWHERE)
async def test_redirect_elsewhere_carries_no_secret(where: str, stage: Stage):
    """Of any kind of request; the password of the address itself is not sent either."""
    target = redirect(stage.name(ELSEWHERE[where]))
    stage.play(lambda request: target if request.path.startswith("/v2/") else None)
    await ask_everything(stage)
    stage.assert_safe()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_of_any_status_carries_no_secret(status: int, stage: Stage):
    """The stranger is asked, so that this proves something."""
    stage.send_away("http://127.0.0.1:{S}/data", status)
    await ask_everything(stage)
    stage.assert_safe()
    assert {request.path for request in stage.stranger.requests} == {"/data"}


async def test_redirect_by_way_of_the_registry_itself_carries_no_secret(stage: Stage):
    """First within, then out."""
    hops = {BLOB: "/data/1", "/data/1": stage.name("http://127.0.0.1:{S}/data")}
    stage.play(lambda request: redirect(hops[request.path]) if request.path in hops else None)
    await ask_everything(stage)
    stage.assert_safe()


async def test_redirect_by_way_of_a_stranger_to_another_name_carries_no_secret(stage: Stage):
    """The stranger sends us back to the same machine."""
    stage.send_away("http://127.0.0.1:{S}/data")
    stage.stranger.answering = lambda _request: redirect(stage.name("http://localhost:{R}/data"))
    await ask_everything(stage)
    stage.assert_safe()


async def test_stranger_cannot_have_the_registrys_token_service_asked(stage: Stage):
    """He sends us to the realm, which is then a stranger, too: it is not the registry's origin."""
    stage.send_away("http://127.0.0.1:{S}/data")
    stage.stranger.answering = lambda _request: redirect(stage.name("http://127.0.0.1:{T}/data"))
    await ask_everything(stage)
    stage.assert_safe()
    astray = [request.authorization for request in stage.tokens.requests if request.path == "/data"]
    assert astray == [None] * 2


# What a stranger demands.
DEMANDS = {
    "a password": ['Basic realm="registry"'],
    "a token of his own": ['Bearer realm="http://127.0.0.1:{S}/token",service="s"'],
    "a token of his own by another name": ['Bearer realm="http://localhost:{S}/token"'],
    "a token of the registry's service": ['Bearer realm="http://127.0.0.1:{T}/token",service="s"'],
    "anything": ["Negotiate", 'Basic realm="x"', 'Bearer realm="http://127.0.0.1:{S}/token"'],
}


@pytest.mark.parametrize("demand", DEMANDS)
async def test_stranger_that_demands_a_secret_gets_none(demand: str, stage: Stage):
    """His challenge is not even read: the next request goes where the registry's own led."""
    stage.send_away("http://127.0.0.1:{S}/data")
    stage.stranger.answering = lambda _request: challenge(*map(stage.name, DEMANDS[demand]))
    errors = await ask_everything(stage)
    stage.assert_safe()
    assert {request.path for request in stage.stranger.requests} <= {"/data"}
    assert all("answered 401" in error for error in errors)


# What the registry itself demands.
REALMS = {
    "another name of its host": ['Bearer realm="http://localhost:{T}/token"'],
    "another name of its own address": ['Bearer realm="http://localhost:{R}/token"'],
    "the name in capitals": ['Bearer realm="HTTP://LOCALHOST:{R}/token"'],
    "the address, written short": ['Bearer realm="http://127.1:{R}/token"'],
    "the address within IPv6": ['Bearer realm="http://[::ffff:127.0.0.1]:{R}/token"'],
    "the registry as a user": ['Bearer realm="http://127.0.0.1:{R}@localhost:{S}/token"'],
    "a user of its own": ['Bearer realm="http://ann:pw@127.0.0.1:{S}/token"'],
    "no scheme": ['Bearer realm="//localhost:{S}/token"'],
    "several, the first elsewhere": ['Bearer realm="http://localhost:{S}/token"', 'Basic realm="x"'],
    "several in one header": ['Basic realm="x", Bearer realm="http://localhost:{S}/token"'],
    "twice": ['Bearer realm="http://localhost:{S}/token",realm="http://127.0.0.1:{T}/token"'],
    "within a quote": [r'Basic realm="x\", Bearer realm=\"http://localhost:{S}/token"'],
    "in a scheme nobody knows": ['Newer realm="http://localhost:{S}/token"'],
}


@pytest.mark.parametrize("realm", REALMS)
async def test_realm_elsewhere_gets_no_secret(realm: str, stage: Stage):
    """Nor is it asked at all."""
    stage.registry.answering = lambda _request: challenge(*map(stage.name, REALMS[realm]))
    assert len(await ask_everything(stage)) == 6
    others = [*stage.tokens.requests, *stage.stranger.requests]
    assert others == []
    assert {request.host for request in stage.registry.requests} == {stage.name("127.0.0.1:{R}")}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["another port", "another name of the same machine", "no scheme"])
async def test_token_service_that_sends_us_elsewhere_is_not_followed(target: str, status: int, stage: Stage):
    """A secret is for the address that was trusted."""
    stage.play(lambda _request: None)
    stage.tokens.answering = lambda _request: redirect(stage.name(ELSEWHERE[target]), status)
    errors = await ask_everything(stage)
    assert stage.stranger.requests == []
    assert {request.host for request in stage.registry.requests} == {stage.name("127.0.0.1:{R}")}
    if not isinstance(stage.secret, RegistryToken) and stage.wants == "bearer":
        assert {error.rpartition(" answered ")[2] for error in errors} == {str(status)}


async def test_token_service_that_demands_a_password_itself_is_not_believed(stage: Stage):
    """Its own challenge leads nowhere."""
    stage.play(lambda _request: None)
    stage.tokens.answering = lambda _request: challenge(
        stage.name('Bearer realm="http://127.0.0.1:{S}/token"'), 'Basic realm="x"'
    )
    await ask_everything(stage)
    assert stage.stranger.requests == []


# Where a page says that the next one is.
LINKS = {
    "another port": ['<http://127.0.0.1:{S}/v2/_catalog?last=a>; rel="next"'],
    "another name of the same machine": ['<http://localhost:{R}/v2/_catalog?last=a>; rel="next"'],
    "the name with a dot at its end": ['<http://localhost.:{R}/v2/_catalog?last=a>; rel="next"'],
    "the address, written short": ['<http://127.1:{R}/v2/_catalog?last=a>; rel="next"'],
    "no scheme": ['<//127.0.0.1:{S}/v2/_catalog?last=a>; rel="next"'],
    "https": ['<https://127.0.0.1:{R}/v2/_catalog?last=a>; rel="next"'],
    "a user elsewhere": ['<http://ann:pw@127.0.0.1:{S}/v2/_catalog>; rel="next"'],
    "the registry as a user": ['<http://127.0.0.1:{R}@127.0.0.1:{S}/v2/_catalog>; rel="next"'],
    "several": [
        '<http://127.0.0.1:{S}/v2/_catalog?last=a>; rel="next"',
        '<http://127.0.0.1:{S}/v2/_catalog?last=b>; rel="prev"',
    ],
    "another parameter first": ['<http://127.0.0.1:{S}/v2/_catalog?last=a>; title="x"; rel="next"'],
}


@pytest.mark.parametrize("link", LINKS)
async def test_link_elsewhere_is_not_followed(link: str, stage: Stage):
    """Nothing is sent there, with a secret or without."""
    links = tuple(("Link", stage.name(text)) for text in LINKS[link])
    stage.play(lambda request: Say(body=PAGE, headers=links) if "app/" not in request.path else None)
    await ask_everything(stage)
    stage.assert_safe()
    assert stage.stranger.requests == []
    assert {request.host for request in stage.registry.requests} == {stage.name("127.0.0.1:{R}")}


async def test_link_at_home_is_followed_without_its_user(stage: Stage):
    """The user that it names is not who asks."""
    link = stage.name('<http://eve:pw@127.0.0.1:{R}/v2/_catalog?last=a>; rel="next"')
    page = Say(body=PAGE, headers=(("Link", link),))
    stage.play(lambda request: page if request.target == "/v2/_catalog?n=1000" else None)
    assert await ask_everything(stage) == []
    first, followed = [request for request in stage.registry.requests if "_catalog" in request.path][-2:]
    assert (followed.target, followed.authorization) == ("/v2/_catalog?last=a", first.authorization)
    stage.assert_safe()


@pytest.mark.parametrize(
    "location",
    ["/data", "data", "http://127.0.0.1:{R}/data", "//127.0.0.1:{R}/data", "HTTP://127.0.0.1:{R}/data"],
)
async def test_redirect_at_home_carries_the_secret(location: str, stage: Stage):
    """However it is written; else a registry below a proxy could not be walked."""
    stage.send_away(location)
    assert await ask_everything(stage) == []
    followed = [request for request in stage.registry.requests if "data" in request.path]
    assert [bool(request.authorization) for request in followed] == [True, True]
