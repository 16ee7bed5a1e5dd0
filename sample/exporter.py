"""The exporter as a program beside the sample registry."""

import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from sample.process import ProcessError

CHECKOUT: Final = Path(__file__).resolve().parents[1]
STOP_GRACE: Final = 10.0


class Exporter:
    """A running `serve`, writing to our own standard error and output; stopped at the end of a `with`."""

    def __init__(
        self, registry_url: str, listen_address: str, interval: str, environment: Mapping[str, str]
    ) -> None:
        self.url = url_of(listen_address)
        if self._answers():
            raise ProcessError(f"{self.url} is taken: choose another address with --listen-address")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "exporter", "serve"),
                *("--registry", f"sample={registry_url}"),
                *("--listen-address", listen_address),
                *("--interval", interval),
            ],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # so that Ctrl-C reaches only us, who stop it in order
        )

    @property
    def status(self) -> int | None:
        """Its exit status as a shell has it; None as long as it runs."""
        status = self._process.poll()
        return 128 - status if status is not None and status < 0 else status

    def is_healthy(self) -> bool:
        """Ask whether it serves."""
        return self._answers() and self.status is None

    def stop(self) -> None:
        """Ask it to end, and kill it if it does not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/healthy", timeout=5.0, trust_env=False).status_code > 0
        except httpx.TransportError:
            return False


def url_of(listen_address: str) -> str:
    """Return where to reach what listens on `[host]:port`: on loopback, if it listens on every address."""
    parts = urllib.parse.urlsplit(f"//{listen_address}")
    host = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname, parts.hostname)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in str(host) else host}:{parts.port}"
