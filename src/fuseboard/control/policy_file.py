"""A policy file as it stands on the disk, with the environment and what lies beside it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from fuseboard.control.settings import settings
from fuseboard.control.state_directory import StateRefused
from fuseboard.policy.loader import Loaded, read_policy
from fuseboard.policy.sectors import FileRefused

FILE_BYTES_MAX: Final = 1_000_000


def policy_text(path: Path) -> str:
    """The text of a policy file. Raises `StateRefused`."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise StateRefused(f"the policy {path} cannot be read: {error}") from error


def loaded_policy(path: Path, *, used: list[str] | None = None) -> Loaded:
    """The policy of a file, its secrets looked up in the environment and in `.env`.

    The names of the files beside it that it needs are added to `used`. Raises `StateRefused` for a
    file that cannot be read and `PolicyRefused` for what is wrong in it.
    """

    def noted(name: str) -> str:
        if used is not None:
            used.append(name)
        return _beside(path.parent, name)

    return read_policy(policy_text(path), str(path), environment=settings(), files=noted)


def beside(folder: Path) -> Callable[[str], str]:
    """Reads the files that a policy in this folder names; raises `FileRefused`."""
    return partial(_beside, folder)


def _beside(folder: Path, name: str) -> str:
    if Path(name).name != name:
        raise FileRefused(f"{name[:80]!r} is not the plain name of a file beside the policy")
    try:
        with (folder / name).open("rb") as file:
            body = file.read(FILE_BYTES_MAX + 1)
        text = body.decode()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise FileRefused(f"{name[:80]!r} beside the policy cannot be read: {why}") from error
    if len(body) > FILE_BYTES_MAX:
        raise FileRefused(f"{name[:80]!r} is longer than {FILE_BYTES_MAX} bytes")
    return text
