"""A server's listening sockets: connections made to them do not hold answers back."""

import socket
from pathlib import Path

import pytest

from asd.tracking.sockets import answer_at_once


def nodelay(sock: socket.socket) -> bool:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize("listens", ["before", "after"])
def test_connections_to_a_listening_socket_do_not_wait_for_confirmations(listens: str) -> None:
    # Without a protocol, as uvicorn opens it for several workers, and before any of them listens.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        if listens == "before":
            server.listen()
        answer_at_once()
        if listens == "after":
            server.listen()
        with socket.create_connection(server.getsockname()), server.accept()[0] as accepted:
            assert accepted.proto == 0
            assert nodelay(accepted)


def test_other_sockets_and_files_stay_as_they_are() -> None:
    one, other = socket.socketpair()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as idle, one, other:
        before = len(list(Path("/dev/fd").iterdir()))
        answer_at_once()
        assert not nodelay(idle)
        one.send(b"still open")
        assert other.recv(20) == b"still open"
        assert len(list(Path("/dev/fd").iterdir())) == before
