"""The real servers that tests stand on start, do their work, and leave nothing behind."""

import os
import textwrap
from pathlib import Path

import httpx

from tests.parts.fixtures import (
    StartAlertmanager,
    StartNginx,
    StartPrometheus,
    StartPushgateway,
    StartRegistry,
)
from tests.parts.waiting import wait_until
from tests.parts.webhook import WebhookReceiver


async def test_an_alert_goes_from_a_metric_to_a_webhook(
    start_pushgateway: StartPushgateway,
    start_prometheus: StartPrometheus,
    start_alertmanager: StartAlertmanager,
    webhook: WebhookReceiver,
    tmp_path: Path,
) -> None:
    """A pushed metric is scraped, a rule over it fires, Alertmanager tells the webhook; then it resolves."""
    rules = tmp_path / "rules.yml"
    rules.write_text(
        textwrap.dedent("""
            groups:
            - name: test
              rules:
              - alert: TooMuch
                expr: amount > 1
                annotations: {summary: "{{ $value }} of {{ $labels.of }}"}
            """)
    )
    pushgateway = start_pushgateway()
    alertmanager = start_alertmanager(webhook.url)
    prometheus = start_prometheus(
        {"pushed": [pushgateway.host]}, rules=[rules], alertmanagers=[alertmanager.host]
    )

    async def push(amount: int) -> None:
        async with httpx.AsyncClient(base_url=pushgateway.url, trust_env=False) as client:
            answer = await client.put("/metrics/job/test", content=f'amount{{of="tea"}} {amount}\n')
        answer.raise_for_status()

    await push(2)
    [alert] = await prometheus.wait_for_alerts(lambda alerts: [a for a in alerts if a.firing])
    assert (alert.name, alert.labels["of"], alert.annotations["summary"]) == ("TooMuch", "tea", "2 of tea")
    [sample] = await prometheus.query("amount")
    assert (sample.labels["of"], sample.value) == ("tea", 2.0)
    assert (await prometheus.query("scalar(amount)"))[0].value == 2.0
    assert await prometheus.rule_problems() == []
    assert 'amount{instance="",job="test",of="tea"} 2' in await pushgateway.metrics()

    await push(0)
    assert await prometheus.wait_for_alerts(lambda alerts: not alerts) == []

    async def received() -> list[str]:
        return [alert["status"] for message in webhook.received for alert in message["alerts"]]

    assert await wait_until(received, lambda states: len(states) > 1) == ["firing", "resolved"]
    assert [alert["labels"]["alertname"] for alert in await alertmanager.alerts()] == []


async def test_nginx_stands_before_a_registry(start_registry: StartRegistry, start_nginx: StartNginx) -> None:
    """nginx serves on a port that was free when asked for, and keeps a log of what it was asked."""
    registry = start_registry()
    nginx = start_nginx(
        f"location /v2/ {{ proxy_pass {registry.url}; }}\nlocation /broken/ {{ return 503 'sorry'; }}"
    )
    async with httpx.AsyncClient(base_url=nginx.url, trust_env=False) as client:
        catalog = await client.get("/v2/_catalog", headers={"Range": "bytes=0-1"})
        broken = await client.get("/broken/")
    assert catalog.json() == {"repositories": []}
    assert (broken.status_code, broken.text) == (503, "sorry")
    nginx.stop()
    asked = [line.split(" ", 3)[:3] for line in nginx.access_log()]
    assert asked == [["GET", "/v2/_catalog", "200"], ["GET", "/broken/", "503"]]
    assert nginx.access_log()[0].split(" ")[3] == '"bytes=0-1"'


def test_stopped_servers_are_gone(start_registry: StartRegistry, start_nginx: StartNginx) -> None:
    """After stop no process of theirs runs, workers included."""
    registry, nginx = start_registry(), start_nginx("return 204;")
    groups = [registry.process.pid, nginx.process.pid]
    registry.stop()
    nginx.stop()
    assert [group for group in groups if _group_exists(group)] == []


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
