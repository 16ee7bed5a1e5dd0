"""Bringing the metrics of `probe` to where the settings say."""

import asyncio
from collections.abc import Iterable
from importlib.metadata import version

import structlog
from structlog.typing import FilteringBoundLogger

from exporter.integrity import Outcome, Report
from exporter.metrics import ProbedRegistry, write_probes
from exporter.push import DeliveryError, Pushgateway, write_textfile
from exporter.registry import Proxies
from exporter.settings import Settings

_log: FilteringBoundLogger = structlog.get_logger()

Probed = tuple[ProbedRegistry, Report]


async def deliver(settings: Settings, proxies: Proxies, probed: Iterable[Probed]) -> bool:
    """Push the metrics, a group for each registry, and write them to the file; tell whether all arrived."""
    probed = tuple(probed)
    gateway = None
    if settings.pushgateway.url is not None:
        gateway = Pushgateway(
            settings.pushgateway.url,
            settings.pushgateway.job,
            settings.pushgateway.timeout,
            settings.pushgateway.credentials,
            settings.pushgateway.transport_options(proxies),
        )
    written = _write(settings, probed)
    async with asyncio.TaskGroup() as group:
        pushes = [group.create_task(_push(gateway, one, settings)) for one in probed if gateway is not None]
    return written and all(push.result() for push in pushes)


async def _push(gateway: Pushgateway, one: Probed, settings: Settings) -> bool:
    _, report = one
    grouping = {"registry": report.registry}
    if settings.shard is not None:
        grouping["shard"] = str(settings.shard.index)
    # A cycle that failed learnt nothing of what is in the registry: what was pushed of that stays.
    whole = report.outcome is not Outcome.FAILED
    try:
        await gateway.push(grouping, write_probes([one], version("registry-integrity-exporter")), whole=whole)
    except DeliveryError as error:
        _log.error("metrics were not pushed", registry=report.registry, trouble=str(error))
        return False
    return True


def _write(settings: Settings, probed: Iterable[Probed]) -> bool:
    if settings.textfile is None:
        return True
    try:
        # Not in a thread: nothing is to end the process between the file's beginning and its end.
        write_textfile(settings.textfile, write_probes(probed, version("registry-integrity-exporter")))
    except DeliveryError as error:
        _log.error("metrics were not written", trouble=str(error))
        return False
    return True
