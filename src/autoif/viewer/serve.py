"""Starts the server, on this machine only."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from autoif.errors import InputError, MissingExtraError
from autoif.report.folder import RunFolder

HOST = "127.0.0.1"


def serve(path: Path, port: int, tell: Callable[[str], None]) -> None:
    """Shows a run until Ctrl-C; port 0 takes one that is free. `tell` is told the address once it is open.

    Raises KeyboardInterrupt at its end, InputError when `path` is no run directory or the port cannot be had,
    MissingExtraError without the server.
    """
    run = RunFolder(path)
    try:
        from autoif.viewer.app import server
        from autoif.viewer.shelf import Shelf
    except ImportError as error:
        raise MissingExtraError(error.name or "starlette", "viz") from None
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process is told to ignore it
    with closing(listening(port)) as opened, closing(Shelf(run)) as shelf:
        tell(f"{path}: http://{HOST}:{opened.getsockname()[1]}/ (Ctrl-C stops)")
        server(shelf).run(sockets=[opened])
    raise KeyboardInterrupt  # nothing but a signal ends it


def listening(port: int) -> socket.socket:
    """A socket that only this machine reaches."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        raise InputError(
            f"--port {port}: cannot be used ({error.strerror}); give another, or none to take one that is free."
        ) from None
    return opened
