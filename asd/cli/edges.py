"""Addresses on a command line: a step itself knows folders of this machine only."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from asd.config.base import Config
from asd.data.manifest import MANIFEST_NAME
from asd.remote import RemoteFolder, is_url
from asd.text import count

C = TypeVar("C", bound=Config)

_READ = ("source", "data", "noise", "checkpoint")
_WRITTEN = ("output", "anomalies")

logger = logging.getLogger(__name__)


@contextmanager
def at_hand(config: C) -> Iterator[C]:
    """Give the config with copies in place of URLs; what is written is sent when all went well.

    Raises
    ------
    AsdError
        Something is not there, not whole, or cannot be read or written.
    """
    changes: dict[str, Any] = {}
    for key in _READ:
        value = getattr(config, key, "")
        if isinstance(value, tuple) and any(map(is_url, value)):
            changes[key] = tuple(_fetched(one) if is_url(one) else one for one in value)
        elif is_url(value):
            changes[key] = _fetched(value)
    outputs = {key: RemoteFolder(v) for key in _WRITTEN if is_url(v := getattr(config, key, ""))}
    changes |= {key: str(folder.prepare()) for key, folder in outputs.items()}
    yield config.model_copy(update=changes)
    for folder in outputs.values():
        logger.info("sent to %s: %s", folder.url, count(folder.send(MANIFEST_NAME), "file"))


def _fetched(url: str) -> str:
    copy = RemoteFolder(url).fetch()
    logger.info("%s: fetched to %s", url, copy)
    return str(copy)
