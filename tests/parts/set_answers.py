"""A registry of a few set answers, for tests of the program around the walk."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answers = Mapping[str, tuple[int, Any]]


class SetAnswers:
    """A registry on loopback with a few set answers; it notes who asked, and waits where `hold` says so."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked = threading.Event()
        self.hold: Callable[[], Any] | None = None
        self.authorizations: list[str | None] = []
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.paths.append(self.path)
                registry.authorizations.append(self.headers.get("Authorization"))
                registry.asked.set()
                if registry.hold is not None:
                    registry.hold()
                status, document = registry.answers.get(self.path.partition("?")[0], (404, {}))
                body = json.dumps(document).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    if self.command == "GET":
                        self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            do_HEAD = do_PUT = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold = None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
