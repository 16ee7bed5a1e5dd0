"""A real nginx, to stand before a registry and to serve wrong answers."""

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.parts.process import Process
from tests.parts.programs import find_program


class Nginx:
    """One server on loopback, of which `body` is what stands within `server { … }` beside `listen`.

    `http` is added beside the server: `limit_req_zone`, `proxy_cache_path`, `map`, other servers. Temporary
    files, and relative paths in `body`, are in `folder`. With `tls`, a certificate and its key, it speaks
    https.
    """

    def __init__(
        self, folder: Path, body: str, *, http: str = "", tls: tuple[Path, Path] | None = None
    ) -> None:
        self.folder = folder
        # nginx takes no port 0, but it takes over a socket that it is given, as on an upgrade of itself.
        with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
            self.host = f"127.0.0.1:{listener.getsockname()[1]}"
            self.url = f"{'https' if tls else 'http'}://{self.host}"
            file = folder / "nginx.conf"
            file.write_text(self._config(body, http, tls), "utf-8")
            descriptor = listener.fileno()
            self.process = Process(
                [find_program("nginx"), "-p", folder, "-e", "stderr", "-c", file],
                name="nginx",
                environment={"NGINX": f"{descriptor};"},
                pass_descriptors=[descriptor],
            )
        try:
            # With a worker there is someone to answer; the socket has been accepting since it was made.
            self.process.wait_for_line("start worker process ")
        except BaseException:
            self.process.stop()
            raise

    def stop(self) -> None:
        self.process.stop()

    def access_log(self) -> list[str]:
        """Return its access log: method, target, status, Range or -, and Accept-Encoding or - a line."""
        log = self.folder / "access.log"
        return log.read_text("utf-8").splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _config(self, body: str, http: str, tls: tuple[Path, Path] | None) -> str:
        # Started by root, workers would run as a user who cannot read a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        certificate = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
        temporary = "\n".join(
            f"{kind}_temp_path {self.folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""
            daemon off;
            {user}
            worker_processes 1;
            pid {self.folder}/nginx.pid;
            error_log stderr notice;
            events {{ worker_connections 512; }}
            http {{
                {temporary}
                log_format asked '$request_method $request_uri $status "$http_range" "$http_accept_encoding"';
                access_log {self.folder}/access.log asked;
                client_max_body_size 0;
                {http}
                server {{
                    listen {self.host} {"ssl" if tls else ""};
                    {certificate}
                    {body}
                }}
            }}
        """
