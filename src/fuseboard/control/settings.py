"""What a person sets for a program: its environment, over the `.env` file beside it."""

import os
from pathlib import Path

from dotenv import dotenv_values

from fuseboard.control.state_directory import StateRefused


def settings(env_file: Path = Path(".env")) -> dict[str, str]:
    """The environment over the `.env` file of the working directory; empty means not set.

    Raises `StateRefused` for a `.env` that is no text.
    """
    try:
        stored = dotenv_values(env_file, interpolate=False)
    except UnicodeDecodeError as error:
        raise StateRefused(f"{env_file} is no text file: see .env.example") from error
    kept = {key: value for key, value in stored.items() if value}
    return {**kept, **{key: value for key, value in os.environ.items() if value}}
