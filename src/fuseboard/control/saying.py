"""How commands speak: lines for people, JSON for programs, on standard output but for asides."""

import os
import sys

import msgspec


def say(text: str) -> None:
    """One line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_if_heard(text: str) -> None:
    """As `say`, for who goes on unheard: where nobody reads any more, as a pipe whose reader is
    gone, or the disk takes nothing, this line and all later ones go nowhere. Raises nothing.
    """
    if sys.stdout is None:  # it was closed before we began
        return
    try:
        say(text)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, sys.stdout.fileno())  # what waits in the buffer goes there too
        os.close(nowhere)


def say_aside(text: str) -> None:
    """One line for people beside a document for programs: on standard error."""
    sys.stderr.write(f"{text}\n")


def say_json(document: object) -> None:
    """One document for programs."""
    say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
