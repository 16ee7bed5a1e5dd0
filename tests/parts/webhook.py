"""A receiver of JSON that others post: alerts, notifications."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class WebhookReceiver:
    """Listens on loopback as long as a `with` statement lasts, and keeps what it gets, in order."""

    def __init__(self) -> None:
        self._received: list[Any] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def received(self) -> list[Any]:
        with self._changed:
            return self._received.copy()

    def wait_for(self, accept: Callable[[list[Any]], Any], deadline: float = 30.0) -> list[Any]:
        """Wait until all that was received is as accepted; return it.

        It blocks: in a test with an event loop, call it through `asyncio.to_thread`.
        """
        until = time.monotonic() + deadline
        with self._changed:
            while not accept(self._received):
                if not self._changed.wait(until - time.monotonic()):
                    raise TimeoutError(f"not received in {deadline:g} s; received: {self._received!r}")
            return self._received.copy()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with receiver._changed:
                    receiver._received.append(body)
                    receiver._changed.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
                """Write nothing."""

        return Handler
