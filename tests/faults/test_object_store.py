"""A registry that redirects to the store of its data: what that store says counts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sample import content as make
from sample.registry import DockerRegistry
from tests.artifacts.holdings import Told
from tests.faults.victims import walk
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.nginx import Nginx

NO_SUCH_KEY = """<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>
<Message>The specified key does not exist.</Message></Error>"""
ACCESS_DENIED = """<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>"""
IMAGE = make.image("image", layers=2)
LAYER = IMAGE.root.layers[0].digest
BLOBS = len(IMAGE.blobs)


@dataclass(frozen=True)
class Stored:
    """A registry whose blobs are served by another server."""

    registry: DockerRegistry
    store: Nginx

    def lose(self) -> None:
        """Lose the data of the layer; the registry remembers it."""
        self.registry.damage.remove_data(LAYER)


StartStored = Callable[[str], Stored]


@pytest.fixture
def start_stored(
    start_registry: StartRegistry, start_nginx: StartNginx, tmp_path_factory: pytest.TempPathFactory
) -> StartStored:
    """Start a registry and its store, which answers with this where it has nothing."""

    def start(where_nothing_is: str) -> Stored:
        root = tmp_path_factory.mktemp("store") / "root"
        store = start_nginx(f"""
            root {root};
            error_page 404 = @nothing;
            location @nothing {{ default_type application/xml; {where_nothing_is} }}
        """)
        redirect = {"name": "redirect", "options": {"baseurl": f"{store.url}/"}}
        registry = start_registry(cache=True, more={"middleware": {"storage": [redirect]}})
        root.symlink_to(registry.storage.root)
        return Stored(registry, store)

    return start


def of_layer(verdict: str, reason: str) -> Told:
    return Told(verdict, reason, "pull", "layer", LAYER, None, ("latest",))


SERVER_ERROR = of_layer("unverified", "server_error")
MISSING = of_layer("broken", "missing")


@pytest.fixture
def start_and_push(start_stored: StartStored) -> Callable[..., Stored]:
    """Start them and push the image, which the registry's memory then knows."""

    def start(where_nothing_is: str = f"return 404 '{NO_SUCH_KEY}';") -> Stored:
        stored = start_stored(where_nothing_is)
        asyncio.run(stored.registry.push("app", IMAGE, "latest"))
        return stored

    return start


def test_what_the_store_has_is_intact(start_and_push: Callable[..., Stored], tmp_path: Path) -> None:
    """Every redirect is counted apart, and followed with the range that was asked for."""
    stored = start_and_push()
    status, report, found = walk(stored.registry.url, tmp_path)
    assert (status, found, report["extra_requests"]["redirect"]) == (0, {}, BLOBS)
    ranges = [line.partition('"')[2].partition('"')[0] for line in stored.store.access_log()]
    assert sorted(ranges) == sorted(f"bytes={len(data) - 1}-{len(data) - 1}" for data in IMAGE.blobs.values())


ANSWERS = {
    "404": (f"return 404 '{NO_SUCH_KEY}';", MISSING),
    "404-without-a-word": ("return 404 '';", MISSING),
    "403": (f"return 403 '{ACCESS_DENIED}';", of_layer("unverified", "forbidden")),
    "400": ("return 400;", of_layer("unverified", "protocol")),
    "500": ("return 500;", of_layer("unverified", "server_error")),
    "503-slow-down": (
        "return 503 '<Error><Code>SlowDown</Code></Error>';",
        of_layer("unverified", "server_error"),
    ),
    "no-answer": ("return 444;", of_layer("unverified", "connection")),
    "and-on-and-on": ("return 307 $request_uri;", of_layer("unverified", "protocol")),
}


@pytest.mark.parametrize(("answer", "finding"), ANSWERS.values(), ids=ANSWERS)
def test_what_the_store_says_of_a_lost_object_counts(
    start_and_push: Callable[..., Stored], tmp_path: Path, answer: str, finding: Told
) -> None:
    """Its 404 is no proxy's, whatever it looks like; its 403 may mean anything."""
    stored = start_and_push(answer)
    stored.lose()
    status, _, found = walk(stored.registry.url, tmp_path)
    assert found == {"app": [finding]}
    assert status == (1 if finding.verdict == "broken" else 3)


def test_a_lost_object_is_lost_to_every_repository(
    start_and_push: Callable[..., Stored], tmp_path: Path
) -> None:
    """Also to those where only the link was asked for, by `HEAD`."""
    stored = start_and_push()
    names = ["app", "other", "third"]
    for name in names[1:]:
        asyncio.run(stored.registry.push(name, IMAGE, "latest"))
    stored.lose()
    status, _, found = walk(stored.registry.url, tmp_path)
    assert (status, found) == (1, {name: [MISSING] for name in names})


@pytest.mark.parametrize("kept", [0, 1, 63])
def test_an_object_that_is_too_short_has_the_wrong_size(
    start_and_push: Callable[..., Stored], tmp_path: Path, kept: int
) -> None:
    """The store knows of no more bytes, whatever the registry remembers."""
    stored = start_and_push()
    stored.registry.damage.truncate_data(LAYER, kept)
    status, _, found = walk(stored.registry.url, tmp_path)
    assert (status, found) == (1, {"app": [of_layer("broken", "size_mismatch")]})


def test_a_store_that_is_down_makes_nothing_broken(
    start_and_push: Callable[..., Stored], tmp_path: Path
) -> None:
    """What the registry itself serves is still verified."""
    stored = start_and_push()
    stored.store.stop()
    status, report, found = walk(stored.registry.url, tmp_path)
    assert {(one.verdict, one.reason, one.kind) for one in found["app"]} == {
        ("unverified", "connection", "config"),
        ("unverified", "connection", "layer"),
    }
    assert (status, report["outcome"], len(found["app"])) == (3, "complete", BLOBS)
