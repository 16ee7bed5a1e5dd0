"""The registry in process answers as the real one does, whatever was done to what it stores."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sample import content as c
from sample import media_types as types
from sample.content import Content
from sample.push import PushError
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.parts.programs import find_program
from tests.parts.registry_in_process import InProcessRegistry
from tests.parts.twins import ACCEPT, Question, Registry, Twins, questions_about, see, tree

TAG = "latest"
Act = Callable[[Registry, str, Content], object]


def _child(content: Content) -> str:
    return content.manifests[0].digest


def _layer(content: Content) -> str:
    return content.manifests[0].layers[-1].digest


def _config(content: Content) -> str:
    config = content.manifests[0].config
    assert config is not None
    return config.digest


DAMAGE: dict[str, Act] = {
    "none": lambda registry, repository, content: None,
    "tag link removed": lambda r, name, content: r.damage.remove_tag_link(name, TAG),
    "tag link emptied": lambda r, name, content: r.damage.empty_tag_link(name, TAG),
    "tag link garbled": lambda r, name, content: r.damage.garble_tag_link(name, TAG),
    "tag removed": lambda r, name, content: r.damage.remove_tag(name, TAG),
    "index link removed": lambda r, name, content: r.damage.remove_revision_link(name, content.digest),
    "child link removed": lambda r, name, content: r.damage.remove_revision_link(name, _child(content)),
    "child link emptied": lambda r, name, content: r.damage.empty_revision_link(name, _child(content)),
    "child link garbled": lambda r, name, content: r.damage.garble_revision_link(name, _child(content)),
    "child data removed": lambda r, name, content: r.damage.remove_data(_child(content)),
    "child data emptied": lambda r, name, content: r.damage.empty_data(_child(content)),
    "child data truncated": lambda r, name, content: r.damage.truncate_data(_child(content)),
    "child data flipped": lambda r, name, content: r.damage.flip_data(_child(content)),
    "index data removed": lambda r, name, content: r.damage.remove_data(content.digest),
    "index data truncated": lambda r, name, content: r.damage.truncate_data(content.digest),
    "layer link removed": lambda r, name, content: r.damage.remove_layer_link(name, _layer(content)),
    "layer link emptied": lambda r, name, content: r.damage.empty_layer_link(name, _layer(content)),
    "layer link garbled": lambda r, name, content: r.damage.garble_layer_link(name, _layer(content)),
    "layer data removed": lambda r, name, content: r.damage.remove_data(_layer(content)),
    "layer data emptied": lambda r, name, content: r.damage.empty_data(_layer(content)),
    "layer data truncated": lambda r, name, content: r.damage.truncate_data(_layer(content)),
    "layer data cut by one": lambda r, name, content: r.damage.truncate_data(_layer(content), 63),
    "layer data flipped": lambda r, name, content: r.damage.flip_data(_layer(content)),
    "layer data longer": lambda r, name, content: r.damage.replace_data(_layer(content), b"x" * 100),
    "config data removed": lambda r, name, content: r.damage.remove_data(_config(content)),
    "repository removed": lambda r, name, content: r.damage.remove_repository(name),
    "layers folder removed": lambda r, name, content: r.damage.remove_layers_folder(name),
    "manifests folder removed": lambda r, name, content: r.damage.remove_manifests_folder(name),
}


@pytest.fixture(scope="module", params=[False, True], ids=["no cache", "cache"])
def shared_twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both registries, for tests that keep to a repository of their own and leave the rest alone."""
    with _twins(tmp_path_factory, cache=request.param) as twins:
        yield twins


@pytest.fixture
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both registries, empty."""
    with _twins(tmp_path_factory, cache=getattr(request, "param", False)) as twins:
        yield twins


@contextlib.contextmanager
def _twins(tmp_path_factory: pytest.TempPathFactory, *, cache: bool) -> Iterator[Twins]:
    options = RegistryOptions(cache=cache)
    program = InstalledRegistry(find_program("docker-registry"))
    with (
        DockerRegistry(tmp_path_factory.mktemp("registry"), options, program) as real,
        InProcessRegistry(options) as model,
    ):
        yield Twins(real, model)


def _repository(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage(request: pytest.FixtureRequest, shared_twins: Twins, damage: str, warm: bool) -> None:
    """Damaged content is answered for alike, when the registry has seen it before and when it has not;
    and so it is once the same was pushed again."""
    repository = _repository(request)
    content = c.multi_platform(repository, ["linux/amd64"], attestations=True)
    questions = questions_about(repository, content, TAG)
    await shared_twins.push(repository, content, TAG)
    if not warm:
        shared_twins.both(lambda registry: registry.restart())
    shared_twins.both(lambda registry: DAMAGE[damage](registry, repository, content))
    assert await shared_twins.differences(questions) == []

    outcomes = []
    for registry in (shared_twins.real, shared_twins.model):
        try:
            await registry.push(repository, content, TAG)
        except PushError as error:
            outcomes.append(str(error).replace(registry.url, ""))
        else:
            outcomes.append("pushed")
    assert outcomes[0] == outcomes[1]
    assert await shared_twins.differences(questions) == []
    folder = f"docker/registry/v2/repositories/{repository}"
    assert tree(shared_twins.real.storage, folder) == tree(shared_twins.model.storage, folder)
