"""Serve the champion of a machine, and each one that follows it."""

import logging
import os
import signal
import threading

import click

_PORT = click.IntRange(1, 65535)


@click.command()
@click.argument("name", default="")
@click.option("--host", default="127.0.0.1", show_default=True, help="where both listen")
@click.option("--port", default=5001, show_default=True, type=_PORT, help="of the model's server")
@click.option(
    "--receiver_port", default=5002, show_default=True, type=_PORT, help="of webhooks and figures"
)
@click.option(
    "--every_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1),
    help="how often the registry is looked at",
)
def follow(name: str, host: str, port: int, receiver_port: int, every_s: float) -> None:
    """Serve the champion of a machine; start the server anew when another is promoted.

    The registry is looked at now and then, and at once when a webhook of the tracking server says
    so (POST /webhook, signed with the secret in ASD_WEBHOOK_SECRET). GET /metrics on the same port
    tells figures for Prometheus.
    """
    from asd.tracking import champions
    from asd.tracking.follow import Follower, check_free
    from asd.tracking.webhook import SECRET, Receiver

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    machine = name or champions.only_champion()
    follower = Follower(machine, host, port)
    check_free(host, receiver_port)
    secret = os.environ.get(SECRET, "")
    address = (host, receiver_port)
    receiver = Receiver(address, machine, secret, follower.wake, follower.figures)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: follower.stop())
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        follower.run(every_s)
    finally:
        receiver.shutdown()
        receiver.server_close()
