"""Which proxy the environment's variables mean for which address."""

import httpx
import pytest

from exporter.registry import InvalidProxyError, Proxies

PROXY = "http://proxy.example:3128"
BOTH = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": "http://secure.example:3129"}


def proxy_for(environment: dict[str, str], url: str, *, loopback: bool = False) -> str | None:
    return Proxies.from_environment(environment, loopback=loopback).proxy_for(httpx.URL(url))


@pytest.mark.parametrize(
    ("environment", "http", "https"),
    [
        ({}, None, None),
        (BOTH, PROXY, "http://secure.example:3129"),
        ({"HTTP_PROXY": PROXY}, PROXY, None),
        ({"HTTPS_PROXY": PROXY}, None, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY, PROXY),
        ({"all_proxy": PROXY, "HTTP_PROXY": "http://other.example"}, "http://other.example", PROXY),
        ({"http_proxy": PROXY, "HTTP_PROXY": "http://other.example"}, PROXY, None),
        ({"http_proxy": "", "HTTP_PROXY": PROXY}, None, None),
        ({"HTTP_PROXY": " proxy.example:3128 "}, PROXY, None),
        ({"HTTP_PROXY": "proxy.example"}, "http://proxy.example", None),
        ({"HTTPS_PROXY": "https://proxy.example"}, None, "https://proxy.example"),
        ({"HTTP_PROXY": "http://ann:p%40ss@proxy.example"}, "http://ann:p%40ss@proxy.example", None),
        ({"NO_PROXY": "*"}, None, None),
    ],
)
def test_proxy_of_a_scheme(environment: dict[str, str], http: str | None, https: str | None):
    """Small letters count more than capitals, even when they say nothing."""
    assert proxy_for(environment, "http://registry.example") == http
    assert proxy_for(environment, "https://registry.example") == https


@pytest.mark.parametrize(
    ("exemptions", "url"),
    [
        ("*", "https://registry.example"),
        ("registry.example", "https://registry.example"),
        ("registry.example", "https://REGISTRY.example:5000"),
        ("registry.example", "https://sub.registry.example"),
        (".example", "https://registry.example"),
        ("*.example", "https://registry.example"),
        (".registry.example", "https://registry.example"),
        ("registry.example", "https://registry.example./"),
        ("a, registry.example ,b", "https://registry.example"),
        ("a registry.example", "https://registry.example"),
        ("registry.example:443", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("registry.example:80", "http://registry.example"),
        ("10.1.2.3", "http://10.1.2.3:5000"),
        ("10.0.0.0/8", "https://10.1.2.3"),
        ("10.1.2.3/8", "https://10.1.2.3"),
        ("10.1.2.3:5000", "https://10.1.2.3:5000"),
        ("fd00::/8", "https://[fd00::1]"),
        ("fd00::1", "https://[fd00::1]"),
        ("[fd00::1]:5000", "https://[fd00::1]:5000"),
        ("REGISTRY.EXAMPLE", "https://registry.example"),
    ],
)
def test_exempted_address_is_reached_directly(exemptions: str, url: str):
    """Names with all below them, networks, ports; between commas or spaces."""
    assert proxy_for({**BOTH, "NO_PROXY": exemptions}, url) is None


@pytest.mark.parametrize(
    ("exemptions", "url"),
    [
        ("", "https://registry.example"),
        (",, ,", "https://registry.example"),
        ("registry.example", "https://myregistry.example"),
        ("registry.example", "https://registry.example.evil"),
        ("registry.example", "https://example"),
        ("registry.example:5000", "https://registry.example"),
        ("registry.example:443", "http://registry.example"),
        ("10.0.0.0/8", "https://11.1.2.3"),
        ("10.0.0.0/8", "https://ten.example"),
        ("10.1.2.3:5000", "https://10.1.2.3"),
        ("fd00::/8", "https://10.1.2.3"),
        ("10.0.0.0/99", "https://10.1.2.3"),
    ],
)
def test_other_address_is_not_exempted(exemptions: str, url: str):
    """Part of a name is another name."""
    assert proxy_for({**BOTH, "NO_PROXY": exemptions}, url) is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost", "LOCALHOST", "r.localhost"])
def test_loopback_is_reached_directly_unless_it_is_asked_for(host: str):
    """A proxy's loopback is another machine's."""
    assert proxy_for(BOTH, f"http://{host}:5000") is None
    assert proxy_for(BOTH, f"http://{host}:5000", loopback=True) == PROXY
    assert proxy_for({**BOTH, "NO_PROXY": "*"}, f"http://{host}:5000", loopback=True) is None


def test_name_that_only_begins_like_loopback_is_none():
    """Nor one that ends like it."""
    assert proxy_for(BOTH, "http://127.0.0.1.example") == PROXY
    assert proxy_for(BOTH, "http://mylocalhost") == PROXY


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PROXY", "socks5://proxy.example:1080"),
        ("https_proxy", "ftp://proxy.example"),
        ("ALL_PROXY", "http://"),
        ("HTTP_PROXY", "http://s3cr3t:pw@[::1"),
        ("HTTP_PROXY", "http://proxy.example:99999"),
        ("HTTP_PROXY", "http://ann:s3cr3t@proxy.example:x"),
    ],
)
def test_what_is_no_proxy_is_an_error_that_names_the_variable(variable: str, value: str):
    """And not its value, which may hold a password; nor does the cause."""
    with pytest.raises(InvalidProxyError) as caught:
        Proxies.from_environment({variable: value})
    assert (caught.value.variable, str(caught.value)) == (
        variable,
        "expected the address of an HTTP proxy, such as http://proxy.example:3128",
    )
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_password_of_a_proxy_is_in_no_repr():
    """So that it is in no log."""
    assert "s3cr3t" not in repr(Proxies.from_environment({"ALL_PROXY": "http://ann:s3cr3t@proxy.example"}))


def test_no_proxies_are_false():
    """And some are true."""
    assert (bool(Proxies()), bool(Proxies.from_environment({"HTTP_PROXY": PROXY}))) == (False, True)
