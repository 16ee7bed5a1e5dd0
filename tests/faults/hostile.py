"""A server that makes up its answers while it is asked: there is no end to them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.registry.scripted import Reply, Request, ScriptedServer, _Connection

Improvise = Callable[[str], Reply | None]
"""Answer a request, told by its method and target; None leaves it to the script."""


class HostileServer(ScriptedServer):
    """Asks `improvise` before it looks into its script, and answers `otherwise` what is in neither."""

    improvise: Improvise = staticmethod(lambda _line: None)
    otherwise: Reply | None = None

    def take(self, request: Request) -> Reply:
        improvised = self.improvise(request.line)
        if improvised is None and self.otherwise is not None and request.line not in self._forever:
            improvised = self.otherwise
        if improvised is None:
            return super().take(request)
        self.requests.append(request)
        return improvised


@asynccontextmanager
async def serve_hostile(improvise: Improvise) -> AsyncIterator[HostileServer]:
    """Serve on a loopback port of the system's choice."""
    script = HostileServer()
    script.improvise = improvise
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(script, b""), "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        server.close()
        script.hang_up()
        await script.all_closed()
        await server.wait_closed()
