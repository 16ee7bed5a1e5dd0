"""Reading the configuration again: what goes on, what begins anew, what goes, and what a mistake changes."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.daemon import Daemon, LastReports
from exporter.integrity.report import Report
from exporter.logs import configure_logging
from exporter.metrics import ConfigurationMetrics, ExportedRegistry, ExporterMetrics, Format, RequestMetrics
from exporter.registry import TransportOptionsError
from exporter.reload import Reloader, ServedRegistries
from exporter.settings import RegistrySettings
from tests.parts.waiting import wait_until
from tests.program.loading import SECRET, load
from tests.program.running import while_running
from tests.program.test_daemon import report

TWO = """
registries:
  a: {url: http://a}
  b: {url: http://b}
"""


class Hurrying:
    """A clock that waits for no first cycle, and without end for a second one."""

    def now(self) -> float:
        return 0.0

    async def sleep_until(self, moment: float) -> None:
        await (asyncio.sleep(0) if moment <= 60 else asyncio.Event().wait())


@dataclass
class Walking:
    """A cycle that ends whenever the test says so, and notes what becomes of it."""

    settings: RegistrySettings
    requests: RequestMetrics
    previous: list[Report | None] = field(default_factory=list)
    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)
    canceled: bool = False
    closed: int = 0

    async def run(self, previous: Report | None) -> Report:
        assert not self.closed
        self.previous.append(previous)
        self.under_way.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            assert not self.closed
            self.canceled = True
            raise
        self.end.clear()
        return replace(report(self.settings.name), url=self.settings.url)

    async def finish(self, reports: LastReports) -> None:
        """Let it end, and wait for its report."""
        await self.under_way.wait()
        before = reports.snapshot.get(self.settings.name)
        self.under_way.clear()
        self.end.set()
        while reports.snapshot.get(self.settings.name) is before:  # noqa: ASYNC110
            await asyncio.sleep(0)


class Serving:
    """A daemon with what it serves, by a configuration file that tests change."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.opened: list[Walking] = []
        self.refuse: Callable[[RegistrySettings], bool] = lambda _: False
        self.reports = LastReports()
        self.configuration = ConfigurationMetrics(lambda: float(len(self.opened)))
        self.metrics = ExporterMetrics([], self.reports, "1.2.3", self.configuration)
        self.daemon = Daemon([], self.reports, self.metrics, Hurrying())
        self.registries = ServedRegistries(
            self.daemon,
            self.reports,
            self.metrics,
            lambda one: ExportedRegistry(one.name, one.url, one.interval),
            self._open,
        )

    async def _open(
        self, stack: AsyncExitStack, registry: RegistrySettings, observer: RequestMetrics
    ) -> Walking:
        walking = Walking(registry, observer)

        async def close() -> None:
            walking.closed += 1

        stack.push_async_callback(close)
        if self.refuse(registry):
            raise TransportOptionsError("ca_file", "expected a file that can be read")
        self.opened.append(walking)
        return walking

    @asynccontextmanager
    async def serving(self, text: str) -> AsyncIterator[None]:
        """Serve until the end of the block; then see that nothing is left."""
        settings = load(self.file, text)
        self.reloader = Reloader(settings, lambda: load(self.file), self.registries, self.configuration)
        await self.registries.change_to(await self.registries.open(settings.registries))
        async with while_running(self.daemon):
            yield
        assert [walking.closed for walking in self.opened] == [1] * len(self.opened)

    async def reload(self, text: str) -> str | None:
        self.file.write_text(text)
        return await self.reloader.reload()

    async def shown(self, name: str) -> dict[str, float]:
        """What the metrics show of each registry."""
        await self.metrics.refresh()
        text = (await self.metrics.scrape(Format.TEXT)).decode()
        pattern = rf'^registry_integrity_{name}\{{.*registry="([^"]+)".*\}} (.*)$'
        return {found[0]: float(found[1]) for found in re.findall(pattern, text, re.MULTILINE)}

    async def successful(self) -> tuple[float, ...]:
        return tuple(sample.value for family in self.configuration.collect() for sample in family.samples)


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the test run's own logging alone."""
    monkeypatch.setattr("exporter.reload.configure_logging", lambda *_: None)


@pytest.fixture
def it(file: Path) -> Serving:
    return Serving(file)


async def test_what_did_not_change_goes_on(it: Serving):
    """Its cycle is not even interrupted; all else of the file may change."""
    async with it.serving(f"{TWO}log_level: info\n"):
        a, b = it.opened
        await a.under_way.wait()
        await b.under_way.wait()
        assert await it.reload("log_level: error\nregistries: [{url: 'http://a/', name: a}]") is None
        assert it.opened == [a, b]
        assert (a.canceled, a.closed, b.canceled, b.closed) == (False, 0, True, 1)
        await a.finish(it.reports)
        assert a.previous == [None]
        known = it.reports.snapshot
        assert await it.reload(TWO) is None
        assert it.reports.snapshot == known
        assert (a.canceled, a.closed) == (False, 0)


async def test_what_changed_begins_anew_with_what_is_known(it: Serving):
    """Its cycle is canceled, its connections closed; the next one knows the last report."""
    async with it.serving(TWO):
        _, b = it.opened
        await b.finish(it.reports)
        known = it.reports.snapshot["b"]
        b.requests.requested("GET", "200", 0.1)
        with capture_logs() as logs:
            assert await it.reload(TWO.replace("http://b", "http://b, interval: 1h")) is None
        (line,) = [line for line in logs if line["event"] == "configuration reloaded"]
        assert (line["added"], line["changed"], line["removed"]) == ([], ["b"], [])
        anew = it.opened[-1]
        await anew.under_way.wait()
        assert (b.closed, anew is b, anew.previous) == (1, False, [known])
        assert anew.requests is b.requests
        assert await it.shown("tags") == {"b": 2}
        assert await it.shown("interval_seconds") == {"a": 900, "b": 3600}
        assert await it.reload(TWO) is None
        assert (anew.canceled, anew.closed) == (True, 1)
        await it.opened[-1].under_way.wait()
        assert it.opened[-1].previous == [known]


async def test_another_address_is_another_registry(it: Serving):
    """What was known under the name says nothing of it, and its counters begin at 0."""
    async with it.serving(TWO):
        _, b = it.opened
        await b.finish(it.reports)
        b.requests.requested("GET", "200", 0.1)
        assert await it.reload(TWO.replace("http://b", "http://c")) is None
        anew = it.opened[-1]
        await anew.under_way.wait()
        assert (anew.previous, it.reports.snapshot) == ([None], {})
        assert await it.shown("tags") == {}
        assert await it.shown("http_requests_total") == {}
        assert it.registries.urls == {"a": "http://a", "b": "http://c"}


async def test_removed_registries_take_their_series_with_them_and_new_ones_start(it: Serving):
    """In one reload, each as it should be."""
    async with it.serving(TWO):
        a, b = it.opened
        await a.finish(it.reports)
        await b.finish(it.reports)
        assert await it.shown("tags") == {"a": 2, "b": 2}
        with capture_logs() as logs:
            assert await it.reload(TWO.replace("a:", "c:").replace("http://a", "http://c")) is None
        (line,) = [line for line in logs if line["event"] == "configuration reloaded"]
        assert (line["added"], line["changed"], line["removed"]) == (["c"], [], ["a"])
        assert (a.closed, b.closed) == (1, 0)
        assert await it.shown("tags") == {"b": 2}
        assert await it.shown("interval_seconds") == {"b": 900, "c": 900}
        assert it.registries.urls == {"c": "http://c", "b": "http://b"}
        c = it.opened[-1]
        await c.finish(it.reports)
        assert c.previous == [None]
        assert await it.shown("tags") == {"b": 2, "c": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registries: [", "config: 'config.yml': expected YAML: "),
        (f"password: {SECRET}\n{TWO}", "password: ***: expected a username beside it (config.yml, line 1)"),
        ("registries: {}", "registries: nothing: expected at least one registry"),
    ],
)
async def test_a_bad_file_changes_nothing(it: Serving, text: str, said: str):
    """It is told and logged in one line, without secrets, and counted until a good one comes."""
    async with it.serving(TWO):
        a, b = it.opened
        await a.finish(it.reports)
        await b.under_way.wait()
        before = it.reports.snapshot
        assert await it.successful() == (1, 0)
        with capture_logs() as logs:
            told = await it.reload(text)
        assert told is not None
        assert told.startswith(said)
        assert SECRET not in f"{told}{logs}"
        assert [(line["log_level"], line["event"], line["problems"]) for line in logs] == [
            ("error", "configuration not reloaded, nothing has changed", told.splitlines())
        ]
        assert await it.successful() == (0, 0)
        assert it.opened == [a, b]
        assert (a.closed, b.closed, b.canceled, it.reports.snapshot) == (0, 0, False, before)
        assert await it.reload(TWO) is None
        assert await it.successful() == (1, 2)
        assert it.opened == [a, b]


async def test_what_cannot_be_opened_changes_nothing(it: Serving):
    """What was opened before that is closed again, and all goes on as it was."""
    async with it.serving(TWO):
        a, b = it.opened
        await a.under_way.wait()
        it.refuse = lambda registry: registry.name == "d"
        more = "  c: {url: http://c}\n  d: {url: http://d}\n"
        told = await it.reload(TWO.replace("http://b", "http://b, interval: 1h") + more)
        assert told == "expected a file that can be read"
        assert await it.successful() == (0, 0)
        changed, c = it.opened[2:]
        assert (changed.closed, c.closed, changed.previous, c.previous) == (1, 1, [], [])
        assert (a.canceled, b.canceled, b.closed) == (False, False, 0)
        assert it.registries.urls == {"a": "http://a", "b": "http://b"}


async def test_a_bug_changes_nothing(it: Serving, monkeypatch: pytest.MonkeyPatch):
    """Whatever is raised is logged and counted, and what runs goes on."""
    async with it.serving(TWO):

        def fail() -> Any:
            raise RuntimeError("boom")

        monkeypatch.setattr(it.reloader, "_read", fail)
        with capture_logs() as logs:
            assert await it.reloader.reload() == "an error that is a bug, which the log has"
        assert logs[0]["event"] == "reading the configuration again raised an error, which is a bug"
        assert await it.successful() == (0, 0)


async def test_another_password_in_its_file_is_no_change(it: Serving):
    """The file is read whenever it is needed; a password in the configuration itself is a change."""
    password = it.file.parent / "password"
    password.write_text("one")
    text = "username: u\npassword_file: password\nregistries: [{url: http://a}]"
    async with it.serving(text):
        password.write_text("two")
        assert await it.reload(text) is None
        assert len(it.opened) == 1
        assert await it.reload(text.replace("password_file: password", f"password: {SECRET}")) is None
        assert len(it.opened) == 2
        assert await it.reload(text.replace("password_file: password", f"password: {SECRET}2")) is None
        assert len(it.opened) == 3


async def test_what_needs_a_restart_is_said(it: Serving):
    """The rest of the file takes effect all the same."""
    async with it.serving(TWO):
        with capture_logs() as logs:
            assert await it.reload(f"listen_address: ':1'\nweb: {{enable_lifecycle: true}}\n{TWO}") is None
        warned = [line["key"] for line in logs if line["log_level"] == "warning"]
        assert warned == ["listen_address", "web"]
        with capture_logs() as logs:
            assert await it.reload(f"listen_address: ':1'\nweb: {{enable_lifecycle: true}}\n{TWO}") is None
        assert [line for line in logs if line["log_level"] == "warning"] == []


async def test_log_settings_take_effect(it: Serving, monkeypatch: pytest.MonkeyPatch):
    """With the secrets of before and of now, since a canceled cycle may still speak of the old ones."""
    configured: list[tuple[Any, ...]] = []
    monkeypatch.setattr("exporter.reload.configure_logging", lambda *given: configured.append(given))
    assert configure_logging is not None
    async with it.serving(f"username: u\npassword: old-secret\n{TWO}"):
        await it.reload(f"log_level: debug\nlog_format: json\nusername: u\npassword: new-secret\n{TWO}")
    ((level, form, secrets),) = configured
    assert (level, form) == ("debug", "json")
    assert {"old-secret", "new-secret"} <= secrets


async def test_a_hundred_reloads_at_once(it: Serving):
    """One after the other, in the middle of cycles and before they begin; nothing is left of any."""
    async with it.serving(TWO):
        a, b = it.opened
        await a.finish(it.reports)
        await b.finish(it.reports)
        known = it.reports.snapshot
        texts = [TWO.replace("http://b", f"http://b, interval: {number}m") for number in range(1, 101)]

        async def reload(text: str) -> None:
            # Another may be reading it.
            another = it.file.with_name(f"another-{texts.index(text)}")
            another.write_text(text)
            another.rename(it.file)
            assert await it.reloader.reload() is None

        async with asyncio.TaskGroup() as group:
            for text in texts:
                group.create_task(reload(text))
        for text in texts:
            await reload(text)
        assert not a.canceled
        assert dict(it.reports.snapshot) == dict(known)
        assert [walking.closed for walking in it.opened] == [0, *[1] * (len(it.opened) - 2), 0]
        assert await it.shown("interval_seconds") == {"a": 900, "b": 6000}
        assert len([task for task in asyncio.all_tasks() if task.get_name().startswith("cycles of")]) == 2


async def test_a_reload_while_it_stops_leaves_nothing_open(it: Serving):
    """What it opens then is closed without ever being served."""
    async with it.serving(TWO):
        pass
    assert await it.reload(TWO.replace("http://b", "http://b, interval: 1h")) is None
    assert [walking.closed for walking in it.opened] == [1] * 3
    assert it.opened[-1].previous == []


async def test_reloading_when_asked(it: Serving):
    """Each time the event is set; a wrong file does not end it."""
    async with it.serving(TWO):
        asked = asyncio.Event()
        task = asyncio.create_task(it.reloader.reload_on(asked))
        for text, value in (("registries: [", 0), (TWO, 1), ("registries: [", 0), (TWO, 1)):
            it.file.write_text(text)
            asked.set()
            await wait_until(it.successful, lambda seen, value=value: seen[0] == value, 5.0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
