"""Bounded concurrency: so many workers, one stack of jobs, and batches that know when they are done."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from exporter.integrity.progress import CycleProgress

Job = Callable[..., Awaitable[None]]


class Workers:
    """Runs jobs, the newest first, on a fixed number of tasks.

    Newest first means depth first: a repository is finished before the next is opened, so what is kept in
    memory stays small, and no worker waits for a barrier.
    """

    def __init__(self, count: int, progress: CycleProgress | None = None) -> None:
        self.progress = progress or CycleProgress()
        self._count = count
        self._jobs: list[tuple[Batch, Job, tuple[Any, ...]]] = []
        self._idle: deque[asyncio.Future[None]] = deque()
        self._open = 0

    def add(self, batch: "Batch", job: Job, *arguments: Any) -> None:
        """Put a job on the stack for the next free worker."""
        self.progress.references += 1
        self._jobs.append((batch, job, arguments))
        self._wake()

    async def run(self, openings: Iterator[Callable[[], Awaitable[None]]]) -> None:
        """Call one opening after the other, each when a worker has nothing else to do, until all are done.

        An opening runs in a task of its own and adds jobs through batches. What it raises ends the run.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._work(openings, group))

    async def _work(
        self, openings: Iterator[Callable[[], Awaitable[None]]], group: asyncio.TaskGroup
    ) -> None:
        while True:
            if self._jobs:
                batch, job, arguments = self._jobs.pop()
                await batch.run(job, arguments)
            elif (opening := next(openings, None)) is not None:
                self._open += 1
                group.create_task(self._opened(opening))
                await self._rest()
            elif self._open:
                await self._rest()
            else:
                self._wake()  # each that ends wakes the next
                return

    async def _opened(self, opening: Callable[[], Awaitable[None]]) -> None:
        try:
            await opening()
        finally:
            self._open -= 1
            self._wake()

    async def _rest(self) -> None:
        signal = asyncio.get_running_loop().create_future()
        self._idle.append(signal)
        await signal

    def _wake(self) -> None:
        while self._idle:
            signal = self._idle.popleft()
            if not signal.done():
                signal.set_result(None)
                return


class Batch:
    """Jobs that belong together: knows when all of them, and all that they added, are done."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._pending = 0
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def add(self, job: Job, *arguments: Any) -> None:
        """Add a job."""
        self.hold()
        self._workers.add(self, job, *arguments)

    def hold(self) -> None:
        """Keep the batch open for something that is not a job of its own; `release` follows."""
        self._pending += 1

    def release(self) -> None:
        """Undo one `hold`."""
        self._pending -= 1
        if self._pending == 0 and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self, job: Job, arguments: tuple[Any, ...]) -> None:
        """Run one job, called by a worker; what it raises is kept for `finished`."""
        try:
            await job(*arguments)
        except Exception as error:  # noqa: BLE001 - raised again where the batch's owner waits
            self._failure = self._failure or error
        finally:
            self._workers.progress.references_done += 1
            self.release()

    async def finished(self) -> None:
        """Wait until nothing is left.

        Raises:
            Exception: the first that a job raised.
        """
        if self._pending:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        if self._failure is not None:
            raise self._failure
