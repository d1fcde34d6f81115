"""How commands speak: lines for people, JSON for programs, on standard output but for asides."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from fuseboard.alerts.background import BackgroundLines, write_through


def say(text: str) -> None:
    """One line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def said_beside() -> Iterator[Callable[[str], None]]:
    """A `say` for who goes on unheard: a thread of its own writes, so a terminal that takes nothing
    holds up nobody, and a pipe whose reader is gone or a full disk costs the lines alone. At the
    end the thread has `CLOSE_S_MAX` for what is queued.
    """
    lines = BackgroundLines(lambda line: write_through(sys.stdout, line), name="words")
    try:
        yield lambda text: lines.put(
            text, missing_line=lambda count: f"{count} lines were not said"
        )
    finally:
        lines.close()


def say_aside(text: str) -> None:
    """One line for people beside a document for programs: on standard error."""
    sys.stderr.write(f"{text}\n")


def say_json(document: object) -> None:
    """One document for programs."""
    say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
