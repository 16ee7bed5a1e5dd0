"""What the sample registry holds: an image that lost its children, as in the outage, and two whole ones."""

from typing import Final

from sample import content
from sample.registry import DockerRegistry

INTACT: Final = "team/intact"
MULTI_PLATFORM: Final = "team/multi-platform"
ORPHANED: Final = "team/orphaned"
TAG: Final = "latest"


async def seed(registry: DockerRegistry) -> None:
    """Fill an empty registry through its API, and let its own garbage collector do the damage."""
    await registry.push(ORPHANED, content.multi_platform("orphaned"), TAG)
    # It deletes the children of every index, tagged or not: what is to stay whole comes after it.
    registry.garbage_collect(delete_untagged=True)
    await registry.push(INTACT, content.image("intact"), TAG)
    await registry.push(MULTI_PLATFORM, content.multi_platform("multi-platform", attestations=True), TAG)
