"""The screens of docs/verify.md, taken from a real terminal of 80 columns and a real registry.

`python -m tests.verification.screens` writes them into the page, each between its two marks;
test_screens.py says when they are no longer what is seen.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sample import content as make
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.parts.deeds import digest_of_target
from tests.parts.programs import find_program
from tests.verification.running import verify_on_terminal

PAGE: Final = Path(__file__).parents[2] / "docs" / "verify.md"
_HOST: Final = "registry.example.com"
_IMAGE: Final = f"{_HOST}/team/app:1.2.3"
_SIZE: Final = 30_000
COMMANDS: Final = {
    "intact": ["--platform=linux/amd64", _IMAGE],
    "broken": [f"{_HOST}/team/web:7", f"{_HOST}/team/web:8"],
    "full": ["--full", "--platform=linux/arm64", _IMAGE],
}


def marks(name: str) -> tuple[str, str]:
    """What stands before and after a screen."""
    return f"<!-- begin of the screen {name}, which `make screens` writes -->", f"<!-- end of {name} -->"


def screens() -> dict[str, str]:
    """Take all of them."""
    with tempfile.TemporaryDirectory() as folder:
        program = InstalledRegistry(find_program("docker-registry"))
        with DockerRegistry(Path(folder), RegistryOptions(), program) as registry:
            app = make.multi_platform("app", layers=1, layer_size=_SIZE, attestations=True)
            web = make.multi_platform("web", layers=2, layer_size=_SIZE)
            asyncio.run(registry.push("team/app", app, "1.2.3"))
            asyncio.run(registry.push("team/web", web, "7"))
            registry.damage.remove_data(digest_of_target(web, "layer"))
            registry.damage.flip_data(app.manifests[1].layers[0].digest)
            config = Path(folder) / "config.yml"
            known = {"url": registry.url, "metrics": {"image_host": _HOST}}
            config.write_text(json.dumps({"registries": [known]}), "utf-8")
            return {
                name: _screen(command, f"--config={config}", registry.host)
                for name, command in COMMANDS.items()
            }


def _screen(command: list[str], config: str, host: str) -> str:
    text = verify_on_terminal(config, *command).text.rstrip().replace(host, _HOST)
    # Two lines are as long as they are; how long it took is not the same each time.
    text = re.sub(r"in \d+\.\d s\.", "in 0.1 s.", text)
    return f"$ registry-integrity-exporter verify {' '.join(command)}\n{text}"


def page_with(taken: Mapping[str, str], file: Path = PAGE) -> str:
    """A page with other screens."""
    page = file.read_text("utf-8")
    for name, text in taken.items():
        begin, end = marks(name)
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n```text\n{text}\n```\n\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(page_with(screens()), "utf-8")
