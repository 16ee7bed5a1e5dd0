"""Where the metrics of `probe` go: to a Pushgateway, or into a file for node_exporter."""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
import httpx
import stamina

from exporter.metrics import Format
from exporter.registry import Credentials, TransportOptions, TransportOptionsError
from exporter.registry.connections import open_transport

_ATTEMPTS: Final = 4
_FIRST_WAIT: Final = 0.25  # seconds
_LONGEST_WAIT: Final = 5.0
_LONGEST_QUOTE: Final = 200
_READABLE_FOR_ALL: Final = 0o644


class DeliveryError(Exception):
    """The metrics did not arrive; the text says where and why, without secrets."""


class _UnavailableError(DeliveryError):
    """So it may be in a moment, too, but not for ever."""


@dataclass(frozen=True, slots=True)
class Pushgateway:
    """A Pushgateway; `timeout` of one request is in seconds. Credentials go to its own address only."""

    url: str
    job: str
    timeout: float = 10.0
    credentials: Credentials | None = None
    transport_options: TransportOptions = TransportOptions()  # noqa: RUF009 - frozen

    async def push(self, grouping: Mapping[str, str], text: bytes, *, whole: bool) -> None:
        """Push an exposition, again where that may help.

        It replaces all that was pushed with the same grouping, or where it is not `whole`, only the metrics
        that it has.

        Raises:
            DeliveryError: it was not taken.
        """
        try:
            transport = open_transport(1, self.transport_options, (httpx.URL(self.url).host,))
        except TransportOptionsError as error:
            raise DeliveryError(f"cannot push to {self.url}: {error}") from None
        async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=self.timeout) as client:
            async for attempt in stamina.retry_context(
                on=_UnavailableError,
                attempts=_ATTEMPTS,
                timeout=None,
                wait_initial=_FIRST_WAIT,
                wait_max=_LONGEST_WAIT,
            ):
                with attempt:
                    await self._send(client, "PUT" if whole else "POST", self._address(grouping), text)

    def _address(self, grouping: Mapping[str, str]) -> str:
        labels = {"job": self.job, **grouping}
        return "/".join(
            [self.url, "metrics", *(f"{name}/{quote(value, safe='')}" for name, value in labels.items())]
        )

    async def _send(self, client: httpx.AsyncClient, method: str, address: str, text: bytes) -> None:
        auth = (self.credentials.username, self.credentials.password) if self.credentials else None
        headers = {"Content-Type": Format.TEXT.value}
        try:
            async with asyncio.timeout(self.timeout):
                answer = await client.request(method, address, content=text, headers=headers, auth=auth)
        except TimeoutError:
            reason = f"it did not answer within {self.timeout:g} s"
            raise _UnavailableError(f"cannot push to {self.url}: {reason}") from None
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise _UnavailableError(f"cannot push to {self.url}: {_in_a_line(reason)}") from None
        if answer.is_success:
            return
        reason = (
            f"cannot push to {self.url}: it answered {answer.status_code} {_in_a_line(answer.text)}".rstrip()
        )
        transient = answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        raise _UnavailableError(reason) if transient else DeliveryError(reason)


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_QUOTE]


def write_textfile(file: Path, text: bytes) -> None:
    """Write a file so that whoever reads it sees all of it, or all that was there before.

    Raises:
        DeliveryError: it could not be written.
    """
    try:
        # node_exporter reads *.prom only, so that it overlooks the temporary file.
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
        temporary = Path(name)
    except OSError as error:
        raise DeliveryError(f"cannot write {file}: {os.strerror(error.errno or 0)}") from None
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(text)
            os.fchmod(number, _READABLE_FOR_ALL)
            stream.flush()
            os.fsync(number)
        temporary.replace(file)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise DeliveryError(f"cannot write {file}: {os.strerror(error.errno or 0)}") from None
        raise
