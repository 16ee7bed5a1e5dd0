"""What skopeo, umoci, buildah, helm and ORAS push is intact, and whatever of it is lost is found."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sample import content as make
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.artifacts.holdings import Losses, findings_of, lose_each, missing
from tests.artifacts.tools import ToolError, Tools
from tests.parts.programs import find_program

TAG = "1.2.3"


@dataclass(frozen=True)
class Artifact:
    """Something that a tool pushes to an image name that it is given, and how often it has which kind."""

    push: Callable[[Tools, str], None]
    kinds: dict[str, int]


def _skopeo(name: str, form: str) -> Callable[[Tools, str], None]:
    return lambda tools, image: tools.skopeo_push(tools.layout(name), image, form)


def _buildah(name: str, *options: str) -> Callable[[Tools, str], None]:
    return lambda tools, image: tools.buildah_push(tools.buildah_image(name), image, *options)


def _buildah_list(name: str, form: str) -> Callable[[Tools, str], None]:
    def push(tools: Tools, image: str) -> None:
        built = tuple(tools.buildah_image(name, architecture) for architecture in ("amd64", "arm64"))
        tools.buildah_push_list(name, built, image, form)

    return push


def _helm(tools: Tools, image: str) -> None:
    remote, _, name = image.removesuffix(f":{TAG}").rpartition("/")
    tools.helm_push(name, TAG, remote)


def _oras(tools: Tools, image: str) -> None:
    files = [tools.folder / f"file-{number}.txt" for number in range(3)]
    for file in files:
        file.write_text(file.name, "utf-8")
    tools.oras_push(image, *files)


def _oras_attached(tools: Tools, image: str) -> None:
    """Attach a report to an image that is in no registry, which is legal."""
    file = tools.folder / "report.txt"
    file.write_text("report", "utf-8")
    tools.oras_push(image, file, subject=make.image("absent").root.descriptor())


ARTIFACTS = {
    "umoci-oci": Artifact(_skopeo("oci", "oci"), {"config": 1, "layer": 2}),
    "umoci-docker": Artifact(_skopeo("docker", "v2s2"), {"config": 1, "layer": 2}),
    # One of its layers is the empty one that Docker knew in those days.
    "umoci-schema-1": Artifact(_skopeo("schema", "v2s1"), {"layer": 3}),
    "buildah-oci": Artifact(_buildah("oci"), {"config": 1, "layer": 1}),
    "buildah-docker": Artifact(_buildah("docker", "--format=v2s2"), {"config": 1, "layer": 1}),
    "buildah-zstd": Artifact(_buildah("zstd", "--compression-format=zstd"), {"config": 1, "layer": 1}),
    "buildah-index": Artifact(_buildah_list("index", "oci"), {"child": 2, "config": 2, "layer": 2}),
    "buildah-list": Artifact(_buildah_list("list", "v2s2"), {"child": 2, "config": 2, "layer": 2}),
    "helm-chart": Artifact(_helm, {"config": 1, "layer": 1}),
    "oras-files": Artifact(_oras, {"config": 1, "layer": 3}),
    "oras-attached": Artifact(_oras_attached, {"config": 1, "layer": 1}),
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A registry to which every tool has pushed; the artifact's name is the repository's."""
    options = RegistryOptions(more={"compatibility": {"schema1": {"enabled": True}}})
    program = InstalledRegistry(find_program("docker-registry"))
    with DockerRegistry(tmp_path_factory.mktemp("registry"), options, program) as running:
        tools = Tools(tmp_path_factory.mktemp("tools"))
        for name, artifact in ARTIFACTS.items():
            artifact.push(tools, f"{running.host}/{name}:{TAG}")
        yield running


@pytest.fixture(scope="module")
def losses(registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory) -> Losses:
    return lose_each(registry, dict.fromkeys(ARTIFACTS, TAG), tmp_path_factory.mktemp("probe"))


@pytest.mark.parametrize("name", ARTIFACTS)
def test_what_a_tool_pushes_is_intact(losses: Losses, name: str) -> None:
    """No finding, and nothing overlooked."""
    assert findings_of(losses.whole).get(name, []) == []
    assert Counter(one.kind for one in losses.copies_of(name).values()) == ARTIFACTS[name].kinds


def test_a_registry_of_what_tools_push_is_verified_whole(losses: Losses) -> None:
    """With the exit status that says so."""
    [report] = losses.whole["registries"]
    assert (losses.whole_status, report["outcome"], report["findings"]) == (0, "complete", [])
    assert report["repositories"] == len(ARTIFACTS)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_each_reference_that_is_lost_is_found_and_nothing_else(losses: Losses, name: str) -> None:
    """One finding for each copy that lost something; the original is still whole."""
    copies = losses.copies_of(name)
    found = findings_of(losses.damaged)
    assert losses.damaged_status == 1
    assert {copy: found.get(copy) for copy in copies} == {
        copy: [missing(one, TAG)] for copy, one in copies.items()
    }
    assert name not in found


@pytest.mark.parametrize("name", [name for name in ARTIFACTS if name != "umoci-schema-1"])
def test_skopeo_agrees_on_what_can_be_pulled(
    losses: Losses, registry: DockerRegistry, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The original can be copied whole, and no copy that lost something."""
    tools = Tools(tmp_path_factory.mktemp("pull"))
    tools.skopeo_pull(f"{registry.host}/{name}:{TAG}", "whole")
    for number, copy in enumerate(losses.copies_of(name)):
        with pytest.raises(ToolError, match=r"manifest unknown|blob unknown|status code"):
            tools.skopeo_pull(f"{registry.host}/{copy}:{TAG}", f"copy-{number}")
