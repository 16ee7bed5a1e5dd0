"""The screen and the document of docs/deletion.md, taken from a real terminal and a real registry.

`python -m tests.deletion.screens` writes them into the page, each between its two marks; test_screens.py says
when they are no longer what is seen.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Final

from sample import content as make
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.deletion.running import check, check_on_terminal
from tests.parts.programs import find_program
from tests.verification.screens import page_with

PAGE: Final = Path(__file__).parents[2] / "docs" / "deletion.md"
HOST: Final = "registry.example.com"
LIST: Final = f"""\
# older than 90 days
{HOST}/team/app:1.0-amd64
{HOST}/team/app:0.9
{HOST}/team/app:0.8
{HOST}/team/web@{make.multi_platform("web").digest}
"""


def fill(registry: DockerRegistry) -> None:
    """An index that lists what has a tag of its own, as `imagetools create` makes them, and others."""
    amd64, arm64 = make.image("app"), make.image("app", platform="linux/arm64")
    release = make.index([amd64, arm64])

    async def push() -> None:
        await registry.push("team/app", amd64, "1.0-amd64", "newest-amd64")
        await registry.push("team/app", release, "1.0")
        await registry.push("team/app", make.multi_platform("old", attestations=True), "0.9")
        await registry.push("team/web", make.multi_platform("web"))
        await registry.push("team/web", make.multi_platform("new web"), "2")

    asyncio.run(push())


def screens() -> dict[str, str]:
    """Take both."""
    with tempfile.TemporaryDirectory() as folder:
        program = InstalledRegistry(find_program("docker-registry"))
        with DockerRegistry(Path(folder), RegistryOptions(), program) as registry:
            fill(registry)
            (listed := Path(folder) / "old.txt").write_text(LIST, "utf-8")
            config = Path(folder) / "config.yml"
            known = {"url": registry.url, "name": HOST, "metrics": {"image_host": HOST}}
            config.write_text(json.dumps({"registries": [known]}), "utf-8")
            flags = (f"--config={config}", str(listed))
            table = check_on_terminal(*flags).text.rstrip()
            document = check("--quiet", "--output=json", *flags).output.rstrip()
    command = "$ registry-integrity-exporter check-deletion old.txt"
    return {
        "list": LIST.rstrip(),
        "table": f"{command}\n{table}",
        "document": document.replace(registry.url, f"https://{HOST}"),
    }


if __name__ == "__main__":
    PAGE.write_text(page_with(screens(), PAGE), "utf-8")
