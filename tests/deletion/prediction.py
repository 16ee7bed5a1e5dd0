"""What is told of a deletion, and what is seen after it was done: on any registry, real or in process."""

from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from hypothesis import strategies as st

from exporter.deletion import Listed, RepositoryConsequences, RepositoryWalk, consequences_of
from exporter.integrity import Report, Verdict
from exporter.integrity.workers import Batch, Workers
from exporter.oci import Digest
from exporter.registry import Errand, RegistryClient
from exporter.registry.connections import open_transport
from sample.registry import DockerRegistry
from tests.integrity.cycles import cycle_over
from tests.integrity.world import World
from tests.parts.registry_in_process import InProcessRegistry
from tests.parts.twins import ACCEPT

Registry = InProcessRegistry | DockerRegistry
Tag = tuple[str, str]


@dataclass(frozen=True)
class Compared:
    """Tags of the whole registry, with their repositories.

    `broken_before` and `broken_after` are kept tags that cannot be pulled whole, or are gone; `predicted`
    those that are told beforehand. `wrong` are other claims that turned out not to be true.
    """

    predicted: frozenset[Tag]
    broken_before: frozenset[Tag]
    broken_after: frozenset[Tag]
    undetermined: tuple[str, ...]
    wrong: tuple[str, ...]


async def consequences(
    client: RegistryClient, repository: str, listed: Listed, concurrency: int = 4
) -> RepositoryConsequences:
    """Walk one repository, and tell."""
    workers = Workers(concurrency)
    found: list[RepositoryConsequences] = []

    async def opening() -> None:
        walk = RepositoryWalk(client, repository, listed, Errand(), Batch(workers))
        found.append(consequences_of(repository, await walk.run(), listed))

    await workers.run(iter([opening]))
    [told] = found
    return told


def draw_listed(data: st.DataObject, world: World) -> dict[str, Listed]:
    """Draw what of each repository is to be deleted: tags, manifests at any depth, and what is not there."""
    nothing = Digest.of(b"nothing")
    drawn = {}
    for name, contents in world.repositories.items():
        manifests = {Digest(one.digest) for content in contents.values() for one in content.manifests}
        tags = st.sets(st.sampled_from([*sorted(contents), "never-pushed"]), max_size=2)
        digests = st.sets(st.sampled_from([*sorted(manifests), nothing]), max_size=2)
        drawn[name] = Listed(frozenset(data.draw(tags)), frozenset(data.draw(digests)))
    return drawn


async def compare(world: World, registry: Registry, listed: Mapping[str, Listed]) -> Compared:
    """Push, damage, tell, delete, and look again; the registry runs and is empty."""
    for name, contents in world.repositories.items():
        for tag, content in contents.items():
            await registry.push(name, content, tag)
    for deed in world.deeds:
        deed.do(registry.damage)
    async with _transport(registry) as transport, registry.client() as http:
        before = await _report(registry, transport)
        client = RegistryClient(registry.url, transport)
        told = [await consequences(client, name, what) for name, what in listed.items()]
        resolved = {name: await _resolved(http, name, listed[name]) for name in world.repositories}
        for name, digests in resolved.items():
            for digest in sorted(digests):
                await http.delete(f"/v2/{name}/manifests/{digest}")
        after = await _report(registry, transport)
        wrong = [claim for one in told for claim in await _wrong_claims(http, one)]
    kept = {
        (name, tag)
        for name, contents in world.repositories.items()
        for tag in contents
        if tag not in listed[name].tags
    }
    return Compared(
        frozenset((one.repository, tag.tag) for one in told for tag in one.broken_tags),
        frozenset(_broken(before, kept)),
        frozenset(_broken(after, kept)),
        tuple(detail for one in told for detail in one.undetermined),
        tuple(wrong),
    )


async def _resolved(http: httpx.AsyncClient, name: str, listed: Listed) -> set[str]:
    """What to delete: 2.8.2 takes no tags, so what they resolve to."""
    digests = set(listed.digests)
    for tag in listed.tags:
        answer = await http.head(f"/v2/{name}/manifests/{tag}", headers=ACCEPT)
        if answer.status_code == 200:
            digests.add(Digest(answer.headers["Docker-Content-Digest"]))
    return digests


async def _report(registry: Registry, transport: httpx.AsyncBaseTransport) -> Report:
    delays = {} if isinstance(registry, InProcessRegistry) else {"confirm_delay": 0.0, "suspect_delay": 0.0}
    return await cycle_over(registry.url, transport, **delays).run(None)


def _broken(report: Report, kept: Iterable[Tag]) -> Iterable[Tag]:
    """A tag that is not in the report is not listed: it is gone, with its whole repository perhaps."""
    named = {
        (finding.repository, tag)
        for finding in report.findings()
        if finding.verdict is not Verdict.INTACT
        for tag in finding.tags
    }
    listed = {(name, tag) for name, one in report.repositories.items() for tag in one.roots}
    return (tag for tag in kept if tag in named or tag not in listed)


async def _wrong_claims(http: httpx.AsyncClient, told: RepositoryConsequences) -> list[str]:
    """Find what is told, but is not so after the deletion."""

    async def status(reference: str) -> int:
        answer = await http.head(f"/v2/{told.repository}/manifests/{reference}", headers=ACCEPT)
        return answer.status_code

    gone = [
        *(one.tag for one in told.broken_tags if one.deleted),
        *(digest for one in told.broken_tags for digest in one.lost),
        *(reference for one in told.deletions for reference in (one.digest, *one.tags, *one.listed)),
        *told.not_found,
    ]
    wrong = [f"{reference} is there" for reference in gone if await status(reference) != 404]
    for one in told.deletions:
        for index in one.kept_indexes:
            answer = await http.get(f"/v2/{told.repository}/manifests/{index}", headers=ACCEPT)
            if answer.status_code != 200 or one.digest not in answer.text:
                wrong.append(f"{index} is no index of {one.digest} that is there")
    return wrong


@asynccontextmanager
async def _transport(registry: Registry):
    if isinstance(registry, InProcessRegistry):
        yield registry.transport
    else:
        async with open_transport(8) as transport:
            yield transport
