"""TLS with an authority that only the operator knows: docker-registry, and nginx that wants certificates."""

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.registry import (
    Errand,
    RegistryError,
    TransportOptions,
    TransportOptionsError,
    connections,
    open_client,
)
from exporter.registry.errors import NotConnectedError
from sample.registry import DockerRegistry
from tests.parts.certificates import Authority, Pair
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.registry.recording import Recorded, Recorder, Say, record
from tests.registry_real.walking import outcome, put, walk

NOT_AGREED = "GET /v2/ failed: TLS could not be agreed on"
BROKE_OFF = "GET /v2/ failed: TLS broke off"


async def ping(url: str, options: TransportOptions | None = None, **more: object) -> str:
    """Ask once; `""`, or the error's whole message."""
    async with open_client(url, transport_options=options, **more) as client:  # type: ignore[arg-type]
        try:
            await client.ping(Errand())
        except RegistryError as error:
            return str(error)
    return ""


@pytest.fixture
def start_tls_registry(start_registry: StartRegistry) -> Callable[[Pair], DockerRegistry]:
    def start(pair: Pair) -> DockerRegistry:
        tls = {"certificate": str(pair.certificate), "key": str(pair.key)}
        return start_registry(more={"http": {"tls": tls}})

    return start


StartTls = Callable[[Pair], DockerRegistry]


async def test_registry_of_a_private_authority_is_walked(start_tls_registry: StartTls, authority: Authority):
    """With its certificate beside the system's; without it there is no connection, and nothing is missing."""
    registry = start_tls_registry(authority.issue("127.0.0.1"))
    references = put(registry)
    trusting = TransportOptions(ca_file=authority.file)
    report = await walk(registry.url, transport_options=trusting)
    assert outcome(report) == ("complete", None, references, {})
    refused = "GET /v2/_catalog failed: TLS could not be agreed on"
    assert outcome(await walk(registry.url)) == ("failed", refused, 0, {})


async def test_systems_authorities_are_trusted_still(
    start_tls_registry: StartTls,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Docker Hub needs no `ca_file` because a private registry has one."""
    system = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(system.file))
    trusting = TransportOptions(ca_file=authority.file)
    for one in (system, authority):
        registry = start_tls_registry(one.issue("127.0.0.1"))
        assert await ping(registry.url, trusting) == ""


@pytest.mark.parametrize(
    ("names", "ended"),
    [(["registry.example"], False), (["localhost"], False), (["127.0.0.2"], False), (["127.0.0.1"], True)],
    ids=["another name", "the name of the address", "another address", "ended yesterday"],
)
async def test_certificate_that_is_not_good_for_the_registry_is_refused(
    names: list[str], ended: bool, start_tls_registry: StartTls, authority: Authority
):
    """Whoever signed it; `insecure_skip_verify` takes it all the same, and says so once."""
    registry = start_tls_registry(authority.issue(*names, ended=ended))
    references = put(registry)
    assert await ping(registry.url, TransportOptions(ca_file=authority.file)) == NOT_AGREED
    with capture_logs() as logged:
        report = await walk(registry.url, transport_options=TransportOptions(insecure_skip_verify=True))
    assert outcome(report) == ("complete", None, references, {})
    assert [(entry["log_level"], entry["url"]) for entry in logged if "insecure" in entry["event"]] == [
        ("warning", registry.url)
    ]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize("verified", [True, False], ids=["verified", "insecure_skip_verify"])
@pytest.mark.parametrize(
    ("newest", "message"),
    [(ssl.TLSVersion.TLSv1_1, BROKE_OFF), (ssl.TLSVersion.TLSv1_2, ""), (ssl.TLSVersion.TLSv1_3, "")],
    ids=["1.1", "1.2", "1.3"],
)
async def test_tls_is_1_2_at_least(
    newest: ssl.TLSVersion, message: str, verified: bool, authority: Authority
):
    """Whether or not the certificate is looked at."""
    context = authority.issue("127.0.0.1").server_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = min(newest, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = newest
    options = TransportOptions(ca_file=authority.file, insecure_skip_verify=not verified)
    async with record(tls=context) as server:
        assert await ping(f"https://127.0.0.1:{server.port}", options) == message


@pytest.mark.parametrize("in_one_file", [True, False], ids=["one file", "two files"])
async def test_client_certificate_lets_us_in(
    in_one_file: bool, start_registry: StartRegistry, start_nginx: StartNginx, authority: Authority
):
    """nginx before the registry asks for one; without it everything is refused, and nothing missing."""
    registry = start_registry()
    references = put(registry)
    nginx = start_nginx(
        f"""
        ssl_client_certificate {authority.file};
        ssl_verify_client on;
        location / {{ proxy_pass {registry.url}; proxy_set_header Host $http_host; }}
        """,
        tls=authority.issue("127.0.0.1").files,
    )
    client = authority.issue("exporter.example")
    certificate, key = (client.both, None) if in_one_file else client.files
    options = TransportOptions(
        ca_file=authority.file, client_certificate_file=certificate, client_key_file=key
    )
    report = await walk(nginx.url, transport_options=options)
    assert outcome(report) == ("complete", None, references, {})
    report = await walk(nginx.url, transport_options=TransportOptions(ca_file=authority.file))
    assert outcome(report) == ("failed", "GET /v2/_catalog answered 400", 0, {})


async def test_registry_that_wants_client_certificates_itself_is_walked(
    start_registry: StartRegistry, authority: Authority, tmp_path: Path
):
    """docker-registry's own `clientcas`: a certificate of another authority, and none, let nobody in."""
    (tmp_path / "stranger").mkdir()
    certificate, key = map(str, authority.issue("127.0.0.1").files)
    ours = authority.issue("exporter.example")
    theirs = Authority(tmp_path / "stranger").issue("exporter.example")
    registry = start_registry(
        more={"http": {"tls": {"certificate": certificate, "key": key, "clientcas": [str(authority.file)]}}},
        client_certificate=ours.both,
    )
    references = put(registry)
    shown = [
        TransportOptions(authority.file, *ours.files),
        TransportOptions(authority.file, ours.both),
        TransportOptions(authority.file, *theirs.files),
        TransportOptions(authority.file),
    ]
    outcomes = [outcome(await walk(registry.url, transport_options=options)) for options in shown]
    intact = ("complete", None, references, {})
    refused = ("failed", "GET /v2/_catalog failed: TLS broke off", 0, {})
    assert outcomes == [intact, intact, refused, refused]


@pytest.fixture
async def servers(authority: Authority) -> AsyncIterator[tuple[Recorder, Recorder]]:
    """A registry and a stranger who both would like to see a certificate."""
    context = authority.issue("127.0.0.1", "localhost").server_context(authority.file)
    async with record(tls=context) as registry, record(tls=context) as stranger:
        yield registry, stranger


async def test_client_certificate_is_shown_to_the_registrys_host_alone(
    servers: tuple[Recorder, Recorder], authority: Authority
):
    """A store elsewhere need not know who asks; a host that is trusted by name may."""
    registry, stranger = servers
    client = authority.issue("exporter.example")
    options = TransportOptions(authority.file, *client.files)

    def send_away(request: Recorded) -> Say:
        elsewhere = f"https://localhost:{stranger.port}/"
        return Say(307, headers=(("Location", elsewhere),)) if request.path == "/v2/" else Say()

    registry.answering = send_away
    url = f"https://127.0.0.1:{registry.port}"
    assert await ping(url, options) == ""
    assert await ping(url, options, token_hosts=("localhost",)) == ""
    assert [request.certificate for request in registry.requests] == [client.serial] * 2
    assert [request.certificate for request in stranger.requests] == ["", client.serial]


async def test_rotated_client_certificate_is_shown_by_the_next_connection(
    servers: tuple[Recorder, Recorder], authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Half of a new pair changes nothing but that it is said; the certificate comes first, then its key."""
    monkeypatch.setattr(connections, "_RELOAD_SECONDS", 0.0)
    registry, _ = servers
    registry.one_each = True
    first, second = authority.issue("one.example"), authority.issue("two.example")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(first.certificate.read_bytes())
    key.write_bytes(first.key.read_bytes())
    options = TransportOptions(authority.file, certificate, key)
    url = f"https://127.0.0.1:{registry.port}"
    async with open_client(url, transport_options=options) as client:
        await client.ping(Errand())
        certificate.write_bytes(second.certificate.read_bytes())
        with capture_logs() as logged:
            await client.ping(Errand())
            await client.ping(Errand())
        key.write_bytes(second.key.read_bytes())
        await client.ping(Errand())
    assert [request.certificate for request in registry.requests] == [first.serial] * 3 + [second.serial]
    assert [(entry["log_level"], entry["option"]) for entry in logged] == [("warning", "client_key_file")]


async def test_rotated_authority_is_trusted_from_the_next_connection_on(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A registry whose new certificate another authority signed is walked on."""
    monkeypatch.setattr(connections, "_RELOAD_SECONDS", 0.0)
    (tmp_path / "next").mkdir()
    following = Authority(tmp_path / "next")
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.file.read_bytes())
    async with record(tls=following.issue("127.0.0.1").server_context()) as registry:
        url = f"https://127.0.0.1:{registry.port}"
        async with open_client(url, transport_options=TransportOptions(ca_file=file)) as client:
            with pytest.raises(NotConnectedError):
                await client.ping(Errand())
            file.write_bytes(file.read_bytes() + following.file.read_bytes())
            await client.ping(Errand())


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("exporter.example")


def test_files_that_can_be_used_are_no_error(authority: Authority, pair: Pair):
    """In every combination that makes sense."""
    TransportOptions().check()
    TransportOptions(authority.file).check()
    TransportOptions(authority.file, pair.both).check()
    TransportOptions(None, *pair.files).check()
    TransportOptions(None, *pair.files, insecure_skip_verify=True).check()


@pytest.fixture
def files(pair: Pair, authority: Authority, tmp_path: Path) -> dict[str | None, Path | None]:
    """Files of every kind, by name."""
    named = {name: tmp_path / name for name in ("absent", "empty", "garbage", "locked", "both locked")}
    named["empty"].touch()
    named["garbage"].write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    pair.lock_key(named["locked"])
    named["both locked"].write_bytes(pair.certificate.read_bytes() + named["locked"].read_bytes())
    return {
        None: None,
        **named,
        "folder": tmp_path,
        "certificate": pair.certificate,
        "key": pair.key,
        "other key": authority.issue("other.example").key,
    }


ABSENT = "expected a file that can be read: No such file or directory"
NO_CERTIFICATES = "expected a file of certificates, as PEM"
NO_PAIR = "expected a certificate and its key, as PEM"
NO_KEY = "expected the certificate's key, as PEM"
LOCKED = "expected a key without a passphrase"


@pytest.mark.parametrize(
    ("names", "option", "message"),
    [
        (["absent"], "ca_file", ABSENT),
        (["folder"], "ca_file", "expected a file that can be read: Is a directory"),
        (["empty"], "ca_file", NO_CERTIFICATES),
        (["garbage"], "ca_file", NO_CERTIFICATES),
        (["key"], "ca_file", NO_CERTIFICATES),
        ([None, "absent"], "client_certificate_file", ABSENT),
        ([None, "certificate"], "client_certificate_file", NO_PAIR),
        ([None, "garbage"], "client_certificate_file", NO_PAIR),
        ([None, "certificate", "absent"], "client_key_file", ABSENT),
        ([None, "certificate", "garbage"], "client_key_file", NO_KEY),
        ([None, "certificate", "other key"], "client_key_file", NO_KEY),
        ([None, "certificate", "locked"], "client_key_file", LOCKED),
        ([None, "both locked"], "client_certificate_file", LOCKED),
        ([None, None, "key"], "client_key_file", "expected a client_certificate_file beside it"),
    ],
)
async def test_file_that_cannot_be_used_is_an_error_that_names_its_option(
    names: list[str | None], option: str, message: str, files: dict[str | None, Path | None]
):
    """So that the settings can say which key is wrong, and what was expected."""
    options = TransportOptions(*[files[name] for name in names])
    with pytest.raises(TransportOptionsError) as caught:
        options.check()
    assert (caught.value.option, str(caught.value)) == (option, message)
    with pytest.raises(TransportOptionsError):
        async with open_client("https://registry.example", transport_options=options):
            pass
