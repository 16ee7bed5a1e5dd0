"""The settings of a running daemon: what they open, and what changes when they are read again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import structlog
from structlog.typing import FilteringBoundLogger

from exporter.daemon import Cycle, Daemon, LastReports, ScheduledCycle
from exporter.logs import configure_logging
from exporter.metrics import ConfigurationMetrics, ExportedRegistry, ExporterMetrics, RequestMetrics
from exporter.registry import TransportOptionsError
from exporter.settings import ConfigurationError, RegistrySettings, Settings

# Opens what the cycle of a registry needs, which the stack will close; the observer is told of its requests.
OpenCycle: TypeAlias = Callable[[AsyncExitStack, RegistrySettings, RequestMetrics], Awaitable[Cycle]]

_NEED_A_RESTART: Final = ("listen_address", "shard", "web")

_log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Served:
    """One registry that is served: by which settings, with what."""

    settings: RegistrySettings
    exported: ExportedRegistry
    requests: RequestMetrics
    scheduled: ScheduledCycle

    def is_same_as(self, settings: RegistrySettings) -> bool:
        """Whether other settings change nothing."""
        return _comparable(self.settings) == _comparable(settings)

    def is_continued_by(self, settings: RegistrySettings) -> bool:
        """Whether what is known of the registry holds with other settings too."""
        return (self.settings.name, self.settings.url) == (settings.name, settings.url)


def _comparable(settings: RegistrySettings) -> dict[str, Any]:
    """Give what to compare. What a password's file holds is no setting: it is read whenever it is needed."""
    own = dict(settings)
    if settings.password_file is not None:
        own.pop("password")
    return own


class ServedRegistries:
    """The registries that a daemon serves."""

    def __init__(
        self,
        daemon: Daemon,
        reports: LastReports,
        metrics: ExporterMetrics,
        exported: Callable[[RegistrySettings], ExportedRegistry],
        open_cycle: OpenCycle,
    ) -> None:
        self._daemon = daemon
        self._reports = reports
        self._metrics = metrics
        self._exported = exported
        self._open_cycle = open_cycle
        self._served: dict[str, Served] = {}
        self._urls: dict[str, str] = {}

    @property
    def urls(self) -> Mapping[str, str]:
        """The URLs by name, in order: a view that always shows the present ones."""
        return MappingProxyType(self._urls)

    async def open(self, registries: Sequence[RegistrySettings]) -> list[Served]:
        """Open what other settings need; what they do not change is as it was. Nothing is served by it yet.

        Raises:
            TransportOptionsError: a file that settings name cannot be used any more.
        """
        served: list[Served] = []
        async with AsyncExitStack() as failsafe:
            for settings in registries:
                before = self._served.get(settings.name)
                if before is not None and before.is_same_as(settings):
                    served.append(before)
                else:
                    served.append(await self._open(settings, before))
                    failsafe.push_async_callback(served[-1].scheduled.resources.aclose)
            failsafe.pop_all()
        return served

    async def _open(self, settings: RegistrySettings, before: Served | None) -> Served:
        continued = before is not None and before.is_continued_by(settings)
        requests = before.requests if before is not None and continued else RequestMetrics()
        async with AsyncExitStack() as stack:
            cycle = await self._open_cycle(stack, settings, requests)
            resources = stack.pop_all()
        scheduled = ScheduledCycle(settings.name, settings.interval, cycle, resources)
        return Served(settings, self._exported(settings), requests, scheduled)

    async def change_to(self, served: Sequence[Served]) -> dict[str, list[str]]:
        """Serve what was opened, and nothing else; tell the names of what was added, changed and removed.

        Cycles that are the same go on undisturbed. A changed one begins anew, with what is known of its
        registry where name and URL are the same.
        """
        before, now = self._served, {one.settings.name: one for one in served}
        changed = [name for name, one in now.items() if name in before and before[name] is not one]
        await self._daemon.stop_others([one.scheduled for one in served])
        self._served = now
        self._urls.clear()
        self._urls.update({name: one.settings.url for name, one in now.items()})
        self._reports.keep(
            {name for name, one in now.items() if name in before and before[name].requests is one.requests}
        )
        requests = {name: one.requests for name, one in now.items()}
        await self._metrics.replace([one.exported for one in served], requests)
        await self._daemon.start(
            [one.scheduled for one in served if before.get(one.settings.name) is not one]
        )
        return {
            "added": [name for name in now if name not in before],
            "changed": changed,
            "removed": [name for name in before if name not in now],
        }

    async def close(self) -> None:
        """Close what is open, where the daemon has not come to it."""
        for one in self._served.values():
            await one.scheduled.resources.aclose()


class Reloader:
    """Reads the configuration again and lets it take effect, once at a time."""

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        registries: ServedRegistries,
        metrics: ConfigurationMetrics,
    ) -> None:
        """Prepare for what `read` will give in the place of `settings`, which count now."""
        self._settings = settings
        self._read = read
        self._registries = registries
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> str | None:
        """Do it, and return when what changed has taken effect; how it went is logged and counted.

        The result is what is wrong with the configuration, one problem a line and without secrets: then
        nothing has changed. None: nothing is wrong.
        """
        async with self._one_at_a_time:
            try:
                settings = await asyncio.to_thread(self._read)
                served = await self._registries.open(settings.registries)
            except (ConfigurationError, TransportOptionsError) as error:
                return self._failed(str(error))
            except Exception:  # noqa: BLE001 - a bug in reading must not end what runs
                _log.exception("reading the configuration again raised an error, which is a bug")
                return self._failed("an error that is a bug, which the log has")
            changes = await self._change_to(settings, served)
            self._metrics.succeeded()
            _log.info("configuration reloaded", **changes)
            return None

    async def _change_to(self, settings: Settings, served: Sequence[Served]) -> dict[str, list[str]]:
        # Cycles that are yet to end may still mention the old secrets.
        secrets = settings.secrets | self._settings.secrets
        configure_logging(settings.log_level, settings.log_format, secrets)
        for key in _NEED_A_RESTART:
            if getattr(settings, key) != getattr(self._settings, key):
                _log.warning("changed setting takes effect after a restart", key=key)
        self._settings = settings
        return await self._registries.change_to(served)

    def _failed(self, problems: str) -> str:
        self._metrics.failed()
        _log.error("configuration not reloaded, nothing has changed", problems=problems.splitlines())
        return problems

    async def reload_on(self, asked: asyncio.Event) -> None:
        """Reload whenever the event is set."""
        while True:
            await asked.wait()
            asked.clear()
            await self.reload()
