"""Registries that mean harm: the check ends, in little memory, and calls nothing harmless unseen."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.deletion import walk
from sample import media_types as types
from sample.content import digest_of
from tests.deletion.test_walk import INDEX, ONE, broken, told
from tests.faults.hostile import Improvise, serve_hostile
from tests.faults.measured import Measured, measure_command
from tests.integrity.scripted import ScriptedRegistry
from tests.registry.scripted import Reply, json_reply, reply

DEADLINE = 60.0  # seconds; most of it is for busy machines
MOST_MEMORY = 200 * 1024 * 1024
PATIENT = {"REGISTRY_INTEGRITY_TIMEOUT": "30s"}  # whatever else the machine does


async def check_hostile(folder: Path, improvise: Improvise) -> tuple[Measured, dict[str, Any]]:
    async with serve_hostile(improvise) as server:
        (folder / "old.txt").write_text(f"{server.url.removeprefix('http://')}/app:old\n", "utf-8")
        command = ("check-deletion", "--quiet", str(folder / "old.txt"))
        measured = await asyncio.to_thread(measure_command, command, folder, PATIENT)
    assert measured.seconds < DEADLINE
    assert measured.peak < MOST_MEMORY
    [registry] = json.loads(measured.output)["registries"]
    [repository] = registry["repositories"]
    return measured, repository


def tags(*names: str) -> Reply:
    return json_reply({"tags": list(names)})


def wide_index(number: int) -> bytes:
    """As many images as one tag may lead to, none of them another index's."""
    entries = [
        {"mediaType": types.OCI_MANIFEST, "digest": f"sha256:{number * 25_000 + one:064x}", "size": 1}
        for one in range(24_999)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": entries}).encode()


def served(contents: Mapping[str, bytes]) -> Improvise:
    """Serve indexes, each under its tag and its digest."""
    by_reference = {**contents, **{digest_of(data): data for data in contents.values()}}

    def improvise(line: str) -> Reply | None:
        method, _, target = line.partition(" ")
        if target.startswith("/v2/app/tags/list"):
            return tags(*contents)
        data = by_reference[target.rpartition("/")[2]]
        headers = {"Content-Type": types.OCI_INDEX, "Docker-Content-Digest": digest_of(data)}
        return reply(200, b"" if method == "HEAD" else data, headers, length=len(data))

    return improvise


async def test_many_large_indexes(tmp_path: Path):
    """Of what they list, only what goes is remembered."""
    contents = {f"v{number}": wide_index(number) for number in range(12)}
    old = json.dumps({"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": []}).encode()
    measured, repository = await check_hostile(tmp_path, served({**contents, "old": old}))
    assert (measured.status, repository["kept_tags"], repository["undetermined"]) == (0, 12, [])
    assert [one["listed"] for one in repository["would_be_deleted"]] == [["old"]]


async def test_a_list_of_tags_without_end(tmp_path: Path):
    """It is left, and says nothing."""

    def improvise(line: str) -> Reply:
        found = re.search(r"page=([0-9]+)", line)
        page = int(found[1]) if found else 0
        names = [f"v{page}x{number}".ljust(128, "x") for number in range(1000)]
        return json_reply({"tags": names}, Link=f'</v2/app/tags/list?page={page + 1}>; rel="next"')

    measured, repository = await check_hostile(tmp_path, improvise)
    assert measured.status == 3
    assert repository["undetermined"] == ["GET /v2/app/tags/list lists tags without end"]


@pytest.mark.parametrize("body", [b"[" * 8_000_000, b'{"tags":[' + b"7," * 4_000_000, b'{"tags":{}}'])
async def test_a_list_of_tags_that_is_none(tmp_path: Path, body: bytes):
    """However large."""
    measured, repository = await check_hostile(tmp_path, lambda _: reply(200, body))
    assert (measured.status, len(repository["undetermined"])) == (3, 1)


def test_a_chain_of_indexes_without_end(monkeypatch: pytest.MonkeyPatch):
    """Each under a digest that nobody can compute, so that it may list the next."""
    monkeypatch.setattr(walk, "MOST_REFERENCES", 100)
    registry = ScriptedRegistry()
    registry.store("app", ONE, "one")
    for number in range(500):
        entry = {"mediaType": types.OCI_INDEX, "digest": f"own:{number + 1}", "size": 1}
        document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": [entry]}
        registry.manifests["app", f"own:{number}"] = (json.dumps(document).encode(), types.OCI_INDEX)
    registry.tags["app"]["endless"] = "own:0"
    whole = told(registry, "one")
    assert whole.undetermined == ("app@own:100: not followed: its tag leads to more than 100 references",)
    assert len(registry.asked) < 110


def test_indexes_in_a_circle():
    """Each is asked for once."""
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    registry.store("app", ONE, "one")
    for name, other in (("own:1", "own:2"), ("own:2", "own:1")):
        entries = [
            {"mediaType": types.OCI_INDEX, "digest": other, "size": 1},
            {"mediaType": types.OCI_INDEX, "digest": INDEX.digest, "size": 1},
        ]
        document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": entries}
        registry.manifests["app", name] = (json.dumps(document).encode(), types.OCI_INDEX)
    registry.tags["app"] |= {"circle": "own:1", "other": "own:2"}
    assert broken(told(registry, "one")) == ["circle", "latest", "other"]
    assert len([asked for asked in registry.asked if asked.startswith("GET /v2/app/manifests/")]) == 3
