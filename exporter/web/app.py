"""The routes of the daemon."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Final

from aiohttp import hdrs, web

from exporter.daemon import LastReports
from exporter.integrity import Shard
from exporter.metrics import ExporterMetrics
from exporter.web.negotiation import accepts_gzip, best_format
from exporter.web.page import StatusPage

_STYLE: Final = files("exporter.web").joinpath("templates", "style.css").read_bytes()
_LARGEST_PIECE: Final = 2**18  # bytes that are copied at once
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "registry-integrity-exporter",  # else aiohttp names itself, Python and both versions
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_app(
    metrics: ExporterMetrics,
    reports: LastReports,
    urls: Mapping[str, str],
    version: str,
    shard: Shard | None = None,
    *,
    reload: Callable[[], Awaitable[str | None]] | None = None,
) -> web.Application:
    """Make the application; `urls` are those of all registries by name, in the order to show them in.

    `reload` reads the configuration again and returns what is wrong with it; None: nobody may ask for that.
    """
    routes = _Routes(metrics, StatusPage(version, urls, reports, shard), reload)
    app = web.Application()
    app.router.add_get("/", routes.page)
    app.router.add_get("/style.css", routes.style)
    app.router.add_get("/metrics", routes.metrics)
    app.router.add_get("/-/healthy", routes.healthy)
    app.router.add_get("/-/ready", routes.ready)
    for method in (hdrs.METH_POST, hdrs.METH_PUT):  # as Prometheus has it
        app.router.add_route(method, "/-/reload", routes.reload)
    app.on_response_prepare.append(_add_headers)
    return app


class _Routes:
    def __init__(
        self,
        metrics: ExporterMetrics,
        page: StatusPage,
        reload: Callable[[], Awaitable[str | None]] | None,
    ) -> None:
        self._metrics = metrics
        self._page = page
        self._reload = reload

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._page.render(), content_type="text/html", charset="utf-8")

    async def style(self, _request: web.Request) -> web.Response:
        return web.Response(body=_STYLE, content_type="text/css", charset="utf-8")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        wanted = best_format(_header(request, hdrs.ACCEPT))
        compress = accepts_gzip(_header(request, hdrs.ACCEPT_ENCODING))
        body = await self._metrics.scrape(wanted, request.query.getall("name[]", []), compress=compress)
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: wanted.value, hdrs.VARY: "Accept, Accept-Encoding"}
        if compress:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        if len(body) <= _LARGEST_PIECE or request.method == hdrs.METH_HEAD:
            return web.Response(body=body, headers=headers)
        return await _in_pieces(request, body, headers)

    async def healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def ready(self, _request: web.Request) -> web.Response:
        missing = self._metrics.not_contacted
        if missing:
            return web.Response(status=503, text=f"not yet contacted: {', '.join(missing)}\n")
        return web.Response(text="ready\n")

    async def reload(self, _request: web.Request) -> web.Response:
        if self._reload is None:
            return web.Response(status=403, text="reloading is off: web.enable_lifecycle is not set\n")
        problems = await self._reload()
        if problems is not None:
            return web.Response(status=500, text=f"failed to reload the configuration:\n{problems}\n")
        return web.Response(text="reloaded\n")


async def _in_pieces(request: web.Request, body: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
    """Send a large body so that the loop gets on with other things in between."""
    response = web.StreamResponse(headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    rest = memoryview(body)
    while rest:
        await response.write(rest[:_LARGEST_PIECE])
        rest = rest[_LARGEST_PIECE:]
        await asyncio.sleep(0)  # a reader that is fast enough never makes `write` wait
    await response.write_eof()
    return response


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _header(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, []))
