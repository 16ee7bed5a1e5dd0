"""The screens of docs/cronjob.md: what `probe` prints on a real terminal of 80 columns, of a real registry.

`python -m tests.program.screens` writes them into the page, each between its two marks; test_screens.py says
when they are no longer what is seen.
"""

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from sample import content as make
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.parts.deeds import digest_of_target
from tests.parts.programs import find_program
from tests.parts.terminal import run_on_terminal
from tests.verification.running import environment
from tests.verification.screens import page_with

PAGE: Final = Path(__file__).parents[2] / "docs" / "cronjob.md"
_HOST: Final = "registry.example.com"


def screens() -> dict[str, str]:
    """Take them of a registry that is intact, and then is not."""
    with tempfile.TemporaryDirectory() as folder:
        program = InstalledRegistry(find_program("docker-registry"))
        with DockerRegistry(Path(folder), RegistryOptions(), program) as registry:
            app = make.multi_platform("app", attestations=True)
            web = make.multi_platform("web", layers=2)
            asyncio.run(registry.push("team/app", app, "1.2.3", "latest"))
            asyncio.run(registry.push("team/web", web, "7"))
            config = Path(folder) / "config.yml"
            config.write_text(json.dumps({"registries": [{"url": registry.url, "name": _HOST}]}), "utf-8")
            intact = _screen(config, registry.url)
            registry.damage.remove_revision_link("team/app", app.manifests[0].digest)
            registry.damage.truncate_data(digest_of_target(web, "layer"))
            return {"intact": intact, "broken": _screen(config, registry.url)}


def _screen(config: Path, url: str) -> str:
    command = [sys.executable, "-m", "exporter", "probe", f"--config={config}", "--log-level=warning"]
    text = run_on_terminal(command, environment(), columns=80).text.rstrip()
    # How long it took is not the same each time, and may stand at the end of a line.
    text = re.sub(r"in\s\d+\.\d(\s)s\)", r"in 0.1\1s)", text.replace(url, f"https://{_HOST}"))
    return f"$ registry-integrity-exporter probe --log-level warning --registry https://{_HOST}\n{text}"


if __name__ == "__main__":
    PAGE.write_text(page_with(screens(), PAGE), "utf-8")
