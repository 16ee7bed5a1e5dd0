"""The commands. They wire the parts of the program; they decide nothing."""

import asyncio
import errno
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import structlog
import typer
import uvloop
from rich.console import Console
from structlog.typing import FilteringBoundLogger

from exporter.cli.clients import open_registry, options_of
from exporter.cli.deletion import check_deletions, rendered_consequences
from exporter.cli.delivery import deliver
from exporter.cli.images import ImageOutputFormat, Wanted, rendered_images, verify_images
from exporter.cli.signals import (
    ENDING_SIGNALS,
    end_on_signals,
    handled_by,
    hold_back,
    let_through,
    note,
    status_of,
)
from exporter.daemon import Daemon, LastReports, log_expired_rules
from exporter.deletion import deletion_status, read_file
from exporter.integrity import Cycle, Report, Shard
from exporter.logs import LogLevel, configure_logging
from exporter.metrics import (
    ConfigurationMetrics,
    ExportedRegistry,
    ExporterMetrics,
    ProbedRegistry,
    RequestMetrics,
)
from exporter.output import OutputFormat, exit_status, render_json, render_table
from exporter.progress import show_progress
from exporter.registry import InvalidProxyError, Proxies, RequestObserver
from exporter.reload import Reloader, ServedRegistries
from exporter.settings import (
    ConfigurationError,
    RegistrySettings,
    Settings,
    default_of,
    description_of,
    load_configuration,
    load_settings,
    render_effective,
    variable_of,
)
from exporter.verification import (
    UsageError,
    find_logins,
    find_targets,
    read_images,
    read_platforms,
    read_retries,
)
from exporter.web import ListenError, create_app, start_server

PROGRAM: Final = "registry-integrity-exporter"

_USAGE_ERROR: Final = 2
_NOT_DELIVERED: Final = 3
_SOFTWARE_ERROR: Final = 70  # EX_SOFTWARE of sysexits.h; 1 says that something is broken

T = TypeVar("T")

_log: FilteringBoundLogger = structlog.get_logger()

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # or [NAME=]URL would be markup
)


def _flag(name: str, metavar: str, spelling: str | None = None) -> Any:
    path = tuple(name.split("."))
    default = f", default {default_of(path)}" if default_of(path) else ""
    return typer.Option(
        spelling or f"--{name.replace('_', '-')}",
        metavar=metavar,
        help=f"{description_of(path).replace('`', '')} [{variable_of(path)}{default}]",
        show_default=False,
    )


Registries = Annotated[list[str] | None, _flag("registries", "[NAME=]URL", "--registry")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file, YAML.")
]
Interval = Annotated[str | None, _flag("interval", "DURATION")]
Concurrency = Annotated[str | None, _flag("concurrency", "NUMBER")]
Timeout = Annotated[str | None, _flag("timeout", "DURATION")]
BlobCheckFlag = Annotated[str | None, _flag("blob_check", "auto|range|head")]
ShardFlag = Annotated[str | None, _flag("shard", "I/N|auto/N")]
LogLevelFlag = Annotated[str | None, _flag("log_level", "debug|info|warning|error")]
LogFormatFlag = Annotated[str | None, _flag("log_format", "console|json")]
Listen = Annotated[str | None, _flag("listen_address", "ADDRESS")]
PushgatewayFlag = Annotated[str | None, _flag("pushgateway.url", "URL", "--pushgateway")]
TextfileFlag = Annotated[str | None, _flag("textfile", "FILE")]
DeadlineFlag = Annotated[str | None, _flag("deadline", "DURATION")]
Lifecycle = Annotated[
    bool,
    typer.Option(
        "--web.enable-lifecycle",
        help=f"{description_of(('web', 'enable_lifecycle')).replace('`', '')}"
        f" [{variable_of(('web', 'enable_lifecycle'))}]",
    ),
]
Output = Annotated[OutputFormat, typer.Option("--output", help="What to print on standard output.")]
ImageOutput = Annotated[ImageOutputFormat, typer.Option("--output", help="What to print on standard output.")]
Platforms = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH[/VARIANT]",
        help="Verify this platform alone, which an index must have; more than one may be given.",
        show_default=False,
    ),
]
Retries = Annotated[
    str,
    typer.Option(
        metavar="NUMBER",
        help="Verify so many times again what is not intact, with growing waits between.",
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Read every blob whole and compare its digest.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress, and log only warnings.")]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Find the images that a container registry lists but can no longer serve.

    Every setting is also a key of the configuration file and a variable of the environment. A flag counts
    more than the environment, that more than the file.
    """


@app.command()
def serve(
    *,
    registry: Registries = None,
    config: Config = None,
    interval: Interval = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    blob_check: BlobCheckFlag = None,
    shard: ShardFlag = None,
    log_level: LogLevelFlag = None,
    log_format: LogFormatFlag = None,
    listen_address: Listen = None,
    enable_lifecycle: Lifecycle = False,
) -> None:
    """Walk each registry every interval, and serve metrics.

    Reads the configuration again on SIGHUP. Ends with status 0 on SIGTERM and SIGINT.
    """
    end_on_signals(gracefully=True)
    hung_up = note(signal.SIGHUP)
    flags: dict[str, Any] = {
        "registries": registry,
        "interval": interval,
        "concurrency": concurrency,
        "timeout": timeout,
        "blob_check": blob_check,
        "shard": shard,
        "log_level": log_level,
        "log_format": log_format,
        "listen_address": listen_address,
        "web.enable_lifecycle": "true" if enable_lifecycle else None,
    }
    settings = _start(config, **flags)
    try:
        _run(_serve(settings, _proxies(), partial(load_settings, flags, config, os.environ), hung_up))
    except ListenError as error:
        _refuse([f"listen_address: {error}"])


@app.command()
def probe(
    *,
    registry: Registries = None,
    config: Config = None,
    interval: Interval = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    blob_check: BlobCheckFlag = None,
    shard: ShardFlag = None,
    log_level: LogLevelFlag = None,
    log_format: LogFormatFlag = None,
    pushgateway: PushgatewayFlag = None,
    textfile: TextfileFlag = None,
    deadline: DeadlineFlag = None,
    output: Output = OutputFormat.TABLE,
    quiet: Quiet = False,
) -> None:
    """Walk each registry once, print what is broken, and exit.

    Ends with status 0 when all is intact, 1 when something is broken, 2 on a wrong command line or
    configuration, 3 when nothing broken was found but not everything could be verified, or when the metrics
    could not be delivered, 143 on SIGTERM, 130 on SIGINT.
    """
    settings = _start(
        config,
        registries=registry,
        interval=interval,
        concurrency=concurrency,
        timeout=timeout,
        blob_check=blob_check,
        shard=shard,
        log_level=log_level,
        log_format=log_format,
        pushgateway=pushgateway,
        textfile=textfile,
        deadline=deadline,
    )
    configure_logging(_level(settings, quiet=quiet), settings.log_format, settings.secrets)
    outcome = _run(_unless_signaled(_probe(settings, _proxies(), quiet=quiet)))
    if isinstance(outcome, signal.Signals):
        raise typer.Exit(status_of(outcome))
    reports, delivered = outcome
    _end(_rendered(reports, output), exit_status(reports) or (0 if delivered else _NOT_DELIVERED))


@app.command()
def verify(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="What to verify.", show_default=False)],
    *,
    registry: Registries = None,
    config: Config = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    blob_check: BlobCheckFlag = None,
    log_level: LogLevelFlag = None,
    log_format: LogFormatFlag = None,
    platform: Platforms = None,
    retries: Retries = "0",
    full: Full = False,
    output: ImageOutput = ImageOutputFormat.TABLE,
    quiet: Quiet = False,
) -> None:
    """Verify images by name, print what is broken, and exit.

    For images that were just pushed, say. An IMAGE is host/repository:tag or host/repository@sha256:...;
    without a host it is Docker Hub's. Only these images are asked for. A registry that is not listed is
    spoken to over https, on loopback over http, with the credentials that docker login or podman login has
    left.

    Ends with status 0 when all is intact, 1 when something is broken or not there, 2 on a wrong command line
    or configuration, 3 when nothing broken was found but not everything could be verified, 143 on SIGTERM,
    130 on SIGINT.
    """
    try:
        names, platforms, number = read_images(images), read_platforms(platform or ()), read_retries(retries)
    except UsageError as error:
        _refuse(error.problems, "usage")
    settings = _start(
        config,
        needs_registry=False,
        registries=registry,
        concurrency=concurrency,
        timeout=timeout,
        blob_check=blob_check,
        log_level=log_level,
        log_format=log_format,
    )
    logins = find_logins(os.environ, Path.home())
    secrets = settings.secrets | logins.secrets
    configure_logging(_level(settings, quiet=quiet), settings.log_format, secrets)
    wanted = Wanted(find_targets(names, settings), platforms, full=full, retries=number)
    verified = _run(_unless_signaled(verify_images(wanted, logins, _proxies(), quiet=quiet)))
    if isinstance(verified, signal.Signals):
        raise typer.Exit(status_of(verified))
    _end(rendered_images(verified, output), exit_status(one.report for one in verified))


@app.command()
def check_deletion(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A list of images; - is standard input.", show_default=False)
    ],
    *,
    registry: Registries = None,
    config: Config = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    log_level: LogLevelFlag = None,
    log_format: LogFormatFlag = None,
    output: Output = OutputFormat.TABLE,
    quiet: Quiet = False,
) -> None:
    """Tell which kept tags a deletion would break, and exit.

    Before a retention job deletes, say. FILE has a line host/repository:tag or
    host/repository@sha256:... for all that is to be deleted; blank lines and those that begin with # say
    nothing. Only the repositories of these images are asked for, and nothing is deleted. Registries and
    credentials are found as for verify.

    Ends with status 0 when nothing would break, 1 when a kept tag would, 2 on a wrong command line, list or
    configuration, 3 when nothing is known to break but not everything could be determined, 143 on SIGTERM,
    130 on SIGINT.
    """
    try:
        names = read_file(file)
    except UsageError as error:
        _refuse(error.problems, "usage")
    settings = _start(
        config,
        needs_registry=False,
        registries=registry,
        concurrency=concurrency,
        timeout=timeout,
        log_level=log_level,
        log_format=log_format,
    )
    logins = find_logins(os.environ, Path.home())
    secrets = settings.secrets | logins.secrets
    configure_logging(_level(settings, quiet=quiet), settings.log_format, secrets)
    targets = find_targets(names, settings)
    checked = _run(_unless_signaled(check_deletions(targets, logins, _proxies(), quiet=quiet)))
    if isinstance(checked, signal.Signals):
        raise typer.Exit(status_of(checked))
    _end(rendered_consequences(checked, output), deletion_status(checked))


@app.command()
def check_config(
    *,
    registry: Registries = None,
    config: Config = None,
    interval: Interval = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    blob_check: BlobCheckFlag = None,
    shard: ShardFlag = None,
    log_level: LogLevelFlag = None,
    log_format: LogFormatFlag = None,
    listen_address: Listen = None,
    enable_lifecycle: Lifecycle = False,
    pushgateway: PushgatewayFlag = None,
    textfile: TextfileFlag = None,
    deadline: DeadlineFlag = None,
) -> None:
    """Print the settings that count, and where each comes from.

    What is printed is YAML, without secrets. Ends with status 0, or with 2 and the errors that `serve` would
    end with, 143 on SIGTERM, 130 on SIGINT.
    """
    flags = {
        "registries": registry,
        "interval": interval,
        "concurrency": concurrency,
        "timeout": timeout,
        "blob_check": blob_check,
        "shard": shard,
        "log_level": log_level,
        "log_format": log_format,
        "listen_address": listen_address,
        "web.enable_lifecycle": "true" if enable_lifecycle else None,
        "pushgateway": pushgateway,
        "textfile": textfile,
        "deadline": deadline,
    }
    try:
        configuration = load_configuration(flags, config, os.environ)
    except ConfigurationError as error:
        _refuse(error.problems)
    _proxies()
    _end(render_effective(configuration), 0)


def run() -> int:
    """Run the command that the command line names, and return the exit status."""
    configure_logging()
    if isinstance(sys.stdout, TextIOWrapper):
        # What the terminal's encoding lacks is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001 - logged, and told apart by the status
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # of --help, for one
            typer.echo(_not_written(error), err=True)
            return _NOT_DELIVERED
        _log.exception("the program failed, which is a bug")
        return _SOFTWARE_ERROR
    return 0


def _start(config: Path | None, *, needs_registry: bool = True, **flags: object) -> Settings:
    try:
        settings = load_settings(flags, config, os.environ, needs_registry=needs_registry)
    except ConfigurationError as error:
        _refuse(error.problems)
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    return settings


def _level(settings: Settings, *, quiet: bool) -> LogLevel:
    return LogLevel.WARNING if quiet and settings.log_level is LogLevel.INFO else settings.log_level


def _refuse(problems: Iterable[str], what: str = "configuration") -> NoReturn:
    for problem in problems:
        typer.echo(f"{what} error: {problem}", err=True)
    raise typer.Exit(_USAGE_ERROR)


async def _serve(
    settings: Settings, proxies: Proxies, read: Callable[[], Settings], hung_up: Callable[[], bool]
) -> None:
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    if hung_up():
        hangup.set()
    reports = LastReports()
    configuration = ConfigurationMetrics()
    metrics = ExporterMetrics([], reports, version(PROGRAM), configuration)
    daemon = Daemon([], reports, metrics)

    def open_cycle(
        stack: AsyncExitStack, registry: RegistrySettings, observer: RequestMetrics
    ) -> Awaitable[Cycle]:
        return _open_cycle(stack, registry, proxies, settings.shard, observer)

    registries = ServedRegistries(
        daemon, reports, metrics, partial(_exported, shard=settings.shard), open_cycle
    )
    reloader = Reloader(settings, read, registries, configuration)
    reload = reloader.reload if settings.web.enable_lifecycle else None
    application = create_app(
        metrics, reports, registries.urls, version(PROGRAM), settings.shard, reload=reload
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(handled_by(loop, dict.fromkeys(ENDING_SIGNALS, stop.set)))
        server = await start_server(application, settings.listen_address.host, settings.listen_address.port)
        stack.push_async_callback(server.close)
        stack.push_async_callback(registries.close)
        await registries.change_to(await registries.open(settings.registries))
        _log.info("serving", **_about(settings), addresses=server.addresses)
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(reloader.reload_on(hangup), name="reloading")
            await daemon.run(stop)
            reloading.cancel()
        _log.info("stopping")


async def _probe(settings: Settings, proxies: Proxies, *, quiet: bool) -> tuple[list[Report], bool]:
    """Walk each registry once and deliver the metrics; return the reports, and whether that worked."""
    _log.info("probing", **_about(settings))
    probed = [ProbedRegistry(_exported(registry, settings.shard)) for registry in settings.registries]
    async with AsyncExitStack() as stack:
        cycles = [
            await _open_cycle(
                stack, registry, proxies, settings.shard, one.requests, deadline=settings.deadline
            )
            for registry, one in zip(settings.registries, probed, strict=True)
        ]
        async with (
            show_progress({cycle.name: cycle for cycle in cycles}, quiet=quiet),
            asyncio.TaskGroup() as group,
        ):
            tasks = [group.create_task(cycle.run(None), name=f"cycle of {cycle.name}") for cycle in cycles]
    reports = [task.result() for task in tasks]
    for report in reports:
        if report.trouble is not None:
            outcome = report.outcome.value
            _log.warning("cycle ended", registry=report.registry, outcome=outcome, trouble=report.trouble)
        log_expired_rules(report)
    return reports, await deliver(settings, proxies, zip(probed, reports, strict=True))


def _proxies() -> Proxies:
    try:
        return Proxies.from_environment(os.environ)
    except InvalidProxyError as error:
        _refuse([f"{error.variable}: ***: {error} (variable {error.variable})"])


def _about(settings: Settings) -> dict[str, object]:
    urls = {registry.name: registry.url for registry in settings.registries}
    shard = {"shard": str(settings.shard)} if settings.shard is not None else {}
    return {"version": version(PROGRAM), "registries": urls, **shard}


async def _open_cycle(
    stack: AsyncExitStack,
    registry: RegistrySettings,
    proxies: Proxies,
    shard: Shard | None = None,
    observer: RequestObserver | None = None,
    *,
    deadline: float | None = None,
) -> Cycle:
    client = await stack.enter_async_context(open_registry(registry, proxies, observer=observer))
    options = replace(options_of(registry, shard), deadline=deadline)
    return Cycle(registry.name, registry.url, registry.kind, client, options)


def _exported(registry: RegistrySettings, shard: Shard | None) -> ExportedRegistry:
    return ExportedRegistry(
        registry.name,
        registry.url,
        registry.interval,
        image_host=registry.metrics.image_host,
        max_broken_info=registry.metrics.max_broken_info,
        shard=shard,
        per_repository=registry.metrics.per_repository,
    )


def _rendered(reports: Iterable[Report], output: OutputFormat) -> str:
    if output is OutputFormat.JSON:
        return render_json(reports)
    console = Console(highlight=False)
    with console.capture() as capture:
        render_table(reports, console)
    return capture.get()


def _end(text: str, status: int) -> NoReturn:
    """Print all of a result at once, and end; where nobody reads, that is no error."""
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        # Else the interpreter tries again at its end, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            typer.echo(_not_written(error), err=True)
            status = status or _NOT_DELIVERED
    raise typer.Exit(status)


def _not_written(error: OSError) -> str:
    return f"cannot write to standard output: {os.strerror(error.errno or 0)}"


def _run(work: Coroutine[Any, Any, T]) -> T:
    # A loop that ends forgets the handlers that were there before it.
    handlers = {number: signal.getsignal(number) for number in (*ENDING_SIGNALS, signal.SIGHUP)}
    # What is loaded stays. Each full collection would look through it, and let all else wait for 40 ms.
    gc.freeze()
    hold_back()  # what comes while the loop starts or ends would be lost in it
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    finally:
        gc.unfreeze()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        let_through()


async def _unless_signaled(work: Coroutine[Any, Any, T]) -> T | signal.Signals:
    """Do the work, unless a signal ends it before it is done: then return that."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    with handled_by(loop, {number: partial(end, number) for number in ENDING_SIGNALS}):
        try:
            result = await task
        except asyncio.CancelledError:
            if not received:
                raise
    return received[0] if received else result
