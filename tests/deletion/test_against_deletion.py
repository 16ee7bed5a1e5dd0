"""What is told beforehand is what a deletion through docker-registry's API then breaks, and nothing else.

The same registries and lists are drawn every time, others in each run of the proofs or with
`DELETION_EXAMPLES=300`, which draws so many; pytest's `--hypothesis-seed` repeats them.
"""

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.deletion.prediction import compare, draw_listed
from tests.integrity.strategies import worlds
from tests.integrity.virtual_time import run
from tests.integrity.world import World
from tests.parts.programs import find_program
from tests.parts.registry_in_process import InProcessRegistry

ASKED_FOR = os.environ.get("DELETION_EXAMPLES")


def examples(number: int, *, fresh: bool = False) -> settings:
    return settings(
        max_examples=int(ASKED_FOR or number),
        derandomize=not (fresh or ASKED_FOR),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def whole(world: World) -> World:
    """The same registry, nothing damaged."""
    return replace(world, deeds=(), collected=False, pushed_again=False)


def check_whole(world: World, data: st.DataObject) -> None:
    with InProcessRegistry(RegistryOptions(cache=world.cache)) as registry:
        compared = run(compare(whole(world), registry, draw_listed(data, world)))
    assert (compared.undetermined, compared.wrong, compared.broken_before) == ((), (), set())
    assert compared.predicted == compared.broken_after


def check_damaged(world: World, data: st.DataObject) -> None:
    with InProcessRegistry(RegistryOptions(cache=world.cache)) as registry:
        compared = run(compare(world, registry, draw_listed(data, world)))
    assert compared.wrong == ()
    told = compared.predicted | compared.broken_before
    assert told <= compared.broken_after
    assert compared.undetermined or told == compared.broken_after


@given(worlds(), st.data())
@examples(80)
def test_the_in_process_registry(world: World, data: st.DataObject):
    """On a model of docker-registry: the tags, what they would lose, what is gone with what is listed."""
    check_whole(world, data)


@given(worlds(), st.data())
@examples(80)
def test_a_damaged_registry(world: World, data: st.DataObject):
    """What was broken before is not held against the deletion, what cannot be read never harmless."""
    check_damaged(world, data)


def check_real(world: World, data: st.DataObject) -> None:
    program = InstalledRegistry(find_program("docker-registry"))
    options = RegistryOptions(cache=world.cache)
    with tempfile.TemporaryDirectory() as folder, DockerRegistry(Path(folder), options, program) as registry:
        compared = asyncio.run(compare(whole(world), registry, draw_listed(data, world)))
    assert (compared.undetermined, compared.wrong, compared.broken_before) == ((), (), set())
    assert compared.predicted == compared.broken_after


@given(worlds(), st.data())
@examples(10)
def test_the_real_registry(world: World, data: st.DataObject):
    """On docker-registry 2.8.2 itself."""
    check_real(world, data)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@given(worlds(), st.data())
@examples(100, fresh=True)
def test_the_real_registry_at_length(world: World, data: st.DataObject):
    """On docker-registry 2.8.2 itself, more examples."""
    check_real(world, data)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@given(worlds(), st.data())
@examples(2000, fresh=True)
def test_the_in_process_registry_at_length(world: World, data: st.DataObject):
    """On a model of docker-registry, whole and damaged, more examples."""
    check_whole(world, data)
    check_damaged(world, data)
