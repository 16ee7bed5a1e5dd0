"""A real Alertmanager that sends what it gets to a webhook."""

import json
from pathlib import Path
from typing import Any

from tests.parts.http_service import PrometheusService


class Alertmanager(PrometheusService):
    """Sends every alert, firing and resolved, to `webhook` as soon as it can, each a group of its own."""

    def __init__(self, folder: Path, webhook: str, *, config: dict[str, Any] | None = None) -> None:
        default = {
            "route": {
                "receiver": "webhook",
                "group_by": ["..."],
                "group_wait": "10ms",
                "group_interval": "100ms",
                "repeat_interval": "1h",
            },
            "receivers": [
                {"name": "webhook", "webhook_configs": [{"url": webhook, "send_resolved": True}]},
            ],
        }
        file = folder / "alertmanager.yml"
        file.write_text(json.dumps(config or default, indent=2), "utf-8")
        super().__init__(
            "alertmanager",
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=",
            folder=folder,
        )

    async def alerts(self) -> list[dict[str, Any]]:
        """Ask which alerts it holds."""
        alerts: list[dict[str, Any]] = await self.get_json("/api/v2/alerts")
        return alerts
