"""What the Prometheus family of servers has in common: a port of its own choosing and a health page."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.parts.process import Process
from tests.parts.programs import find_program


class PrometheusService:
    """A server of that family, running; stopped at the end of a `with` statement."""

    def __init__(self, program: str, *arguments: str, folder: Path) -> None:
        self.folder = folder
        self.process = Process(
            [find_program(program), "--web.listen-address=127.0.0.1:0", *arguments],
            name=program,
            folder=folder,
        )
        try:
            listening = self.process.wait_for_line(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', 60.0)
        except BaseException:
            self.process.stop()
            raise
        self.host = listening[1]
        self.url = f"http://{self.host}"

    def stop(self) -> None:
        self.process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def get_json(self, path: str, **parameters: str) -> Any:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            answer = await client.get(path, params=parameters)
        return answer.raise_for_status().json()
