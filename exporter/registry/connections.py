"""How connections are made: TLS, proxies, and what this machine calls `localhost`."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NoReturn

import aiohttp
import httpx
import structlog
from aiohttp import hdrs
from aiohttp.abc import ResolveResult
from aiohttp.typedefs import LooseHeaders
from httpx_aiohttp import AiohttpTransport
from multidict import CIMultiDict
from yarl import URL

from exporter.registry.addresses import names_of
from exporter.registry.messages import BareBody, BareRequest, BareResponse
from exporter.registry.proxies import NO_PROXIES, Proxies, is_loopback

_RELOAD_SECONDS: Final = 10.0
_NO_TIMEOUTS: Final[Mapping[str, float | None]] = {}
_LOOPBACK: Final = ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))

_log = structlog.get_logger()


class TransportOptionsError(ValueError):
    """An option cannot be used; `option` is its name, and the message says what was expected."""

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(detail)
        self.option = option


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How a registry is connected to.

    `ca_file` holds certificates, as PEM, that are trusted beside the system's. The client certificate's file
    may hold its key too; it is shown to the registry's own host and to hosts that are trusted by name, to no
    other. All three files are read again when they change. `insecure_skip_verify` trusts whoever answers.
    """

    ca_file: Path | None = None
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
    insecure_skip_verify: bool = False
    proxies: Proxies = NO_PROXIES

    def check(self) -> None:
        """Read all files once.

        Raises:
            TransportOptionsError: one cannot be used.
        """
        self.tls_context(show_certificate=True)

    def tls_context(self, *, show_certificate: bool) -> ssl.SSLContext:
        """Make what TLS needs to know; the client certificate is part of it only where it is to be shown.

        Raises:
            TransportOptionsError: a file cannot be used.
        """
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.load_into(context, show_certificate=show_certificate)
        return context

    def load_into(self, context: ssl.SSLContext, *, show_certificate: bool) -> None:
        """Read the files into a context, for the connections that follow.

        Raises:
            TransportOptionsError: a file cannot be used.
        """
        if self.ca_file is not None:
            _check_readable("ca_file", self.ca_file)
            try:
                context.load_verify_locations(self.ca_file)
            except ssl.SSLError as error:
                raise TransportOptionsError("ca_file", "expected a file of certificates, as PEM") from error
        if self.client_certificate_file is None:
            if self.client_key_file is not None:
                raise TransportOptionsError("client_key_file", "expected a client_certificate_file beside it")
        elif show_certificate:
            _load_certificate(context, self.client_certificate_file, self.client_key_file)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        files = (self.ca_file, self.client_certificate_file, self.client_key_file)
        return tuple(file for file in files if file is not None)


def open_transport(
    concurrency: int, options: TransportOptions | None = None, own_hosts: Iterable[str] = ()
) -> httpx.AsyncBaseTransport:
    """Make a transport of `concurrency` connections, without cookies and without decompression.

    There are so many to each of: the `own_hosts`, which are shown the client certificate, other hosts, and
    each proxy.

    Raises:
        TransportOptionsError: a file cannot be used.
    """
    options = options or TransportOptions()
    if not options.files and not options.proxies:
        return _Pool(concurrency, options.tls_context(show_certificate=False))
    return _Routes(concurrency, options, frozenset(own_hosts))


class _Pool(AiohttpTransport):
    """httpx-aiohttp's transport, less what is too dear for thousands of requests for a few headers each.

    Addresses and headers go over as they are, a body is read without generators, and aiohttp's own errors,
    which tell more, are not made httpx's.
    """

    def __init__(self, concurrency: int, context: ssl.SSLContext, proxy: str | None = None) -> None:
        super().__init__(verify=context, client=partial(_session, concurrency, context, proxy))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; it may raise aiohttp's errors as well as httpx's."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        if isinstance(request, BareRequest):
            address, fields, content = request.address, request.fields, b""
        else:
            address, fields, content = str(request.url), _fields_of(request), await request.aread()
        timeouts = request.extensions.get("timeout", _NO_TIMEOUTS)
        answer = await self.client.request(
            request.method,
            _url(address),
            headers=fields,
            data=content or None,
            allow_redirects=False,
            timeout=_timeout(timeouts.get("connect"), timeouts.get("read"), timeouts.get("pool")),
        )
        if isinstance(request, BareRequest):
            return BareResponse(answer, request)
        return httpx.Response(
            answer.status, headers=answer.raw_headers, stream=BareBody(answer), request=request
        )


def _fields_of(request: httpx.Request) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]


def _url(address: str) -> URL:
    """Read an address as it is written; what those of one origin have in common is read once."""
    path = address.find("/", address.find("://") + 3)
    if path < 0 or "?" in address or "#" in address:
        return URL(address, encoded=True)
    return _origin(address[:path]).with_path(address[path:], encoded=True)


@lru_cache(maxsize=16)
def _origin(address: str) -> URL:
    return URL(address, encoded=True)


@lru_cache(maxsize=16)
def _timeout(connect: float | None, read: float | None, pool: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect, sock_read=read, connect=pool)


class _Request(aiohttp.ClientRequest):
    """Says what it is given, and nothing of aiohttp's own, which would be looked for in each."""

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Say where it goes, then what it is given, all at once."""
        given = CIMultiDict(headers or ())
        host = self.url.host_port_subcomponent
        if host is None or hdrs.HOST in given:
            super().update_headers(given)
            return
        self.headers = CIMultiDict(((hdrs.HOST, host),))
        self.headers.extend(given)

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add none."""


def _session(concurrency: int, context: ssl.SSLContext, proxy: str | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency, ssl=context, resolver=_Resolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_Request,
        auto_decompress=False,
        proxy=proxy,
    )


class _Resolver(aiohttp.ThreadedResolver):
    """Knows both addresses of `localhost`, of which many a hosts file has one (RFC 6761, 6.3)."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if not is_loopback(host):
            return await super().resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, address in _LOOPBACK
            if family in {socket.AF_UNSPEC, kind}
        ]


class _Routes(httpx.AsyncBaseTransport):
    """A pool for each way that requests go: with or without the client certificate, through which proxy."""

    def __init__(self, concurrency: int, options: TransportOptions, own_hosts: frozenset[str]) -> None:
        self._concurrency = concurrency
        self._options = options
        self._own_hosts = frozenset(host.lower() for host in own_hosts)
        self._contexts = {show: options.tls_context(show_certificate=show) for show in (True, False)}
        self._stamps = _stamps(options.files)
        self._looked_at = 0.0
        self._pools: dict[tuple[bool, str | None], _Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request its way."""
        self._reload()
        own = not self._own_hosts.isdisjoint(names_of(request.url))
        way = (own, self._options.proxies.proxy_for(request.url))
        if way not in self._pools:
            show_certificate, proxy = way
            self._pools[way] = _Pool(self._concurrency, self._contexts[show_certificate], proxy)
        return await self._pools[way].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()

    def _reload(self) -> None:
        """Read changed files again, now and then; what cannot be used is said and changes nothing."""
        now = asyncio.get_running_loop().time()
        if not self._options.files or now < self._looked_at + _RELOAD_SECONDS:
            return
        self._looked_at = now
        stamps = _stamps(self._options.files)
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            # First aside: half of a new pair would spoil the context.
            self._options.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), show_certificate=True)
            for show_certificate, context in self._contexts.items():
                self._options.load_into(context, show_certificate=show_certificate)
        except TransportOptionsError as error:
            _log.warning("changed file cannot be used", option=error.option, trouble=str(error))


def _stamps(files: Iterable[Path]) -> list[tuple[int, int, int] | None]:
    return [_stamp(file) for file in files]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    option_of_key = "client_key_file" if key is not None else "client_certificate_file"

    def refuse() -> NoReturn:
        raise TransportOptionsError(option_of_key, "expected a key without a passphrase")

    _check_readable("client_certificate_file", certificate)
    if key is not None:
        _check_readable("client_key_file", key)
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        expected = "expected the certificate's key, as PEM"
        if key is None:
            expected = "expected a certificate and its key, as PEM"
        raise TransportOptionsError(option_of_key, expected) from error


def _check_readable(option: str, file: Path) -> None:
    try:
        with file.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        detail = f"expected a file that can be read: {os.strerror(error.errno or 0)}"
        raise TransportOptionsError(option, detail) from error
