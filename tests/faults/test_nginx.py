"""A proxy before the registry that fails at single references: each fault has one verdict and one reason."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sample.registry import DockerRegistry
from tests.faults.victims import CONTENTS, KINDS, TAG, expected, path_of, walk
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.nginx import Nginx
from tests.parts.twins import ACCEPT
from tests.parts.waiting import wait_until

StartProxy = Callable[..., Nginx]


@dataclass(frozen=True)
class Compressing:
    """What nginx needs: a server of its own, and how to get there."""

    server: str
    fault: str


@pytest.fixture
async def registry(start_registry: StartRegistry) -> DockerRegistry:
    running = start_registry()
    for name, content in CONTENTS.items():
        await running.push(name, content, TAG)
    return running


@pytest.fixture
def start_proxy(registry: DockerRegistry, start_nginx: StartNginx) -> StartProxy:
    """Start an nginx that does something of its own where the victims are asked for."""

    def start(fault: str, *, kinds: tuple[str, ...] = KINDS, http: str = "") -> Nginx:
        passed = f"proxy_pass {registry.url}; proxy_set_header Host $http_host;"
        fault = fault.replace("PASS", passed)
        places = "\n".join(f"location = {path_of(kind)} {{ {fault} }}" for kind in kinds)
        return start_nginx(f"location / {{ {passed} }}\n{places}", http=http.replace("PASS", passed))

    return start


def errors(status: int, code: str) -> str:
    return f"""default_type application/json; return {status} '{{"errors":[{{"code":"{code}"}}]}}';"""


STATUSES = {
    "401": ("return 401;", "unauthorized"),
    "401-with-a-challenge": (
        """add_header WWW-Authenticate 'Basic realm="registry"' always; return 401;""",
        "unauthorized",
    ),
    "403": ("return 403;", "forbidden"),
    "403-denied": (errors(403, "DENIED"), "forbidden"),
    "404-of-a-proxy": ("return 404;", "protocol"),
    "404-without-a-word": ("return 404 '';", "protocol"),
    "404-of-another-api": (errors(404, "PAGE_NOT_FOUND"), "protocol"),
    "404-of-no-list": ("""return 404 '{"errors": "MANIFEST_UNKNOWN"}';""", "protocol"),
    "405": ("return 405;", "protocol"),
    "406": ("return 406;", "protocol"),
    "408": ("return 408 'too slow';", "timeout"),  # without a text nginx says nothing at all
    "410": ("return 410;", "protocol"),
    "418": ("return 418;", "protocol"),
    "451": ("return 451;", "protocol"),
    "429": ("add_header Retry-After 0 always; return 429;", "rate_limited"),
    "500": (errors(500, "UNKNOWN"), "server_error"),
    "502": ("return 502;", "server_error"),
    "503": ("return 503;", "server_error"),
    "504": ("return 504;", "server_error"),
    "204": ("return 204;", "protocol"),
    "304": ("return 304;", "protocol"),
    "no-answer": ("return 444;", "connection"),
    "redirect-to-itself": ("return 307 $request_uri;", "protocol"),
    "redirect-to-no-web-address": ("return 307 file:///etc/passwd;", "protocol"),
    "origin-down": ("proxy_pass http://unix:/nowhere.sock;", "server_error"),
    "a-byte-a-second": ("limit_rate 1; PASS", "timeout"),
}


@pytest.mark.parametrize(("fault", "reason"), STATUSES.values(), ids=STATUSES)
def test_a_fault_at_every_kind_of_reference_is_unverified_for_its_reason(
    start_proxy: StartProxy, tmp_path: Path, fault: str, reason: str
) -> None:
    """Whether it meets `HEAD` or `GET`; the bystander has no finding."""
    status, report, found = walk(start_proxy(fault).url, tmp_path)
    assert found == expected(reason, reason, reason)
    assert (status, report["outcome"], report["repositories"]) == (3, "complete", len(CONTENTS))


def test_an_origin_that_never_answers_is_a_timeout(
    start_proxy: StartProxy, listening: Path, tmp_path: Path
) -> None:
    """The proxy is patient, we are not."""
    status, _, found = walk(start_proxy(f"proxy_pass http://unix:{listening};").url, tmp_path)
    assert found == expected("timeout", "timeout", "timeout")
    assert status == 3


@pytest.fixture
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A socket that connections can be made to, and where nobody ever answers."""
    path = tmp_path_factory.mktemp("s") / "socket"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        yield path


@pytest.fixture
def compressing(registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory) -> Compressing:
    """A server that compresses all that it is asked for as if everybody wanted that."""
    path = tmp_path_factory.mktemp("s") / "socket"
    server = f"""
        server {{
            listen unix:{path};
            gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any; gzip_http_version 1.0;
            location / {{ proxy_pass {registry.url}; proxy_set_header Host $http_host; }}
        }}
    """
    passed = f"proxy_pass http://unix:{path}; proxy_set_header Accept-Encoding gzip;"
    return Compressing(server, f"{passed} proxy_set_header Host $http_host;")


def test_what_comes_compressed_though_nobody_asked_is_unverified(
    start_proxy: StartProxy, compressing: Compressing, tmp_path: Path
) -> None:
    """The one byte of a range is not compressed."""
    status, _, found = walk(start_proxy(compressing.fault, http=compressing.server).url, tmp_path)
    assert found == expected("protocol", "protocol", None)
    assert status == 3


def test_a_compressed_catalog_fails_the_cycle(
    registry: DockerRegistry, compressing: Compressing, start_nginx: StartNginx, tmp_path: Path
) -> None:
    """Nothing is known of the registry then, and nothing is said to be broken."""
    nginx = start_nginx(
        f"location / {{ proxy_pass {registry.url}; }} location = /v2/_catalog {{ {compressing.fault} }}",
        http=compressing.server,
    )
    status, report, found = walk(nginx.url, tmp_path)
    assert (status, report["outcome"], report["catalog_accessible"], found) == (3, "failed", False, {})


TRUNCATED = ("broken", "truncated")
CUT = {
    "closing-emptied": ("0", 0, expected(None, TRUNCATED, TRUNCATED)),
    # Of a range that it has not, this nginx sends not even the headers.
    "closing-cut": ("0", 30, expected(None, TRUNCATED, "connection")),
    "waiting-emptied": ("75s", 0, expected(None, "timeout", "timeout")),
    "waiting-cut": ("75s", 30, expected(None, "timeout", "timeout")),
}


@pytest.mark.parametrize("cut", CUT)
async def test_a_cache_that_serves_cut_bodies_is_not_intact(
    start_proxy: StartProxy,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    cut: str,
) -> None:
    """Right headers and a short body or none: broken where it ends, and a timeout where it never does."""
    keepalive, kept, findings = CUT[cut]
    cache = tmp_path_factory.mktemp("cache")
    nginx = start_proxy(
        "proxy_cache cut; proxy_cache_valid any 1h; proxy_cache_key $request_uri; PASS",
        http=f"proxy_cache_path {cache} keys_zone=cut:1m; keepalive_timeout {keepalive};",
    )
    async with httpx.AsyncClient(base_url=nginx.url, headers=ACCEPT, trust_env=False) as client:
        for kind in KINDS:
            (await client.get(path_of(kind))).raise_for_status()

    async def stored() -> list[Path]:
        return [file for file in cache.iterdir() if file.is_file()]

    # What nginx has answered it may still be writing down.
    for file in await wait_until(stored, lambda files: len(files) == len(KINDS), what="all of it cached"):
        head, separator, body = file.read_bytes().partition(b"\r\n\r\n")
        assert len(body) > kept
        file.write_bytes(head + separator + body[:kept])
    status, _, found = walk(nginx.url, tmp_path)
    assert found == findings
    assert status == (1 if keepalive == "0" else 3)
