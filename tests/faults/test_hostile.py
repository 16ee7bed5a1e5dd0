"""Registries that mean harm: a cycle of each ends, in little memory, and what else there is is walked."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sample import content as make
from sample import media_types as types
from sample.content import Content, Manifest
from tests.artifacts.holdings import Told, findings_of
from tests.faults.hostile import HostileServer, Improvise, serve_hostile
from tests.faults.measured import Measured, measure
from tests.faults.script import script
from tests.faults.victims import BYSTANDER, CONTENTS, TAG
from tests.parts.exporter import Exporter
from tests.registry.scripted import Reply, Then, json_reply, reply

DEADLINE = 60.0  # seconds; most of it is for busy machines
MOST_MEMORY = 200 * 1024 * 1024
LONGEST_PAGE = 8 * 1024 * 1024
LONGEST_MANIFEST = 4 * 1024 * 1024


async def walk_hostile(
    folder: Path, improvise: Improvise, contents: dict[str, Content] | None = None
) -> tuple[Measured, HostileServer]:
    """Probe a server that improvises, and otherwise serves the victims and these contents."""
    async with serve_hostile(improvise) as server:
        script(server, CONTENTS | (contents or {}))
        measured = await measure_bounded(server.url, folder)
    return measured, server


async def measure_bounded(url: str, folder: Path) -> Measured:
    """Probe a server; it takes no longer and no more memory than it may."""
    measured = await asyncio.to_thread(measure, url, folder)
    assert measured.seconds < DEADLINE
    assert measured.peak < MOST_MEMORY
    return measured


def only(path: str, what: Reply) -> Improvise:
    """Answer whatever is asked for below a path with the same."""
    return lambda line: what if line.partition(" ")[2].startswith(path) else None


def endless(names: Callable[[int], Iterable[str]], link: Callable[[int], str]) -> Improvise:
    """Answer with one page of the catalog after the other."""

    def improvise(line: str) -> Reply | None:
        if not line.startswith("GET /v2/_catalog"):
            return None
        found = re.search(r"page=([0-9]+)", line)
        number = int(found[1]) if found else 0
        return json_reply({"repositories": list(names(number))}, Link=f'<{link(number + 1)}>; rel="next"')

    return improvise


def following(number: int) -> str:
    return f"/v2/_catalog?page={number}"


def catalog(text: bytes) -> Improvise:
    return only("/v2/_catalog", reply(200, b'{"repositories":' + text))


def filled(unit: bytes, size: int = LONGEST_PAGE - 100) -> bytes:
    """A list of the same again and again."""
    return b"[" + b",".join([unit] * (size // (len(unit) + 1))) + b"]"


CATALOGS: dict[str, Improvise] = {
    "never-ends": endless(lambda page: (f"r{page}x{number}" for number in range(1000)), following),
    "never-ends-with-long-names": endless(
        lambda page: (f"r{page}x{number}".ljust(255, "x") for number in range(1000)), following
    ),
    "never-ends-and-is-empty": endless(lambda _: (), following),
    "never-ends-one-by-one": endless(lambda page: [f"r{page}"], following),
    "repeats": endless(lambda _: ["a", "b"], following),
    "links-to-itself": endless(lambda _: ["a"], lambda _: "/v2/_catalog?n=1000"),
    "links-in-a-circle": endless(lambda _: ["a"], lambda page: following(page % 3)),
    "links-to-no-address": endless(lambda _: ["a"], lambda _: "http://[::"),
    "nested-deep": catalog(b"[" * 8_000_000),
    "of-empty-lists": catalog(filled(b"[]") + b"}"),
    "of-empty-objects": catalog(filled(b"{}") + b"}"),
    "of-numbers": catalog(filled(b"1000") + b"}"),
    "of-one-long-number": catalog(b"9" * 8_000_000 + b"}"),
    "larger-than-any": catalog(b'["' + b"x" * (LONGEST_PAGE + 1) + b'"]}'),
    "never-whole": only("/v2/_catalog", reply(200, b'{"repositories":["a"', length=10**18, then=Then.STALL)),
    "no-object": only("/v2/_catalog", reply(200, b'"repositories"')),
    "not-utf-8": catalog(b'["\xff"]}'),
}


ASKED = {"links-to-itself": 1, "links-in-a-circle": 4, "links-to-no-address": 1, "nested-deep": 1}


@pytest.mark.parametrize("hostile", CATALOGS)
async def test_a_hostile_catalog_fails_the_cycle(tmp_path: Path, hostile: str) -> None:
    """It ends, says so, and nothing is broken by it."""
    measured, server = await walk_hostile(tmp_path, CATALOGS[hostile])
    report = measured.report
    assert (measured.status, report["outcome"], report["findings"]) == (3, "failed", [])
    # What was answered before is not asked for again.
    assert hostile not in ASKED or len(server.requests) == ASKED[hostile]


async def test_a_link_to_another_host_is_not_followed(tmp_path: Path) -> None:
    """Nobody there learns of us, and no credentials of ours."""
    async with serve_hostile(lambda _: json_reply({"repositories": []})) as other:
        leading = endless(lambda _: ["a"], lambda _: f"{other.url}/v2/_catalog?page=1")
        measured, _ = await walk_hostile(tmp_path, leading)
        assert other.requests == []
    assert (measured.status, measured.report["outcome"]) == (3, "failed")


@pytest.mark.parametrize("hostile", ["never-ends", "repeats", "links-to-itself", "of-empty-lists"])
async def test_hostile_tags_leave_the_other_repositories_walked(tmp_path: Path, hostile: str) -> None:
    """The list of a repository's tags can be as wrong as the catalog; it is one repository's only."""
    improvise = CATALOGS[hostile]

    def of_tags(line: str) -> Reply | None:
        if not line.startswith(f"GET /v2/{BYSTANDER}/tags/list"):
            return None
        asked = improvise(line.replace(f"/v2/{BYSTANDER}/tags/list", "/v2/_catalog"))
        if asked is None:
            return None
        data = asked.data.replace(b'"repositories"', b'"tags"        ')
        return Reply(data.replace(b"</v2/_catalog", f"</v2/{BYSTANDER}/tags/list".encode()), asked.then)

    measured, _ = await walk_hostile(tmp_path, of_tags)
    assert (measured.status, measured.report["outcome"]) == (3, "incomplete")
    assert [
        (finding["repository"], finding["kind"], finding["verdict"], finding["tags"])
        for finding in measured.report["findings"]
    ] == [(BYSTANDER, "tag", "unverified", [])]
    assert measured.report["tags"] == len(CONTENTS) - 1


def manifest(text: bytes, media_type: str = types.OCI_MANIFEST) -> Content:
    return Content((Manifest(text, media_type),), {})


def image_with(layers: bytes) -> Content:
    """An image of these layers, written as they are."""
    config = make.layer("config").descriptor()
    head = json.dumps({"schemaVersion": 2, "mediaType": types.OCI_MANIFEST, "config": config})
    return manifest(head[:-1].encode() + b', "layers": ' + layers + b"}")


def index_with(manifests: bytes) -> Content:
    head = json.dumps({"schemaVersion": 2, "mediaType": types.OCI_INDEX})
    return manifest(head[:-1].encode() + b', "manifests": ' + manifests + b"}", types.OCI_INDEX)


def descriptors(media_type: str, count: int, size: int = 1) -> bytes:
    """So many of them, each of other content that nobody has."""
    listed = (
        b'{"mediaType":"%s","digest":"sha256:%064x","size":%d}' % (media_type.encode(), number, size)
        for number in range(count)
    )
    return b"[" + b",".join(listed) + b"]"


NEARLY = LONGEST_MANIFEST - 1000
MALFORMED, TOO_LARGE = ("broken", "malformed"), ("unverified", "too_large")
MANIFESTS: dict[str, tuple[Content, tuple[str, str]]] = {
    "a-billion-children-as-a-number": (index_with(b"1000000000"), MALFORMED),
    "a-billion-children-as-a-field": (index_with(b'{"count": 1000000000}'), MALFORMED),
    "as-many-children-as-fit": (index_with(descriptors(types.OCI_MANIFEST, 26_000)), TOO_LARGE),
    "as-many-layers-as-fit": (image_with(descriptors("a/b", 38_000)), TOO_LARGE),
    "nested-deep": (image_with(b"[" * NEARLY), MALFORMED),
    "nested-deep-objects": (image_with(b'{"a":' * (NEARLY // 5)), MALFORMED),
    "of-empty-lists": (image_with(filled(b"[]", NEARLY)), MALFORMED),
    "of-empty-objects": (image_with(filled(b"{}", NEARLY)), MALFORMED),
    "of-numbers": (image_with(filled(b"1000", NEARLY)), MALFORMED),
    "of-one-long-number": (image_with(b"9" * NEARLY), MALFORMED),
    "of-one-long-text": (image_with(b'"' + b"x" * NEARLY + b'"'), MALFORMED),
    "one-byte-too-long": (image_with(b"[]" + b" " * LONGEST_MANIFEST), TOO_LARGE),
    "empty": (manifest(b""), MALFORMED),
    "no-json": (manifest(b"\x00\xff"), MALFORMED),
    "a-negative-size": (image_with(descriptors("a/b", 1, -1)), MALFORMED),
    "a-size-beyond-all-bounds": (image_with(descriptors("a/b", 1, 10**30)), MALFORMED),
    "an-index-as-an-image": (manifest(index_with(b"[]").root.data), MALFORMED),
    "an-image-as-an-index": (manifest(image_with(b"[]").root.data, types.OCI_INDEX), MALFORMED),
}


async def test_hostile_manifests_are_told_and_leave_the_others_walked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """All of them in one registry."""
    contents = {f"hostile/{name}": content for name, (content, _) in MANIFESTS.items()}
    measured, _ = await walk_hostile(tmp_path_factory.mktemp("probe"), lambda _: None, contents)
    found = findings_of({"registries": [measured.report]})
    assert found == {
        name: [Told(*verdict, "pull", "tag", content.digest, None, (TAG,))]
        for name, (content, verdict) in ((f"hostile/{name}", told) for name, told in MANIFESTS.items())
    }
    assert (measured.status, measured.report["outcome"]) == (1, "complete")


async def test_many_of_the_longest_manifests_at_once_need_little_memory(tmp_path: Path) -> None:
    """As many as connections may be open, each as bad as can be."""
    unit = filled(b"[]", NEARLY)
    contents = {f"hostile/{number}": image_with(unit + b" " * number) for number in range(40)}
    measured, _ = await walk_hostile(tmp_path, lambda _: None, contents)
    assert len(measured.report["findings"]) == len(contents)


def unending(line: str) -> Reply | None:
    """Serve two fresh children below each manifest, under digests that nobody can compute."""
    found = re.fullmatch(r"GET /v2/hostile/manifests/(blake3:[0-9a-f]{64})", line)
    if found is None:
        return None
    return reply(200, tree(found[1]), {"Content-Type": types.OCI_INDEX, "Docker-Content-Digest": found[1]})


def tree(name: str) -> bytes:
    """The manifest of this name; all of them have the same length."""
    children = [
        {"mediaType": types.OCI_INDEX, "digest": f"blake3:{make.noise(name + side, 32).hex()}", "size": 403}
        for side in ("left", "right")
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": children}).encode()


async def test_a_tree_of_manifests_without_end_is_left_at_a_bound(tmp_path: Path) -> None:
    """Where it is left is told; what was asked for is not asked again."""
    root = manifest(tree("root"), types.OCI_INDEX)
    measured, _ = await walk_hostile(tmp_path, unending, {"hostile": root})
    report = measured.report
    assert {(one["verdict"], one["reason"]) for one in report["findings"]} == {TOO_LARGE}
    assert {one["repository"] for one in report["findings"]} == {"hostile"}
    assert (measured.status, report["outcome"]) == (3, "complete")
    assert report["checked"]["child"] <= 25_000 + len(CONTENTS)


async def test_errors_without_end_need_little_memory(tmp_path: Path) -> None:
    """Only the beginning of what explains an error is read, and only so much of a header."""
    explained = reply(500, b'{"errors":[' + b"[" * LONGEST_PAGE, length=10**15, then=Then.STALL)
    demanding = reply(401, headers={"WWW-Authenticate": "Bearer realm=" + ", a=b" * 1000})
    contents = {
        **{f"hostile/explained-{number}": make.image(f"explained {number}") for number in range(10)},
        **{f"hostile/demanding-{number}": make.image(f"demanding {number}") for number in range(10)},
    }

    def improvise(line: str) -> Reply | None:
        found = re.match(r"(GET|HEAD) /v2/hostile/(explained|demanding)-[0-9]+/manifests/sha256:", line)
        return {"explained": explained, "demanding": demanding}[found[2]] if found else None

    measured, _ = await walk_hostile(tmp_path, improvise, contents)
    told = {(one["repository"].partition("-")[0], one["reason"]) for one in measured.report["findings"]}
    assert told == {("hostile/explained", "server_error"), ("hostile/demanding", "unauthorized")}
    assert (measured.status, measured.report["outcome"]) == (3, "complete")


# The worst first: of many, only the first few are shown.
NAMES = (
    *("a\nb", "a\r\nX-Header: y", "a\tb", "a\0b", "\x1b[2J", "\x9b2J", "a\u202eb", "a\u2028b", "\ud800"),
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', '"} 1\nup{a="', "{{7*7}}", "[bold]a[/]"),
    *(
        "",
        ".",
        "..",
        "../../../etc/passwd",
        "a/../b",
        "/a",
        "a/",
        "a//b",
        ".hidden",
        "-a",
        "a?b",
        "a#b",
        "a&b=c",
    ),
    *("a%2f..%2fb", "a%00b", "a%0d%0aX: y", "a b", "a\\b", "a:b", "a@b", "A\u00fc", "x" * 300),
)
IMAGE = CONTENTS[BYSTANDER].manifests[0]
REQUEST = re.compile(
    r"(?:GET|HEAD) /v2/(?:_catalog\?n=1000"
    r"|[a-z0-9/-]+/(?:tags/list\?n=1000|manifests/(?:latest|sha256:[0-9a-f]{64}|a:b)|blobs/sha256:[0-9a-f]{64}))"
)  # a:b is a digest of an algorithm that nobody knows


def pointing(place: str, name: str) -> Content:
    """An index that has this name in a place where something else should be."""
    entry: dict[str, Any] = {**IMAGE.descriptor(), "platform": {"os": "linux", "architecture": "amd64"}}
    if place in {"os", "architecture", "variant"}:
        entry["platform"][place] = name
    else:
        entry[place] = name
    return index_with(json.dumps([entry]).encode())


PLACES = ("digest", "mediaType", "os", "architecture", "variant", "artifactType")


def with_hostile_names(server: HostileServer) -> None:
    """Let every name stand wherever a registry can put one."""
    contents = {
        f"hostile/{place.lower()}-{number}": pointing(place, name)
        for place in PLACES
        for number, name in enumerate(NAMES)
    }
    script(server, CONTENTS | contents | {"hostile/tags": make.image("tags")})
    server.always(
        "GET /v2/_catalog?n=1000",
        json_reply({"repositories": [*CONTENTS, *contents, *NAMES, "hostile/tags", "hostile/words"]}),
    )
    server.always("GET /v2/hostile/tags/tags/list?n=1000", json_reply({"tags": [*NAMES, TAG]}))
    words = {"errors": [{"code": name, "message": name, "detail": name} for name in NAMES]}
    server.always(
        "GET /v2/hostile/words/tags/list?n=1000", json_reply(words, 418, Location=r"/\..\%0a<script>")
    )
    server.otherwise = reply(404)  # what the names lead to


def texts(document: Any) -> Iterator[str]:
    """Every text of a document, keys too."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from texts(value)


def unfit(document: Any) -> set[str]:
    """The texts that hold more than one line of printable ASCII, or more of it than anyone reads."""
    return {text for text in texts(document) if not re.fullmatch(r"[ -~]{0,400}", text)}


async def test_hostile_names_reach_no_path_and_stand_nowhere_raw(tmp_path: Path) -> None:
    """In no request, in no text of the output, in no line of the log."""
    async with serve_hostile(lambda _: None) as server:
        with_hostile_names(server)
        measured = await measure_bounded(server.url, tmp_path)
    assert [line for line in server.lines if not REQUEST.fullmatch(line)] == []
    assert unfit(json.loads(measured.output)) == set()
    assert [unfit(json.loads(line)) for line in measured.log.splitlines()] == [set()] * len(
        measured.log.splitlines()
    )
    found = findings_of({"registries": [measured.report]})
    assert not found.keys() & CONTENTS.keys()
    assert found["hostile/tags"] == [Told("unverified", "protocol", "pull", "tag", None, None, ())]
    for number, name in enumerate(NAMES):
        [told] = found[f"hostile/digest-{number}"]
        assert (told.verdict, told.reason) == (("unverified", "protocol") if name == "a:b" else MALFORMED)


async def test_hostile_names_stand_raw_in_no_metric_and_on_no_page(tmp_path: Path) -> None:
    """The daemon shows them to more people than a terminal does."""
    async with serve_hostile(lambda _: None) as server:
        with_hostile_names(server)
        with await asyncio.to_thread(Exporter, tmp_path, f"--registry=registry={server.url}") as exporter:
            await exporter.wait_for_cycles()
            async with httpx.AsyncClient(base_url=exporter.url, trust_env=False) as client:
                metrics = (await client.get("/metrics")).raise_for_status().text
                page = (await client.get("/")).raise_for_status().text
            labels = [sample.labels for sample in await exporter.samples("broken_reference_info")]
            lines = exporter.process.lines
    assert re.findall(r"[^ -~\n]", metrics) == []
    assert unfit(labels) == set()
    assert re.findall(r"<script>alert|<img src|[^ -~\n\u00b7\u2014\u2026\u2013]", page) == []
    assert [line for line in lines if not re.fullmatch(r"[ -~]*", line)] == []
    assert len(labels) >= len(NAMES) - 1
