"""The registry of the victims as a script, byte for byte, so that it can go wrong in any way."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from sample.content import Content
from tests.faults.victims import CONTENTS, TAG, Walked, path_of, walk_all
from tests.registry.scripted import Reply, ScriptedServer, json_reply, reply, serve


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


def last_byte_of(data: bytes) -> Reply:
    """Answer a request for the last byte."""
    last = len(data) - 1
    return reply(206, data[last:], {"Content-Range": f"bytes {last}-{last}/{len(data)}"})


def lines_of(kind: str) -> tuple[str, ...]:
    """What is asked for the victim of a kind: a tag by `HEAD`, and by `GET` to confirm."""
    return tuple(f"{method} {path_of(kind)}" for method in (("HEAD", "GET") if kind == "tag" else ("GET",)))


Scenario = Callable[[ScriptedServer], None]


async def walk_scripts(scenarios: Mapping[str, Scenario], folder: Path) -> dict[str, Walked]:
    """Serve the script once for each scenario, which changes it, and probe all of them at once."""
    async with AsyncExitStack() as stack:
        urls = {}
        for name, change in scenarios.items():
            server = await stack.enter_async_context(serve())
            script(server)
            change(server)
            urls[name] = server.url
        return await asyncio.to_thread(walk_all, urls, folder)
