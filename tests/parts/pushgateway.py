"""A real Pushgateway."""

from pathlib import Path

import httpx

from tests.parts.http_service import PrometheusService


class Pushgateway(PrometheusService):
    def __init__(self, folder: Path) -> None:
        # Debian's keeps what is pushed to it, for all of the machine.
        super().__init__("pushgateway", f"--persistence.file={folder / 'metrics.store'}", folder=folder)

    async def metrics(self) -> str:
        """Ask for its whole exposition."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            return (await client.get("/metrics")).raise_for_status().text
