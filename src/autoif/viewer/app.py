"""The server: which address shows what, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoif.errors import InputError
from autoif.report.page import asset
from autoif.viewer.pages import Pages
from autoif.viewer.shelf import Shelf

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types view",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
HOSTS = ("127.0.0.1", "localhost")
"""Names by which this machine is asked. A foreign name that was made to point here (DNS rebinding) is another."""


def application(shelf: Shelf) -> Starlette:
    """Shows one run. Only GET and HEAD are answered, and only under this machine's own names."""
    pages = Pages(shelf)
    folder = Path(__file__).parent / "templates"
    style = Response(asset("report.css") + (folder / "view.css").read_text("utf-8"), media_type="text/css")
    script = Response((folder / "view.js").read_text("utf-8"), media_type="text/javascript")

    def view_css(request: Request) -> Response:
        return style

    def view_js(request: Request) -> Response:
        return script

    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/view.css", view_css),
            Route("/view.js", view_js),
            Route("/{stage}", pages.records),
            Route("/{stage}/dropped", pages.drops),
            Route("/{stage}/dropped/{place}", pages.drop),
            Route("/{stage}/{id}", pages.record),
        ],
        middleware=[Middleware(Headers), Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={HTTPException: pages.refused, InputError: pages.unreadable, OSError: pages.unreadable},
    )
    app.router.redirect_slashes = False
    return app


def server(shelf: Shelf) -> uvicorn.Server:
    """Stops at a signal, and does not wait for a browser that keeps its connection."""
    return uvicorn.Server(
        uvicorn.Config(
            application(shelf),
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


class Headers:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, add)
