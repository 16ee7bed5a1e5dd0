"""A docker-registry of our own: started, stopped, damaged, and asked what was asked of it."""

import json
import re
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from sample.content import Content
from sample.damage import Damage
from sample.process import Process, ProcessError
from sample.push import Pushed, push
from sample.registry_program import RegistryProgram, find_registry_program
from sample.storage import FolderStorage

START_DEADLINE: Final = 30.0
_MARKER_AGENT: Final = "registry-log-marker"
_ACCESS = re.compile(
    r'^\S+ \S+ \S+ \[[^]]*\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" (?P<status>\d{3}) (?P<size>\d+)'
    r' "[^"]*" "(?P<agent>[^"]*)"'
)


@dataclass(frozen=True)
class Access:
    """One request that the registry answered, as its access log has it: the headers are not in there."""

    method: str
    target: str
    status: int
    size: int
    agent: str

    @property
    def path(self) -> str:
        """What was asked for, without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class RegistryOptions:
    """How a registry is set up.

    `cache` is `storage.cache.blobdescriptor: inmemory`, the default of the official image. `more` is laid
    over the configuration, mapping by mapping: authentication, proxying, middleware, TLS. A registry that
    wants certificates of its clients is shown `client_certificate`, a file that has its key, too.
    """

    cache: bool = False
    delete: bool = True
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)
    client_certificate: Path | None = None


class DockerRegistry:
    """A docker-registry in a folder, which holds its storage, its configuration and nothing else.

    Once started it keeps its port over restarts. With `keep_lines` only so much of its log is kept, for one
    that runs for long.
    """

    def __init__(
        self,
        folder: Path,
        options: RegistryOptions | None = None,
        program: RegistryProgram | None = None,
        *,
        keep_lines: int | None = None,
    ) -> None:
        self.options = options or RegistryOptions()
        self.folder = folder
        self.storage = FolderStorage(folder / "storage")
        self.damage = Damage(self.storage)
        self._program = program or find_registry_program(f"sample-registry-{uuid.uuid4().hex[:12]}")
        self._keep_lines = keep_lines
        self._config = folder / "config.yml"
        self._port: int | None = None
        self._process: Process | None = None

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        if self._port is None:
            raise ProcessError("the registry was never started")
        return self._port

    @property
    def host(self) -> str:
        """Its host and port, as image names have it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://{self.host}"

    @property
    def process(self) -> Process:
        """The running registry."""
        if self._process is None:
            raise ProcessError("the registry is not running")
        return self._process

    def start(self) -> Self:
        """Start it and wait until it answers."""
        if self._process is not None:
            raise ProcessError("the registry is running already")
        self.storage.root.mkdir(parents=True, exist_ok=True)
        port = self._program.choose_port() if self._port is None else self._port
        self._write_config(port)
        command = self._program.serve(self._config, port)
        process = Process(command, name="docker-registry", keep_lines=self._keep_lines)
        try:
            listening = process.wait_for_line(r'listening on \S*:(\d+)(?:, tls)?"', START_DEADLINE)
            self._port = port or int(listening[1])
            self._wait_until_it_answers(process)
        except BaseException:
            process.stop()
            self._program.clean_up()
            raise
        self._process = process
        return self

    def stop(self) -> None:
        """Stop it, if it runs; what it stores stays."""
        if self._process is not None:
            self._process.stop()
            self._program.clean_up()
            self._process = None

    def restart(self) -> None:
        """Stop it and start it again on the same port: its memory is lost, its storage is not."""
        self.stop()
        self.start()

    def garbage_collect(self, *, delete_untagged: bool = False) -> str:
        """Run the registry's own garbage collector, which is allowed while it runs; return what that wrote.

        With `delete_untagged` 2.x deletes the children of every index there is.
        """
        if not self._config.exists():
            self._write_config(0)
        command = self._program.garbage_collect(self._config, delete_untagged=delete_untagged)
        with Process(command, name="garbage-collect") as collector:
            status = collector.wait(60.0)
            written = "\n".join(collector.lines)
        if status != 0:
            raise ProcessError(f"garbage-collect ended with {status}:\n{written}")
        return written

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Make a client for it; close it after use. It trusts whatever certificate the registry has."""
        return httpx.AsyncClient(
            **{
                "base_url": self.url,
                "timeout": 30.0,
                "trust_env": False,
                "verify": self._trusting(),
                **options,
            }
        )

    async def push(self, repository: str, content: Content, *tags: str, **options: Any) -> Pushed:
        """Push through its API; see `sample.push.push`."""
        async with self.client() as client:
            return await push(client, repository, content, *tags, **options)

    def requests(self, start: int = 0) -> list[Access]:
        """Return what it answered since `start`, a mark taken by `mark()`, up to now."""
        self._reach_end_of_log()
        found = (_ACCESS.match(line) for line in self.process.lines_from(start))
        return [
            Access(one["method"], one["target"], int(one["status"]), int(one["size"]), one["agent"])
            for one in found
            if one is not None and one["agent"] != _MARKER_AGENT
        ]

    def mark(self) -> int:
        """Return a mark of now in its log, to count requests from; a restart makes marks useless."""
        self._reach_end_of_log()
        return self.process.line_count

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _scheme(self) -> str:
        return "https" if "tls" in self.options.more.get("http", {}) else "http"

    def _reach_end_of_log(self) -> None:
        # Another thread reads the log: a request of our own, once read back, shows that all before is read.
        mark = uuid.uuid4().hex
        start = self.process.line_count
        self._ask(f"/v2/?{mark}")
        self.process.wait_for_line(rf"GET /v2/\?{mark} ", start=start)

    def _wait_until_it_answers(self, process: Process) -> None:
        until = time.monotonic() + START_DEADLINE
        while True:
            try:
                self._ask("/v2/")
            except httpx.TransportError as error:
                if process.returncode is not None or time.monotonic() > until:
                    raise ProcessError(f"the registry listens but does not answer: {error}") from error
                time.sleep(0.02)  # only a container listens before it can be reached
            else:
                return

    def _ask(self, target: str) -> None:
        # Any answer will do, one that asks for credentials too.
        headers = {"User-Agent": _MARKER_AGENT}
        httpx.get(self.url + target, headers=headers, verify=self._trusting(), trust_env=False, timeout=10.0)

    def _trusting(self) -> ssl.SSLContext:
        # httpx would load all certificates of this machine, ten times what a request to loopback takes.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if self.options.client_certificate is not None:
            context.load_cert_chain(self.options.client_certificate)
        return context

    def _write_config(self, port: int) -> None:
        storage: dict[str, Any] = {
            "filesystem": {"rootdirectory": str(self.storage.root)},
            "delete": {"enabled": self.options.delete},
            "maintenance": {"uploadpurging": {"enabled": False}},
        }
        if self.options.cache:
            storage["cache"] = {"blobdescriptor": "inmemory"}
        config = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": storage,
            "http": {"addr": self._program.listen_address(port), "secret": "sample"},
            # Without this every manifest with a foreign layer is refused.
            "validation": {"manifests": {"urls": {"allow": ["^https?://"]}}},
        }
        # JSON is YAML, and what the registry reads.
        self._config.write_text(json.dumps(_laid_over(config, self.options.more), indent=2), "utf-8")


def _laid_over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        below = merged.get(key)
        merged[key] = (
            _laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
        )
    return merged
