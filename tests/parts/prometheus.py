"""A real Prometheus, loading real rules."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts.http_service import PrometheusService
from tests.parts.waiting import wait_until


@dataclass(frozen=True)
class Alert:
    """An alert that is pending or firing."""

    name: str
    state: str
    labels: Mapping[str, str] = field(hash=False)
    annotations: Mapping[str, str] = field(hash=False)

    @property
    def firing(self) -> bool:
        return self.state == "firing"


@dataclass(frozen=True)
class Sample:
    """One series of an instant query's answer."""

    labels: Mapping[str, str] = field(hash=False)
    value: float


class Prometheus(PrometheusService):
    """Scrapes `targets` (job to addresses) and evaluates `rules`, both several times a second unless told."""

    def __init__(
        self,
        folder: Path,
        targets: Mapping[str, Sequence[str]],
        *,
        rules: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
        scrape_interval: str = "250ms",
        evaluation_interval: str = "250ms",
        more: Mapping[str, Any] | None = None,
    ) -> None:
        config = {
            "global": {
                "scrape_interval": scrape_interval,
                "scrape_timeout": scrape_interval,
                "evaluation_interval": evaluation_interval,
            },
            "rule_files": [str(path.resolve()) for path in rules],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(hosts)}]}
                for job, hosts in targets.items()
            ],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
            **(more or {}),
        }
        file = folder / "prometheus.yml"
        file.write_text(json.dumps(config, indent=2), "utf-8")
        super().__init__(
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--rules.alert.resend-delay=1s",
            folder=folder,
        )
        self.process.wait_for_line("Server is ready to receive web requests", 60.0)

    async def query(self, expression: str) -> list[Sample]:
        """Ask for the current value of an expression; a scalar comes as one sample without labels."""
        data = (await self.get_json("/api/v1/query", query=expression))["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    async def alerts(self) -> list[Alert]:
        """Ask which alerts are pending or firing."""
        data = (await self.get_json("/api/v1/alerts"))["data"]
        return [
            Alert(
                name=one["labels"]["alertname"],
                state=one["state"],
                labels=one["labels"],
                annotations=one["annotations"],
            )
            for one in data["alerts"]
        ]

    async def firing(self, name: str) -> list[Alert]:
        """Ask which alerts of this name are firing."""
        return [alert for alert in await self.alerts() if alert.name == name and alert.firing]

    async def wait_for_alerts(
        self,
        accept: Callable[[list[Alert]], Any],
        deadline: float = 60.0,
        *,
        what: str = "the awaited alerts",
    ) -> list[Alert]:
        """Wait until the pending and firing alerts are as accepted; return them."""
        return await wait_until(self.alerts, accept, deadline, what=what)

    async def wait_for_query(
        self, expression: str, accept: Callable[[list[Sample]], Any], deadline: float = 60.0
    ) -> list[Sample]:
        """Wait until an expression's value is as accepted; return it."""
        return await wait_until(lambda: self.query(expression), accept, deadline, what=expression)

    async def rule_problems(self) -> list[str]:
        """Ask for the rules whose last evaluation failed, with the reason."""
        groups = (await self.get_json("/api/v1/rules"))["data"]["groups"]
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in groups
            for rule in group["rules"]
            if rule.get("lastError")
        ]
