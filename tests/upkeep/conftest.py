"""Backups, restores and drills are tried through the command line, as the commands of `app` are."""

from tests.app.conftest import fuseboard

__all__ = ["fuseboard"]
