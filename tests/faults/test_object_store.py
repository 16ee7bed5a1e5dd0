"""A registry that redirects to the store of its data: what that store says of an object counts."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from sample import content as make
from sample.content import Content
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.artifacts.holdings import Told
from tests.faults.victims import Walked, walk
from tests.parts.nginx import Nginx
from tests.parts.programs import find_program

TAG = "latest"
NO_SUCH_KEY = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code></Error>'
ACCESS_DENIED = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'
MISSING = ("broken", "missing")
SERVER_ERROR = ("unverified", "server_error")
# What the store answers where an object should be.
ANSWERS = {
    "no-such-key": (f"return 404 '{NO_SUCH_KEY}';", MISSING),
    "404-without-a-word": ("return 404 '';", MISSING),
    "404-of-a-page": ("return 404 '<html>Not found</html>';", MISSING),
    "access-denied": (f"return 403 '{ACCESS_DENIED}';", ("unverified", "forbidden")),
    "400": ("return 400;", ("unverified", "protocol")),
    "401": ("return 401;", ("unverified", "unauthorized")),
    "410": ("return 410;", ("unverified", "protocol")),
    "416": ("return 416;", ("broken", "size_mismatch")),
    "500": ("return 500;", SERVER_ERROR),
    "503-slow-down": ("return 503 '<Error><Code>SlowDown</Code></Error>';", SERVER_ERROR),
    "no-answer": ("return 444;", ("unverified", "connection")),
    "and-on-and-on": ("return 307 $request_uri;", ("unverified", "protocol")),
}
LENGTHS = (0, 1, make.DEFAULT_SIZE - 1)
SHARING = ("shared/a", "shared/b", "shared/c")


def image(name: str) -> Content:
    return make.image(name, layers=1)


def layer(name: str) -> str:
    return image(name).root.layers[0].digest


def of_layer(name: str, verdict: tuple[str, str]) -> list[Told]:
    return [Told(*verdict, "pull", "layer", layer(name), None, (TAG,))]


@dataclass(frozen=True)
class Stored:
    """A registry whose blobs are served by another server."""

    registry: DockerRegistry
    store: Nginx

    def push(self, repository: str, content: Content) -> None:
        asyncio.run(self.registry.push(repository, content, TAG))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Both, running; the registry remembers what it has stored, as the official image does."""
    root = tmp_path_factory.mktemp("store") / "root"
    answers = (
        f"location ~ {layer(name).removeprefix('sha256:')} {{ default_type application/xml; {answer} }}"
        for name, (answer, _) in ANSWERS.items()
    )
    program = InstalledRegistry(find_program("docker-registry"))
    with ExitStack() as stack:
        server = Nginx(tmp_path_factory.mktemp("nginx"), f"root {root};\n" + "\n".join(answers))
        store = stack.enter_context(server)
        redirect = {"name": "redirect", "options": {"baseurl": f"{store.url}/"}}
        options = RegistryOptions(cache=True, more={"middleware": {"storage": [redirect]}})
        running = DockerRegistry(tmp_path_factory.mktemp("registry"), options, program)
        registry = stack.enter_context(running)
        root.symlink_to(registry.storage.root)
        yield Stored(registry, store)


@pytest.fixture(scope="module")
def walked(stored: Stored, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """What a probe tells of a registry of which the store has lost much."""
    names = ["whole", *ANSWERS, *(f"kept-{length}" for length in LENGTHS)]
    for name in names:
        stored.push(name, image(name))
    for name in SHARING:
        stored.push(name, image("shared"))
    for length in LENGTHS:
        stored.registry.damage.truncate_data(layer(f"kept-{length}"), length)
    stored.registry.damage.remove_data(layer("shared"))
    return walk(stored.registry.url, tmp_path_factory.mktemp("probe"))[1]


def test_what_the_store_has_is_intact(stored: Stored, walked: Walked) -> None:
    """The redirect is followed with the range that was asked for, and counted apart."""
    assert walked.found.get("whole", []) == []
    path = layer("whole").removeprefix("sha256:")
    last = make.DEFAULT_SIZE - 1
    [line] = [line for line in stored.store.access_log() if path in line]
    assert line.startswith("GET ")
    assert line.endswith(f'/data 206 "bytes={last}-{last}" "identity"')
    assert walked.report["extra_requests"]["redirect"] >= len(ANSWERS)


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_the_store_says_of_a_lost_object_counts(walked: Walked, answer: str) -> None:
    """Its 404 is no proxy's, whatever it looks like; its 403 may mean anything."""
    assert walked.found[answer] == of_layer(answer, ANSWERS[answer][1])


@pytest.mark.parametrize("length", LENGTHS)
def test_an_object_that_is_too_short_has_the_wrong_size(walked: Walked, length: int) -> None:
    """The store knows of no more bytes, whatever the registry remembers."""
    name = f"kept-{length}"
    assert walked.found[name] == of_layer(name, ("broken", "size_mismatch"))


@pytest.mark.parametrize("name", SHARING)
def test_a_lost_object_is_lost_to_every_repository(walked: Walked, name: str) -> None:
    """Also to those where only the link was asked for, by `HEAD`."""
    assert walked.found[name] == of_layer("shared", MISSING)


def test_a_store_that_is_down_makes_nothing_broken(stored: Stored, walked: Walked, tmp_path: Path) -> None:
    """Not even what was found broken before."""
    assert walked.report["outcome"] == "complete"
    stored.store.stop()
    status, down = walk(stored.registry.url, tmp_path)
    told = {(one.verdict, one.reason) for findings in down.found.values() for one in findings}
    assert (status, told) == (3, {("unverified", "connection")})
