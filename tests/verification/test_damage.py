"""Every damage to an image is told with its reason, by the program itself and from a real registry."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.integrity import Report
from sample import content as make
from sample.content import Content
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.integrity.cycles import cycle_over
from tests.integrity.virtual_time import run
from tests.parts.deeds import DEEDS, Deed, digest_of_target
from tests.parts.programs import find_program
from tests.parts.registry_in_process import InProcessRegistry
from tests.verification.running import Done, verify

TAG = "1.2.3"
# A walk of the whole registry does not see what is not listed; who asks for it by name does.
NOT_LISTED = {"remove_tag_link", "remove_tag", "remove_repository", "remove_manifests_folder"}
# What only reading every byte shows.
ONLY_FULL = {"flip_data config": "digest_mismatch", "flip_data layer": "digest_mismatch"}

Told = tuple[str, str, str, str | None, tuple[str, ...]]


@dataclass(frozen=True)
class Damaged:
    """What `verify` told of all damaged images: by how each was damaged."""

    plain: Done
    full: Done

    def told(self, deed: Deed, *, full: bool = False) -> list[Told]:
        document = (self.full if full else self.plain).document
        [report] = document["registries"]
        return [told(one) for one in report["findings"] if one["repository"] == name_of(deed)]


def told(finding: Mapping[str, Any]) -> Told:
    return (
        finding["verdict"],
        finding["reason"],
        finding["kind"],
        finding["digest"],
        tuple(finding["tags"]),
    )


def name_of(deed: Deed) -> str:
    return str(deed).replace(" ", "/").replace("_", "-")


def content_of(deed: Deed) -> Content:
    """An image of its own for each damage: data is stored once."""
    return make.multi_platform(name_of(deed), attestations=True)


def expected(deed: Deed) -> list[Told]:
    """What a cycle over all tags of the repository tells of the same damage."""
    if deed.operation in NOT_LISTED:
        return [("broken", "missing", "tag", None, (TAG,))]

    async def walk() -> Report:
        with InProcessRegistry(RegistryOptions()) as registry:
            await registry.push(name_of(deed), content_of(deed), TAG)
            deed.do(registry.damage, name_of(deed), content_of(deed), TAG)
            cycle = cycle_over(registry.url, registry.transport, repositories=(name_of(deed),))
            return await cycle.run(None)

    return [(one.verdict, one.reason, one.kind, one.digest, one.tags) for one in run(walk()).findings()]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    """Push an image for each damage, do all of it, and verify all of them at once."""
    program = InstalledRegistry(find_program("docker-registry"))
    with DockerRegistry(tmp_path_factory.mktemp("registry"), RegistryOptions(), program) as registry:

        async def push() -> None:
            for deed in DEEDS:
                await registry.push(name_of(deed), content_of(deed), TAG)

        asyncio.run(push())
        for deed in DEEDS:
            deed.do(registry.damage, name_of(deed), content_of(deed), TAG)
        images = [f"{registry.host}/{name_of(deed)}:{TAG}" for deed in DEEDS]
        flags = ["--output=json", "--quiet"]
        yield Damaged(verify(*flags, *images), verify(*flags, "--full", *images))


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_a_damaged_image_fails_for_the_reason_of_a_cycle(damaged: Damaged, deed: Deed):
    """Judging exists once: who asks for an image by name is told what the walk of a registry would tell."""
    assert damaged.told(deed) == expected(deed)


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_reading_whole_finds_flipped_bits_as_well(damaged: Damaged, deed: Deed):
    """And everything else as it is found without."""
    reason = ONLY_FULL.get(str(deed))
    if reason is None:
        assert damaged.told(deed, full=True) == expected(deed)
    else:
        assert damaged.told(deed) == []
        digest = digest_of_target(content_of(deed), deed.target)
        assert damaged.told(deed, full=True) == [("broken", reason, deed.target, digest, (TAG,))]


def test_the_status_says_that_something_is_broken(damaged: Damaged):
    """Whether blobs are read whole or not; nothing is logged as a warning."""
    assert (damaged.plain.status, damaged.full.status) == (1, 1)
    assert damaged.plain.log == damaged.full.log == ""
