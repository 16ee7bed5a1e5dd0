"""The report of a cycle equals what the damage model says, for random registries and random damage.

The same ones are drawn every time, others in each run of the proofs or with `INTEGRITY_EXAMPLES=300`, which
draws so many; pytest's `--hypothesis-seed` repeats them.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from typing import Any

import httpx
import pytest
import stamina
from hypothesis import HealthCheck, Phase, given, settings

from exporter.integrity import BlobCheck, Report
from exporter.registry.connections import open_transport
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.integrity.cycles import cycle_over, seen
from tests.integrity.model import Model
from tests.integrity.strategies import worlds
from tests.integrity.virtual_time import run
from tests.integrity.world import World
from tests.parts.programs import find_program
from tests.parts.registry_in_process import InProcessRegistry

ASKED_FOR = os.environ.get("INTEGRITY_EXAMPLES")


def examples(number: int, *, fresh: bool = False) -> settings:
    return settings(
        max_examples=int(ASKED_FOR or number),
        derandomize=not (fresh or ASKED_FOR),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


async def report_of(world: World, registry: InProcessRegistry | DockerRegistry) -> Report:
    """Push, damage and walk; the registry runs and is empty."""
    await _push_all(world, registry)
    if isinstance(registry, InProcessRegistry):
        return await _cycles(world, registry, registry.transport)
    async with open_transport(8) as transport:
        return await _cycles(world, registry, transport, confirm_delay=0.0, suspect_delay=0.0)


async def _cycles(
    world: World,
    registry: InProcessRegistry | DockerRegistry,
    transport: httpx.AsyncBaseTransport,
    **options: Any,
) -> Report:
    blob_check = BlobCheck.HEAD if world.heads_only else BlobCheck.AUTO
    cycle = cycle_over(registry.url, transport, blob_check=blob_check, **options)
    previous = None
    if world.remembered:
        previous = await cycle.run(None)
        assert list(previous.findings()) == []
    if world.cache and not world.warm:
        registry.restart()
    if world.collected:
        registry.garbage_collect(delete_untagged=True)
    for deed in world.deeds:
        deed.do(registry.damage)
    if world.pushed_again:
        await _push_all(world, registry)
    return await cycle.run(previous)


async def _push_all(world: World, registry: InProcessRegistry | DockerRegistry) -> None:
    for name, tags in world.repositories.items():
        for tag, content in tags.items():
            await registry.push(name, content, tag)


def check_in_process(world: World) -> None:
    with InProcessRegistry(RegistryOptions(cache=world.cache)) as registry:
        report = run(report_of(world, registry))
    assert seen(report) == Model(world).report


@given(worlds())
@examples(300)
def test_the_in_process_registry(world: World):
    """On a model of docker-registry, with the delays of the program's defaults in virtual time."""
    check_in_process(world)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@given(worlds())
@examples(3000, fresh=True)
def test_the_in_process_registry_at_length(world: World):
    """On a model of docker-registry, more examples."""
    check_in_process(world)


@given(worlds())
@examples(40)
def test_what_is_restored_is_intact_again(world: World):
    """After any damage and the cycle that found it: no finding is left, and everything is counted again."""
    whole = replace(world, deeds=(), collected=False)
    with InProcessRegistry(RegistryOptions(cache=world.cache)) as registry:
        report = run(_restored(world, registry))
    assert seen(report) == Model(whole).report
    assert {repository.stale for repository in report.repositories.values()} == {0}


async def _restored(world: World, registry: InProcessRegistry) -> Report:
    await _push_all(world, registry)
    whole = deepcopy(registry.storage._root)
    cycle = cycle_over(registry.url, registry.transport)
    first = await cycle.run(None)
    for deed in world.deeds:
        deed.do(registry.damage)
    damaged = await cycle.run(first)
    registry.storage._root = whole
    return await cycle.run(damaged)


@pytest.fixture(scope="module")
def real_registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, DockerRegistry]]:
    """A docker-registry without and one with cache."""
    program = InstalledRegistry(find_program("docker-registry"))
    with ExitStack() as stack:
        yield {
            cache: stack.enter_context(
                DockerRegistry(tmp_path_factory.mktemp("registry"), RegistryOptions(cache=cache), program)
            )
            for cache in (False, True)
        }


def check_on(registry: DockerRegistry, world: World) -> None:
    if registry.storage.exists("docker"):
        registry.storage.remove_tree("docker")
        if world.cache:
            registry.restart()  # or it would remember the example before
    with stamina.set_testing(True, attempts=3, cap=True):
        report = asyncio.run(report_of(world, registry))
    assert seen(report) == Model(world).report


@given(worlds())
@settings(examples(40), phases=[Phase.generate])
def test_the_real_registry(real_registries: dict[bool, DockerRegistry], world: World):
    """On docker-registry itself."""
    check_on(real_registries[world.cache], world)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@given(worlds())
@settings(examples(100, fresh=True), phases=[Phase.generate])
def test_the_real_registry_at_length(real_registries: dict[bool, DockerRegistry], world: World):
    """On docker-registry itself, more examples."""
    check_on(real_registries[world.cache], world)
