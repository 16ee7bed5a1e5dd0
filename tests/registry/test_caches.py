"""How answers show that a pull-through cache gave them, and who is told."""

import httpx
import pytest

from exporter.oci import Digest
from exporter.registry import Errand, RegistryClient, open_client
from exporter.registry.caches import sign_of_cache
from exporter.registry.messages import AnswerHeaders
from tests.registry.scripted import ScriptedServer, json_reply, reply, serve

DIGEST = Digest.of(b"manifest")
BARE = "an Etag that is the bare digest, as distribution and Harbor give content from upstream"


@pytest.mark.parametrize(
    ("headers", "sign"),
    [
        # distribution 2.8 and 3, registry/proxy/proxyblobstore.go; Harbor, middleware/repoproxy/proxy.go
        ({"Docker-Content-Digest": DIGEST, "Etag": DIGEST}, BARE),
        ({"etag": DIGEST, "docker-content-digest": DIGEST}, BARE),
        ({"Docker-Content-Digest": DIGEST, "Etag": f'"{DIGEST}"'}, None),
        ({"Docker-Content-Digest": DIGEST, "Etag": Digest.of(b"other")}, None),
        ({"Docker-Content-Digest": DIGEST}, None),
        ({"Etag": DIGEST}, None),
        # Artifactory, of a remote repository
        (
            {"X-Artifactory-Origin-Remote-Path": "https://registry-1.docker.io/v2/library/alpine"},
            "the header x-artifactory-origin-remote-path",
        ),
        ({"X-Artifactory-Filename": "manifest.json", "X-Artifactory-Docker-Registry": "local"}, None),
        # nginx with proxy_cache, where add_header shows $upstream_cache_status
        ({"X-Cache-Status": "MISS"}, "the header x-cache-status"),
        ({"x-proxy-cache": "hit"}, "the header x-proxy-cache"),
        ({"X-Cache-Status": "BYPASS"}, None),
        ({"X-Cache-Status": ""}, None),
        # what a content delivery network adds before a registry that is no cache
        ({"X-Cache": "Miss from cloudfront", "Via": "1.1 x.cloudfront.net", "Age": "5"}, None),
        ({}, None),
    ],
)
def test_signs(headers: dict[str, str], sign: str | None):
    """Each kind of cache that gives itself away does it in a header of its own."""
    assert sign_of_cache(AnswerHeaders(httpx.Headers(headers).raw)) == sign


def noticing() -> tuple[list[tuple[str, str]], Errand]:
    """What was noticed, and on whose behalf."""
    noticed: list[tuple[str, str]] = []
    return noticed, Errand(notice_cache=lambda repository, sign: noticed.append((repository, sign)))


async def test_every_answer_about_a_repository_is_looked_at(server: ScriptedServer, client: RegistryClient):
    """Those for the catalog, and errors, say nothing of content."""
    shown = {"Docker-Content-Digest": DIGEST, "Etag": DIGEST, "X-Cache-Status": "HIT"}
    path = f"/v2/team/app/blobs/{DIGEST}"
    server.answer("GET /v2/_catalog?n=1000", json_reply({"repositories": []}, **shown))
    server.answer(f"HEAD {path}", reply(200, b"", shown))
    server.answer("HEAD /v2/team/app/manifests/v1", reply(200, b"", shown))
    noticed, errand = noticing()
    await client.catalog(errand)
    assert noticed == []
    await client.head_blob("team/app", DIGEST, errand)
    await client.head_manifest("team/app", "v1", errand)
    assert noticed == [("team/app", "the header x-cache-status")] * 2


async def test_what_another_origin_answers_says_nothing(server: ScriptedServer):
    """A content delivery network that keeps blobs does not make a cache of the registry."""
    path = f"/v2/team/app/blobs/{DIGEST}"
    async with serve() as store, open_client(server.url) as client:
        server.answer(f"HEAD {path}", reply(307, b"", {"Location": f"{store.url}/data"}))
        store.answer("HEAD /data", reply(200, b"", {"X-Cache-Status": "HIT"}))
        noticed, errand = noticing()
        await client.head_blob("team/app", DIGEST, errand)
    assert noticed == []


async def test_nobody_need_listen(server: ScriptedServer, client: RegistryClient):
    """Without a listener a sign changes nothing."""
    server.answer("HEAD /v2/team/app/manifests/v1", reply(200, b"", {"X-Cache-Status": "HIT"}))
    assert (await client.head_manifest("team/app", "v1", Errand())).digest is None
