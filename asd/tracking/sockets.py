"""What the sockets of a server do that it opened itself."""

import os
import socket
from pathlib import Path

_OPEN_FILES = Path("/dev/fd")


def answer_at_once() -> None:
    """Let connections to this process send an answer's last part without waiting.

    With several workers uvicorn opens the socket in a way by which asyncio does not take it for
    TCP, and Nagle's algorithm holds the body back until the client has confirmed the head: 40 ms
    with each request. What is set on a listening socket holds for the connections made to it, and
    so does what was set before it listens: workers load the model first, each at its own time.
    """
    if not _OPEN_FILES.is_dir():
        return  # as on Windows
    for path in filter(Path.is_socket, list(_OPEN_FILES.iterdir())):
        with socket.socket(fileno=os.dup(int(path.name))) as opened:
            if _takes_connections(opened):
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _takes_connections(opened: socket.socket) -> bool:
    """Whether TCP connections are, or will be, made to it: it has a port here and no other end."""
    if opened.family not in (socket.AF_INET, socket.AF_INET6) or opened.type != socket.SOCK_STREAM:
        return False
    try:
        opened.getpeername()
    except OSError:
        return bool(opened.getsockname()[1])
    return False
