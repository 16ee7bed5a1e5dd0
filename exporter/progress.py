"""How far the cycles that are under way have come: bars on a terminal, else a log line now and then.

    async with show_progress({cycle.name: cycle for cycle in cycles}, quiet=False):
        ...  # run the cycles

Whatever has a `progress` can be watched; it is looked at a few times a second. Everything goes to standard
error, and nothing of it is left on a terminal at the end.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, Protocol

import structlog
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from exporter.integrity import CycleProgress
from exporter.logs import printable

_FRAME: Final = 0.125  # seconds
_LOG_INTERVAL: Final = 10.0
_NARROW: Final = 72  # columns: below there is no room for a bar
_NAME_SHARE: Final = 3  # of the width, for names: a third

_log = structlog.get_logger()


class Watched(Protocol):
    """Something that comes along."""

    @property
    def progress(self) -> CycleProgress:
        """How far it has come by now."""


@asynccontextmanager
async def show_progress(
    watched: Mapping[str, Watched],
    *,
    quiet: bool,
    console: Console | None = None,
    log_interval: float = _LOG_INTERVAL,
) -> AsyncIterator[None]:
    """Show how far each of some named cycles has come, until the end of the `with` statement.

    `console` is standard error, unless given; `log_interval` is in seconds.
    """
    console = console or Console(stderr=True)
    if quiet:
        yield
        return
    task = asyncio.create_task(
        _draw(watched, console) if _is_terminal(console) else _log_now_and_then(watched, log_interval)
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _is_terminal(console: Console) -> bool:
    # FORCE_COLOR makes of a log a terminal that takes colors, but no bars.
    return console.is_interactive and console.file.isatty()


def words_for(progress: CycleProgress, seconds: float, *, narrow: bool = False) -> str:
    """Write in a few words how far a cycle has come within so many seconds."""
    words = []
    if progress.repositories > 1:
        words.append(f"{progress.repositories_done:,}/{progress.repositories:,} repositories")
    words.append(f"{progress.references_done:,}/{progress.references:,} references")
    if progress.bytes:
        words.append(f"{decimal(progress.bytes_done)} of {decimal(progress.bytes)}")
    rate = progress.bytes_done if progress.bytes else progress.references_done
    if seconds > 0:
        words.append(f"{decimal(int(rate / seconds)) if progress.bytes else f'{rate / seconds:,.0f}'}/s")
    done, total = measure(progress)
    if 0 < done < total:
        left = timedelta(seconds=round(seconds * (total - done) / done))
        words.append(f"{left} left")
    return ", ".join(words[-2:] if narrow else words)


def measure(progress: CycleProgress) -> tuple[int, int]:
    """Tell what has been done of what: of the count that says most about the time that is left."""
    if progress.bytes:
        return progress.bytes_done, progress.bytes
    if progress.repositories > 1:
        return progress.repositories_done, progress.repositories
    return progress.references_done, progress.references


async def _draw(watched: Mapping[str, Watched], console: Console) -> None:
    started = asyncio.get_running_loop().time()
    narrow = console.width < _NARROW
    with Progress(
        *_columns(console.width), console=console, transient=True, auto_refresh=False, expand=not narrow
    ) as bars:
        tasks = {bars.add_task(escape(printable(name)), total=None): one for name, one in watched.items()}
        while True:
            for task, one in tasks.items():
                _update(bars, task, one.progress, asyncio.get_running_loop().time() - started, narrow=narrow)
            bars.refresh()
            await asyncio.sleep(_FRAME)


def _update(bars: Progress, task: TaskID, progress: CycleProgress, seconds: float, *, narrow: bool) -> None:
    done, total = measure(progress)
    words = words_for(progress, seconds, narrow=narrow)
    bars.update(task, completed=done, total=total or None, words=words)


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    name = Column(no_wrap=True, overflow="ellipsis", max_width=max(1, width // _NAME_SHARE))
    bar = () if width < _NARROW else (BarColumn(bar_width=None),)
    return TextColumn("{task.description}", table_column=name), *bar, _Words()


class _Words(ProgressColumn):
    """What `words_for` says."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        return Text(task.fields.get("words", ""))


async def _log_now_and_then(watched: Mapping[str, Watched], interval: float) -> None:
    started = asyncio.get_running_loop().time()
    while True:
        await asyncio.sleep(interval)
        seconds = asyncio.get_running_loop().time() - started
        for name, one in watched.items():
            _log.info("under way", registry=name, progress=words_for(one.progress, seconds))
