"""A proxy before a registry that fails at single references: each fault has one verdict and one reason."""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.artifacts.holdings import Told
from tests.faults.victims import BYSTANDER, CONTENTS, KINDS, TAG, Verdict, Walked, expected, path_of, walk_all
from tests.parts.certificates import Authority
from tests.parts.nginx import Nginx
from tests.parts.programs import find_program
from tests.parts.twins import ACCEPT
from tests.parts.waiting import wait_until

CATALOG = "/v2/_catalog"
TAG_LIST = f"/v2/{BYSTANDER}/tags/list"
TRUNCATED = ("broken", "truncated")


def error(status: int, code: str) -> str:
    return f"""default_type application/json; return {status} '{{"errors":[{{"code":"{code}"}}]}}';"""


# What nginx does where a reference is asked for, and the verdict of each kind. Words in capitals are places.
EVERYWHERE: Mapping[str, tuple[str, str]] = {
    "401": ("return 401;", "unauthorized"),
    "401-with-a-challenge": (
        """add_header WWW-Authenticate 'Basic realm="registry"' always; return 401;""",
        "unauthorized",
    ),
    "403": ("return 403;", "forbidden"),
    "403-denied": (error(403, "DENIED"), "forbidden"),
    "404-of-a-proxy": ("return 404;", "protocol"),
    "404-without-a-word": ("return 404 '';", "protocol"),
    "404-of-another-api": (error(404, "PAGE_NOT_FOUND"), "protocol"),
    "404-of-no-list": ("""return 404 '{"errors": "MANIFEST_UNKNOWN"}';""", "protocol"),
    "405": ("return 405;", "protocol"),
    "406": ("return 406;", "protocol"),
    "408": ("return 408 'too slow';", "timeout"),  # without a text nginx says nothing at all
    "410": ("return 410;", "protocol"),
    "418": ("return 418;", "protocol"),
    "429": ("add_header Retry-After 0 always; return 429;", "rate_limited"),
    "451": ("return 451;", "protocol"),
    "500": (error(500, "UNKNOWN"), "server_error"),
    "502": ("return 502;", "server_error"),
    "503": ("return 503;", "server_error"),
    "504": ("return 504;", "server_error"),
    "204": ("return 204;", "protocol"),
    "304": ("return 304;", "protocol"),
    "no-answer": ("return 444;", "connection"),
    "origin-down": ("proxy_pass http://unix:/nowhere.sock;", "server_error"),
    "origin-silent": ("proxy_pass http://unix:SILENT;", "timeout"),
    "a-byte-a-second": ("limit_rate 1; PASS", "timeout"),
    "redirect-to-itself": ("return 307 $request_uri;", "protocol"),
    "redirect-to-no-web-address": ("return 307 file:///etc/passwd;", "protocol"),
    "redirect-to-a-closed-port": ("return 307 http://REFUSING/;", "connection"),
    "redirect-to-a-full-port": ("return 307 http://FULL/;", "timeout"),
    "redirect-to-an-untrusted-certificate": ("return 307 https://UNTRUSTED$request_uri;", "connection"),
    "redirect-to-no-tls": ("return 307 https://PLAIN/;", "connection"),
}
CUT = "proxy_cache cut; proxy_cache_valid any 1h; proxy_cache_key $request_uri; PASS"
SOME: Mapping[str, tuple[str, tuple[Verdict, Verdict, Verdict]]] = {
    # The one byte of a range is not compressed.
    "compressed": ("COMPRESSED", ("protocol", "protocol", None)),
    # Right headers and a short body, or none: broken where it ends, a timeout where it never does.
    "cached-emptied": (f"keepalive_timeout 0; {CUT}", (None, TRUNCATED, TRUNCATED)),
    "cached-emptied-and-waiting": (f"keepalive_timeout 75s; {CUT}", (None, "timeout", "timeout")),
    # Of a range that it has not, this nginx sends not even the headers.
    "cached-cut": (f"keepalive_timeout 0; {CUT}", (None, TRUNCATED, "connection")),
    "cached-cut-and-waiting": (f"keepalive_timeout 75s; {CUT}", (None, "timeout", "timeout")),
}
KEPT = {"cached-emptied": 0, "cached-emptied-and-waiting": 0, "cached-cut": 30, "cached-cut-and-waiting": 30}
# What nginx does where a list is asked for, and the reason for the list of tags.
LISTS: Mapping[str, tuple[str, str]] = {
    "compressed": ("COMPRESSED", "protocol"),
    "portal": ("default_type text/html; return 200 '<html>Please log in</html>';", "protocol"),
    "403": ("return 403;", "forbidden"),
    "404": ("return 404;", "protocol"),
    "500": ("return 500;", "server_error"),
    "silent": ("proxy_pass http://unix:SILENT;", "timeout"),
}


@dataclass(frozen=True)
class Places:
    """Where the faults lead."""

    registry: DockerRegistry
    silent: Path
    compressing: Path
    untrusted: str
    refusing: str
    full: str

    def fill_in(self, fault: str, path: str) -> str:
        """Write a fault as nginx reads it."""
        compressed = (
            f"proxy_pass http://unix:{self.compressing}:{path}; proxy_set_header Accept-Encoding gzip;"
        )
        places = {
            "PASS": f"proxy_pass {self.registry.url}{path};",
            "COMPRESSED": compressed,
            "SILENT": f"{self.silent}:{path}",
            "UNTRUSTED": self.untrusted,
            "REFUSING": self.refusing,
            "FULL": self.full,
            "PLAIN": self.registry.host,
        }
        for word, place in places.items():
            fault = fault.replace(word, place)
        return fault


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A registry with the victims, and all else that faults lead to."""
    program = InstalledRegistry(find_program("docker-registry"))
    short = tmp_path_factory.mktemp("s")  # of a socket's path few characters are read
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("registry")
        registry = stack.enter_context(DockerRegistry(folder, RegistryOptions(), program))
        for name, content in CONTENTS.items():
            asyncio.run(registry.push(name, content, TAG))
        silent = stack.enter_context(socket.socket(socket.AF_UNIX))
        silent.bind(str(short / "silent"))
        silent.listen()
        pair = Authority(tmp_path_factory.mktemp("tls")).issue("127.0.0.1")
        passed = f"location / {{ proxy_pass {registry.url}; }}"
        untrusted = Nginx(tmp_path_factory.mktemp("untrusted"), passed, tls=pair.files)
        yield Places(
            registry,
            short / "silent",
            short / "compressing",
            stack.enter_context(untrusted).host,
            stack.enter_context(refusing_port()),
            stack.enter_context(full_port()),
        )


@contextmanager
def refusing_port() -> Iterator[str]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def full_port() -> Iterator[str]:
    """A port where so many wait to be accepted that nobody else can be connected."""
    with ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(scope="module")
def proxy(places: Places, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """An nginx that is the registry under many paths, at each of which one thing goes wrong."""
    compressing = f"""
        server {{
            listen unix:{places.compressing};
            gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any; gzip_http_version 1.0;
            location / {{ proxy_pass {places.registry.url}; }}
        }}
    """
    cache = f"proxy_cache_path {tmp_path_factory.mktemp('cache')} keys_zone=cut:1m;"
    with Nginx(tmp_path_factory.mktemp("nginx"), _locations(places), http=compressing + cache) as nginx:
        yield nginx


def _locations(places: Places) -> str:
    faults = [
        (name, path_of(kind), fault)
        for name, (fault, _) in (*EVERYWHERE.items(), *SOME.items())
        for kind in KINDS
    ]
    faults += [(f"catalog-{name}", CATALOG, fault) for name, (fault, _) in LISTS.items()]
    faults += [(f"tags-{name}", TAG_LIST, fault) for name, (fault, _) in LISTS.items()]
    names = dict.fromkeys(name for name, _, _ in faults)
    whole = (f"location /{name}/ {{ proxy_pass {places.registry.url}/; }}" for name in names)
    wrong = (f"location = /{name}{path} {{ {places.fill_in(fault, path)} }}" for name, path, fault in faults)
    return "\n".join((*whole, *wrong))


@pytest.fixture(scope="module")
def walked(places: Places, proxy: Nginx, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walked]:
    """What one probe tells of all of these registries."""
    asyncio.run(_cut_what_is_cached(proxy))
    names = [*EVERYWHERE, *SOME, *(f"{list_}-{name}" for list_ in ("catalog", "tags") for name in LISTS)]
    urls = {name: f"{proxy.url}/{name}" for name in names} | {
        "untrusted": f"https://{places.untrusted}",
        "no-tls": f"https://{places.registry.host}",
        "only-tls": f"http://{places.untrusted}",
        "refusing": f"http://{places.refusing}",
        "full": f"http://{places.full}",
    }
    return walk_all(urls, tmp_path_factory.mktemp("probe"))


async def _cut_what_is_cached(proxy: Nginx) -> None:
    cache = next(proxy.folder.parent.glob("cache*"))
    async with httpx.AsyncClient(base_url=proxy.url, headers=ACCEPT, trust_env=False) as client:
        for name in KEPT:
            for kind in KINDS:
                (await client.get(f"/{name}{path_of(kind)}")).raise_for_status()

    async def cached() -> list[Path]:
        return [file for file in cache.iterdir() if file.is_file()]

    # What nginx has answered it may still be writing down.
    count = len(KEPT) * len(KINDS)
    for file in await wait_until(cached, lambda files: len(files) == count, what="all of it cached"):
        head, separator, body = file.read_bytes().partition(b"\r\n\r\n")
        [kept] = [kept for name, kept in KEPT.items() if f"KEY: /{name}/".encode() in head]
        file.write_bytes(head + separator + body[:kept])


@pytest.mark.parametrize("fault", EVERYWHERE)
def test_a_fault_of_any_answer_is_unverified_for_its_reason(walked: dict[str, Walked], fault: str) -> None:
    """Whether it meets `HEAD` or `GET`; the bystander has no finding."""
    reason = EVERYWHERE[fault][1]
    assert walked[fault].found == expected(reason, reason, reason)
    assert (walked[fault].report["outcome"], walked[fault].report["tags"]) == ("complete", len(CONTENTS))


@pytest.mark.parametrize("fault", SOME)
def test_a_fault_of_some_answers_is_found_where_it_is(walked: dict[str, Walked], fault: str) -> None:
    """And nowhere else."""
    assert walked[fault].found == expected(*SOME[fault][1])
    assert walked[fault].report["outcome"] == "complete"


@pytest.mark.parametrize("fault", LISTS)
def test_a_catalog_that_cannot_be_read_fails_the_cycle(walked: dict[str, Walked], fault: str) -> None:
    """Nothing is known of the registry then, and nothing is said to be broken."""
    report = walked[f"catalog-{fault}"].report
    assert (report["outcome"], report["catalog_accessible"], report["findings"]) == ("failed", False, [])


@pytest.mark.parametrize("fault", LISTS)
def test_tags_that_cannot_be_listed_leave_their_repository_unverified(
    walked: dict[str, Walked], fault: str
) -> None:
    """It has not lost its tags, and the others are walked."""
    told = Told("unverified", LISTS[fault][1], "pull", "tag", None, None, ())
    found, report = walked[f"tags-{fault}"].found, walked[f"tags-{fault}"].report
    assert found == {BYSTANDER: [told]}
    assert (report["outcome"], report["tags"]) == ("incomplete", len(CONTENTS) - 1)


@pytest.mark.parametrize("fault", ["untrusted", "no-tls", "only-tls", "refusing", "full"])
def test_a_registry_that_cannot_be_spoken_to_fails_the_cycle(walked: dict[str, Walked], fault: str) -> None:
    """And has no finding: the catalog's alert is the one that tells."""
    report = walked[fault].report
    assert (report["outcome"], report["catalog_accessible"], report["findings"]) == ("failed", False, [])
