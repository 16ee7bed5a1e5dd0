"""What the daemon serves over HTTP."""

from exporter.web.app import create_app
from exporter.web.server import ListenError, Server, start_server

__all__ = ["ListenError", "Server", "create_app", "start_server"]
