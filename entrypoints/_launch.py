"""What every entry point calls; the ``asd`` command calls the same."""

from asd.cli.launch import launch

__all__ = ["launch"]
