"""Running a daemon for as long as a test looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.daemon import Daemon


@asynccontextmanager
async def while_running(daemon: Daemon) -> AsyncIterator[None]:
    """Run a daemon until the end of the block, and see that no task is left."""
    before = asyncio.all_tasks()
    stop = asyncio.Event()
    run = asyncio.create_task(daemon.run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await run
    assert asyncio.all_tasks() == before
