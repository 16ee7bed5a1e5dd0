"""Listening for scrapes: sockets, the server on them, and its end."""

import asyncio
import errno
import logging
import os
import socket
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import FilteringBoundLogger

_SHUTDOWN_TIMEOUT = (
    1.0  # seconds; aiohttp waits so long for requests under way, and again once it cancelled them
)
# What a kernel without IPv6, or with IPv6 switched off, says to an IPv6 socket.
_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL})

_log: FilteringBoundLogger = structlog.get_logger()


class ListenError(Exception):
    """It was not possible to listen on an address; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is listening. `addresses` are the actual ones, `host:port`, IPv6 hosts in brackets."""

    addresses: tuple[str, ...]
    port: int
    _runner: web.AppRunner

    async def close(self) -> None:
        """Stop listening; requests under way may still be answered, but not for more than two seconds."""
        await self._runner.cleanup()


async def start_server(app: web.Application, host: str, port: int) -> Server:
    """Serve an application; an empty host means all addresses, IPv4 and IPv6, port 0 any free one.

    Raises:
        ListenError: the address is in use, not this machine's, or needs rights that the process lacks.
    """
    sockets = await _listen(host, port)
    # No access log: a scrape every few seconds is not news.
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT, logger=_ServerLogger("aiohttp.server")
    )
    async with AsyncExitStack() as unless_started:
        for listening in sockets:
            unless_started.callback(listening.close)
        unless_started.push_async_callback(runner.cleanup)
        await runner.setup()
        for listening in sockets:
            await web.SockSite(runner, listening).start()
        unless_started.pop_all()
    addresses = tuple(_written(*listening.getsockname()[:2]) for listening in sockets)
    return Server(addresses, sockets[0].getsockname()[1], runner)


async def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return [_listen_everywhere(port)] if host == "" else await _listen_at(host, port)
    except OSError as error:
        # The text of the error itself repeats the address in its own way.
        if isinstance(error, socket.gaierror) or error.errno is None:
            reason = error.strerror or str(error)
        else:
            reason = os.strerror(error.errno)
        raise ListenError(f"cannot listen on {_written(host, port)}: {reason}") from error


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno not in _NO_SUCH_FAMILY:
                raise
    return socket.create_server(("", port))


async def _listen_at(host: str, port: int) -> list[socket.socket]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    with ExitStack() as unless_all:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            # A name with several addresses is served on one port, whichever the first one was given.
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                listening = socket.create_server((address[0], chosen, *address[2:]), family=family)
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                unavailable = error
            else:
                sockets.append(listening)
                unless_all.callback(listening.close)
        unless_all.pop_all()
    if unavailable is not None and not sockets:
        raise unavailable
    return sockets


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _ServerLogger(logging.Logger):
    """Hands what aiohttp says of a request on to the structured log."""

    def handle(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # A request that is no HTTP is its sender's fault, and anyone may send one.
        level = logging.DEBUG if isinstance(error, HttpProcessingError) else record.levelno
        fields: dict[str, Any] = {"exc_info": error} if error is not None else {}
        _log.log(level, record.getMessage(), **fields)
