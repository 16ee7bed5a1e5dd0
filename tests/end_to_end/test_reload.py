"""Reload under load: a real registry, the real program, and a hundred reloads in the middle of cycles."""

import json
from pathlib import Path

import httpx
import pytest

from sample import content
from tests.end_to_end.conftest import StartExporter
from tests.parts.exporter import Exporter
from tests.parts.fixtures import StartRegistry
from tests.parts.waiting import wait_until


def open_files(exporter: Exporter) -> int:
    """Files and sockets that the program has open."""
    return sum(1 for _ in Path(f"/proc/{exporter.process.pid}/fd").iterdir())


async def findings(exporter: Exporter) -> set[tuple[str, str]]:
    samples = await exporter.samples("broken_reference_info")
    return {(sample.labels["registry"], sample.labels["tag"]) for sample in samples}


@pytest.mark.parametrize("reloads", [10, pytest.param(100, marks=pytest.mark.proof)])
async def test_reloads_during_cycles_lose_and_leak_nothing(
    start_registry: StartRegistry, start_exporter: StartExporter, tmp_path: Path, reloads: int
) -> None:
    registry = start_registry()
    for number in range(5):
        image = content.multi_platform(f"app-{number}")
        await registry.push(f"team/app-{number}", image, "latest", "v1")
    registry.damage.remove_revision_link("team/app-0", image_child(content.multi_platform("app-0")))
    file = tmp_path / "exporter.yml"

    def write(interval: str, *more: str) -> None:
        names = ["kept", "changed", *more]
        settings = {name: {"url": registry.url, "interval": "1s", "concurrency": 4} for name in names}
        settings["changed"]["interval"] = interval
        file.write_text(json.dumps({"web": {"enable_lifecycle": True}, "registries": settings}))

    write("1s")
    # The variable that makes all tests quick would count more than the file.
    exporter = start_exporter(f"--config={file}", environment={"REGISTRY_INTEGRITY_INTERVAL": ""})
    expected = {(name, tag) for name in ("kept", "changed") for tag in ("latest", "v1")}
    await wait_until(lambda: findings(exporter), lambda seen: seen == expected, 60.0)
    await exporter.wait_for_cycles(3)

    async with httpx.AsyncClient(base_url=exporter.url, trust_env=False) as client:

        async def reload() -> None:
            answer = await client.post("/-/reload")
            assert (answer.status_code, answer.text) == (200, "reloaded\n")

        await reload()
        before = open_files(exporter)
        for number in range(reloads):
            write(f"{1000 + number}ms", *(["more"] if number % 2 else []))
            await reload()
            assert expected <= await findings(exporter)
        write("1s")
        await reload()
        await exporter.wait_for_cycles(3)
        assert await findings(exporter) == expected
        # A connection more or less may be open at any moment, but not one for each reload.
        await wait_until(
            lambda: answered(open_files(exporter)),
            lambda seen: seen < before + 10,
            30.0,
            what="files closed",
        )
    assert exporter.logged("bug|not reloaded|raised") == []
    assert exporter.process.stop() == 0


def image_child(image: content.Content) -> str:
    """The digest of an index's first child."""
    return next(one.digest for one in image.manifests if one.digest != image.root.digest)


async def answered(value: int) -> int:
    return value
