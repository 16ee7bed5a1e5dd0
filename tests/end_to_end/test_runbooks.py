"""The commands of the runbooks, as they stand, against a damaged registry; only addresses are others."""

import json
import os
import platform
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.parts.fixtures import StartRegistry
from tests.parts.programs import find_program

RUNBOOKS = Path(__file__).parents[2] / "docs/runbooks"
INTEGRITY = "RegistryManifestIntegrityFailure"
IN_USE = "RegistryBrokenImageInUse"
OWN = re.compile(r"(^|\| )registry-integrity-exporter ", re.MULTILINE)


def blocks(runbook: str) -> list[str]:
    """The commands of a runbook, block by block."""
    text = (RUNBOOKS / f"{runbook}.md").read_text("utf-8")
    return [
        textwrap.dedent(block)
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    ]


def own_blocks() -> list[tuple[str, str]]:
    return [
        (path.stem, block)
        for path in sorted(RUNBOOKS.glob("*.md"))
        for block in blocks(path.stem)
        if OWN.search(block)
    ]


@dataclass(frozen=True)
class Result:
    status: int
    output: str
    errors: str


class Operator:
    """Types what a runbook says, in a folder of its own."""

    def __init__(self, registry: DockerRegistry, mirror: DockerRegistry, folder: Path) -> None:
        self.folder = folder
        self.variables = {
            "NAME": "private",
            "REGISTRY": registry.url,
            "HOST": registry.host,
            "REPOSITORY": "team/app",
            "IMAGE": f"{registry.host}/team/app:v1",
            "TAG": "v1",
            "CONFIG": str(folder / "exporter.yml"),
        }
        self._places = {
            "https://registry.example.org": registry.url,
            "registry.example.org": registry.host,
            "/etc/registry-integrity-exporter.yml": self.variables["CONFIG"],
            "/var/lib/registry-damaged": str(folder / "damaged"),
            "/var/lib/registry/docker": str(registry.storage.root / "docker"),
        }
        (folder / "exporter.yml").write_text(f"registries:\n  private:\n    url: {registry.url}\n", "utf-8")
        containers = folder / ".config/containers"
        containers.mkdir(parents=True)
        (containers / "policy.json").write_text(
            json.dumps({"default": [{"type": "insecureAcceptAnything"}]}), "utf-8"
        )
        # What the pages call mirror.example.org is the other registry, and neither has TLS.
        (containers / "registries.conf").write_text(
            f'[[registry]]\nprefix = "mirror.example.org"\nlocation = "{mirror.host}"\ninsecure = true\n'
            f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n',
            "utf-8",
        )

    def types(self, commands: str) -> Result:
        """Run some commands; of a pipeline the first failure counts."""
        for place, here in self._places.items():
            commands = commands.replace(place, here)
        known = "".join(f"{name}={value}\n" for name, value in self.variables.items())
        programs = [
            Path(sys.executable),
            *(find_program(name) for name in ("skopeo", "buildah", "jq", "curl")),
        ]
        done = subprocess.run(
            ["bash", "-c", f"set -u -o pipefail\n{known}{commands}"],
            cwd=self.folder,
            env={
                "HOME": str(self.folder),
                "PATH": os.pathsep.join([*(str(one.parent) for one in programs), os.environ["PATH"]]),
                "CONTAINERS_REGISTRIES_CONF": str(self.folder / ".config/containers/registries.conf"),
                "REGISTRY_INTEGRITY_CONFIRM_DELAY": "200ms",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr)


async def damaged(
    start_registry: StartRegistry, folder: Path
) -> tuple[DockerRegistry, DockerRegistry, Operator]:
    """A registry with a truncated layer, another that has the same images, and who repairs it."""
    registry, mirror = start_registry(cache=True), start_registry()
    image = content.multi_platform("app")
    for one in (registry, mirror):
        await one.push("team/app", image, "v1", "latest")
        await one.push("team/web", content.image("web"), "v1")
    operator = Operator(registry, mirror, folder)
    layer = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    registry.damage.truncate_data(layer)
    operator.variables |= {"DIGEST": layer, "HEX": layer.removeprefix("sha256:")}
    return registry, mirror, operator


async def test_every_command_of_the_program_runs(start_registry: StartRegistry, tmp_path: Path) -> None:
    """Each prints something, and none is a wrong command line, of the program or of what reads its output."""
    registry, _, operator = await damaged(start_registry, tmp_path)
    await registry.push("team/app", content.image("torn"), "v2")
    registry.damage.garble_tag_link("team/app", "v2")
    wrong = {}
    for runbook, commands in own_blocks():
        result = operator.types(commands)
        if result.status not in {0, 1, 3} or not result.output or "jq: error" in result.errors:
            wrong[runbook, commands] = result
    assert wrong == {}


def block_with(text: str, runbook: str = INTEGRITY) -> str:
    (found,) = [block for block in blocks(runbook) if text in block]
    return found


async def test_a_truncated_layer_is_repaired_as_the_runbook_says(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """A push alone changes nothing; with the data moved away and the registry restarted, it heals."""
    registry, _, operator = await damaged(start_registry, tmp_path)
    verify, check = block_with("verify --registry"), block_with('probe --registry "$NAME=$REGISTRY"\n')
    look, move, push = block_with('sha256sum "blobs'), block_with("mkdir -p"), block_with("copy --all --pres")

    seen = operator.types(verify)
    assert (seen.status, "broken" in seen.output) == (1, True)
    assert operator.types(look).status == 0

    pushed = operator.types(push)
    assert pushed.status == 0, pushed.errors
    assert operator.types(check).status == 1

    moved = operator.types(look.splitlines()[0] + "\n" + move)
    assert moved.status == 0, moved.errors
    registry.restart()
    pushed = operator.types(push)
    assert pushed.status == 0, pushed.errors
    assert operator.types(check).status == 0
    assert operator.types(verify).status == 0


async def test_an_image_that_nobody_needs_is_deleted_as_the_runbook_says(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """What else would break is asked first; then the tag is gone, and with it what was broken."""
    registry, _, operator = await damaged(start_registry, tmp_path)
    await registry.push("team/app", content.image("other"), "latest")
    deletion = operator.types(block_with("check-deletion"))
    assert deletion.status == 0, deletion.errors
    assert operator.types(block_with('probe --registry "$NAME=$REGISTRY"\n')).status == 0


async def test_a_node_gives_back_the_platform_that_it_has(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """An export of containerd lists all platforms and has one: that heals, and the tag keeps its digest."""
    registry = start_registry()
    here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    image = content.multi_platform("app", platforms=(f"linux/{here}", "linux/s390x"))
    await registry.push("team/app", image, "v1")
    operator = Operator(registry, registry, tmp_path)
    child, other = image.manifests[:2]
    assert operator.types('skopeo copy --all --preserve-digests "docker://$IMAGE" oci:export:v1').status == 0
    kept = {child.digest, *(blob.digest for blob in (child.config, *child.layers)), image.root.digest}
    for file in (tmp_path / "export/blobs/sha256").iterdir():
        if f"sha256:{file.name}" not in kept:
            file.unlink()
    assert operator.types("tar --create --file=image.tar --directory=export .").status == 0
    registry.damage.remove_revision_link("team/app", child.digest)
    verify = next(block for block in blocks(IN_USE) if "verify --registry" in block)
    assert operator.types(verify).status == 1

    operator.variables["CHILD"] = child.digest
    repair = block_with("CHILD=sha256", IN_USE).replace("CHILD=sha256:...", "").replace("/tmp/", "")
    repaired = operator.types(f"set -e\n{repair}")
    assert repaired.status == 0, repaired.errors
    digests = re.findall(r"[0-9a-f]{64}  -", repaired.output)
    assert digests == [f"{image.root.digest.removeprefix('sha256:')}  -"] * 2
    assert operator.types(verify).status == 0

    # Another platform's digest is refused: nothing is pushed under a wrong name.
    operator.variables["CHILD"] = other.digest
    assert operator.types(repair.splitlines()[-2]).status != 0


@pytest.mark.parametrize(
    "damage", ["remove_data", "empty_data", "flip_data", "remove_revision_link", "remove_tag_link"]
)
async def test_a_tag_whose_own_manifest_is_broken_is_deleted_as_the_runbook_says(
    start_registry: StartRegistry, tmp_path: Path, damage: str
) -> None:
    """It cannot be deleted as it is; another image takes its place, and goes."""
    registry = start_registry()
    image = content.multi_platform("app")
    await registry.push("team/app", image, "v1")
    await registry.push("team/app", content.image("other"), "v2")
    arguments = {
        "remove_revision_link": ("team/app", image.root.digest),
        "remove_tag_link": ("team/app", "v1"),
    }
    getattr(registry.damage, damage)(*arguments.get(damage, (image.root.digest,)))
    operator = Operator(registry, registry, tmp_path)
    check = block_with('probe --registry "$NAME=$REGISTRY"\n')
    assert operator.types(check).status in {1, 3}
    assert operator.types('skopeo delete "docker://$HOST/$REPOSITORY:$TAG"').status != 0

    deleted = operator.types(block_with("FROM scratch"))
    assert deleted.status == 0, deleted.errors
    assert operator.types(check).status == 0
    tags = operator.types('curl -sS "$REGISTRY/v2/$REPOSITORY/tags/list" | jq -c .tags')
    assert tags.output == '["v2"]\n'
