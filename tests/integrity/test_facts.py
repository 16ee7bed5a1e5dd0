"""The table of answers that the damage model stands on is what the registries really answer."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from exporter.oci.media_types import ACCEPT
from sample import content as make
from sample import media_types
from sample.content import Blob, Content
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.integrity.facts import FACTS, INTACT, Answer, Answers, Memory, Part
from tests.integrity.world import Deed, harmless_bit
from tests.parts.programs import find_program
from tests.parts.registry_in_process import InProcessRegistry

Registry = DockerRegistry | InProcessRegistry
Key = tuple[Part, str | None]
EMPTY = Blob(b"", media_types.OCI_LAYER)


@dataclass(frozen=True)
class Case:
    """One part, and one damage to it or none, in a repository of its own."""

    repository: str
    part: Part
    damage: str | None

    @property
    def content(self) -> Content:
        shared = [EMPTY] if self.part is Part.EMPTY_BLOB else []
        return make.image(self.repository, layers=1, shared=shared)

    @property
    def path(self) -> str:
        match self.part:
            case Part.TAG:
                return f"manifests/{self.repository}"
            case Part.MANIFEST:
                return f"manifests/{self.content.digest}"
            case _:
                return f"blobs/{self.content.root.layers[0].digest}"

    @property
    def data(self) -> bytes:
        """What should be served."""
        if self.part in {Part.TAG, Part.MANIFEST}:
            return self.content.root.data
        return self.content.blobs[self.content.root.layers[0].digest]

    @property
    def deed(self) -> Deed:
        assert self.damage is not None
        subject = self.repository if self.part is Part.TAG else self.path.rpartition("/")[2]
        bit = harmless_bit(self.content.root) if self.part is Part.MANIFEST else None
        if self.damage.endswith("_data"):
            return Deed(self.damage, subject=subject, bit=bit)
        return Deed(self.damage, self.repository, subject)


def cases(memory: Memory) -> list[Case]:
    """All of a table, the one that damages what others share last."""
    keys: list[Key] = [(part, None) for part in Part]
    keys += sorted(FACTS[memory], key=lambda key: key == (Part.EMPTY_BLOB, "remove_data"))
    return [Case(f"case-{number}", *key) for number, key in enumerate(keys)]


async def answers_of(registry: Registry, memory: Memory) -> dict[Key, Answers]:
    """Push, damage and ask, one case after the other."""
    answers = {}
    forgetful = registry.options.cache and memory is Memory.NOTHING
    for case in cases(memory):
        await registry.push(case.repository, case.content, case.repository)
    if forgetful:
        registry.restart()
    for case in cases(memory):
        if forgetful and case.part is Part.EMPTY_BLOB:  # all of these cases share that blob
            registry.restart()
        if case.damage is not None:
            case.deed.do(registry.damage)
        head, get = await ask(registry, case, "HEAD"), await ask(registry, case, "GET")
        answers[case.part, case.damage] = Answers(head, get)
    return answers


async def ask(registry: Registry, case: Case, method: str) -> Answer:
    headers = {"Accept": ACCEPT, "Connection": "close"}
    if method == "GET" and case.part is Part.BLOB:
        headers["Range"] = f"bytes={len(case.data) - 1}-{len(case.data) - 1}"
    url = f"/v2/{case.repository}/{case.path}"
    async with registry.client() as client, client.stream(method, url, headers=headers) as answer:
        try:
            body: bytes | None = await answer.aread()
        except httpx.RemoteProtocolError:
            body = None
        return named(answer, body, case.data)


def named(answer: httpx.Response, body: bytes | None, data: bytes) -> Answer:
    """Give the answer its name; one that has none is no answer of this registry."""
    status, method = answer.status_code, answer.request.method
    if status == 206:
        return {None: Answer.CUT, data[-1:]: Answer.LAST_BYTE}[body]
    if status in {404, 500} and method == "GET":
        return Answer(f"{status} {json.loads(body or b'')['errors'][0]['code']}")
    if status != 200:
        return Answer(str(status))
    if method == "GET":
        assert body is not None
        assert len(body) == len(data)
        return Answer.WHOLE if body == data else Answer.OTHER_BYTES
    length = int(answer.headers["Content-Length"])
    assert length <= len(data)
    return Answer.WHOLE if length == len(data) else Answer.SHORT if length else Answer.LENGTH_0


@contextmanager
def in_process(cache: bool, folder: Path) -> Iterator[Registry]:  # noqa: ARG001
    with InProcessRegistry(RegistryOptions(cache=cache)) as registry:
        yield registry


@contextmanager
def real(cache: bool, folder: Path) -> Iterator[Registry]:
    program = InstalledRegistry(find_program("docker-registry"))
    with DockerRegistry(folder, RegistryOptions(cache=cache), program) as registry:
        yield registry


@pytest.mark.parametrize("start", [in_process, real])
@pytest.mark.parametrize(
    ("cache", "memory"), [(False, Memory.NOTHING), (True, Memory.NOTHING), (True, Memory.SIZE)]
)
def test_the_table_holds(
    start: Callable[[bool, Path], Iterator[Registry]], cache: bool, memory: Memory, tmp_path: Path
):
    """Every damage to every part is answered as the table says, without and with cache, cold and warm."""
    expected: Mapping[Key, Answers] = {
        **{(part, None): answers for part, answers in INTACT.items()},
        **FACTS[memory],
    }
    with start(cache, tmp_path) as registry:
        assert asyncio.run(answers_of(registry, memory)) == expected
