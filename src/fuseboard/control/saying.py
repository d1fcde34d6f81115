"""How commands speak: lines for people, JSON for programs, on standard output but for asides."""

import sys

import msgspec


def say(text: str) -> None:
    """One line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_aside(text: str) -> None:
    """One line for people beside a document for programs: on standard error."""
    sys.stderr.write(f"{text}\n")


def say_json(document: object) -> None:
    """One document for programs."""
    say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
