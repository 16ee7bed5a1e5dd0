"""The registry of the victims as a script, byte for byte, so that it can go wrong in any way."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sample.content import Content
from tests.artifacts.holdings import Told
from tests.faults.victims import CONTENTS, TAG, path_of, walk
from tests.registry.scripted import Reply, ScriptedServer, json_reply, reply


def script(server: ScriptedServer, contents: Mapping[str, Content] = CONTENTS, tag: str = TAG) -> None:
    """Let the server answer for whole repositories; no two of them share a blob."""
    server.always("GET /v2/_catalog?n=1000", json_reply({"repositories": list(contents)}))
    for name, content in contents.items():
        server.always(f"GET /v2/{name}/tags/list?n=1000", json_reply({"name": name, "tags": [tag]}))
        for manifest in content.manifests:
            headers = {"Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}
            for reference in (tag, manifest.digest) if manifest is content.root else (manifest.digest,):
                target = f"/v2/{name}/manifests/{reference}"
                server.always(f"HEAD {target}", reply(200, b"", headers, length=manifest.size))
                server.always(f"GET {target}", reply(200, manifest.data, headers))
        for digest, data in content.blobs.items():
            server.always(f"GET /v2/{name}/blobs/{digest}", last_byte_of(data))


def last_byte_of(data: bytes, total: int | None = None) -> Reply:
    """Answer a request for the last byte."""
    last = len(data) - 1
    return reply(206, data[last:], {"Content-Range": f"bytes {last}-{last}/{total or len(data)}"})


def lines_of(kind: str) -> tuple[str, ...]:
    """What is asked for the victim of a kind: a tag by `HEAD`, and by `GET` to confirm."""
    return tuple(f"{method} {path_of(kind)}" for method in (("HEAD", "GET") if kind == "tag" else ("GET",)))


async def walk_script(
    server: ScriptedServer, folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], dict[str, list[Told]]]:
    """Probe the server; return the exit status, the report and its findings."""
    return await asyncio.to_thread(walk, server.url, folder, environment)


def whole(kind: str) -> bytes:
    """The manifest that the victim of a kind leads to, or is."""
    content = CONTENTS[f"victim/{kind}"]
    return (content.root if kind == "tag" else content.manifests[0]).data


def compact(document: Any) -> bytes:
    """Write JSON."""
    return json.dumps(document, separators=(",", ":")).encode()
