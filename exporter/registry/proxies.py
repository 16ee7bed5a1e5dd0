"""Which proxy a request goes through, by the environment variables that everyone else honours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Self

import httpx

from exporter.registry.addresses import is_web_address, port_of


class InvalidProxyError(ValueError):
    """A proxy's address cannot be used; `variable` is the environment variable that has it.

    The message does not show it, since it may hold a password.
    """

    def __init__(self, variable: str, detail: str) -> None:
        super().__init__(detail)
        self.variable = variable


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry of `NO_PROXY`: a name with all below it, or a network; with a port only that."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, url: httpx.URL) -> bool:
        """Tell whether a request goes there directly."""
        host = url.host.rstrip(".")
        if self.port is not None and self.port != port_of(url):
            return False
        if self.network is not None:
            try:
                return ip_address(host) in self.network
            except ValueError:
                return False
        return self.name in {"*", host} or host.endswith(f".{self.name}")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies for `http` and `https` addresses, and what is reached without one.

    A loopback address is reached directly unless `loopback` says otherwise. The addresses may hold a
    password, so they are in no `repr`.
    """

    http: str | None = field(default=None, repr=False)
    https: str | None = field(default=None, repr=False)
    exemptions: tuple[Exemption, ...] = ()
    loopback: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, loopback: bool = False) -> Self:
        """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; in small letters they count more.

        Raises:
            InvalidProxyError: one of them is no address of an HTTP proxy.
        """
        return cls(
            _proxy(environment, "http_proxy"),
            _proxy(environment, "https_proxy"),
            tuple(map(_exemption, re.findall(r"[^\s,]+", _variable(environment, "no_proxy")[1]))),
            loopback,
        )

    def __bool__(self) -> bool:
        return self.http is not None or self.https is not None

    def proxy_for(self, url: httpx.URL) -> str | None:
        """Find the proxy for a request; None: it goes there directly."""
        proxy = self.https if url.scheme == "https" else self.http
        if proxy is None or (not self.loopback and is_loopback(url.host)):
            return None
        return None if any(exemption.covers(url) for exemption in self.exemptions) else proxy


def is_loopback(host: str) -> bool:
    """Tell whether a host, as URLs have it, is this machine's own: `localhost` is, by RFC 6761."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    spelled = name if name in environment else name.upper()
    return spelled, environment.get(spelled, "").strip()


def _proxy(environment: Mapping[str, str], name: str) -> str | None:
    variable, text = _variable(environment, name)
    if not text:
        variable, text = _variable(environment, "all_proxy")
    if not text:
        return None
    address = text if "://" in text else f"http://{text}"
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")  # no cause: it would hold the address
    if not is_web_address(url):
        raise InvalidProxyError(
            variable, "expected the address of an HTTP proxy, such as http://proxy.example:3128"
        )
    return address


def _exemption(text: str) -> Exemption:
    host, port = text.lower(), None
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]{1,5})", host)
    if match:
        host, port = match[1], int(match[2])
    host = host.strip("[]")
    try:
        return Exemption(network=ip_network(host, strict=False), port=port)
    except ValueError:
        return Exemption(name=host if host == "*" else host.removeprefix("*").lstrip("."), port=port)


NO_PROXIES: Final = Proxies()
