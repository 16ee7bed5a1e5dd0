"""What `check-deletion` does between the command line and the exit."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version

import structlog
from rich.console import Console

from exporter.cli.clients import open_registry
from exporter.deletion import CheckedRegistry, DeletionCheck, render_consequences, render_json
from exporter.output import OutputFormat
from exporter.progress import show_progress
from exporter.registry import Proxies
from exporter.verification import Logins, Target

_log = structlog.get_logger()


async def check_deletions(
    targets: Iterable[Target], logins: Logins, proxies: Proxies, *, quiet: bool
) -> tuple[CheckedRegistry, ...]:
    """Ask several registries at once what deleting these images would break."""
    targets = tuple(targets)
    if not sys.stderr.isatty():  # where there are bars, they say it
        images = sum(len(target.images) for target in targets)
        _log.info("checking a deletion", version=version("registry-integrity-exporter"), images=images)
    async with AsyncExitStack() as stack:
        checks = []
        for target in targets:
            credentials = logins.credentials_for(target.registry)
            client = await stack.enter_async_context(
                open_registry(target.registry, proxies, credentials=credentials)
            )
            checks.append(DeletionCheck(target.registry, client, target.images))
        await stack.enter_async_context(show_progress({one.name: one for one in checks}, quiet=quiet))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.run()) for one in checks]
    return tuple(task.result() for task in tasks)


def rendered_consequences(checked: Sequence[CheckedRegistry], output: OutputFormat) -> str:
    """Write what was asked for."""
    if output is OutputFormat.JSON:
        return render_json(checked)
    console = Console(highlight=False)
    with console.capture() as capture:
        render_consequences(checked, console)
    return capture.get()
