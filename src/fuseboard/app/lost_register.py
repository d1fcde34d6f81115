"""A start on a halts register that is missing, or that cannot be one any more.

A missing one is made by a person's `fuseboard init`: a directory that vanished must not come back
by itself. Where something is there that cannot be a register the start makes a new one, halted,
and sets the other aside: whoever has to close positions needs a gateway that runs.
"""

import os
import time
from pathlib import Path

from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.halts.renewal import renewed, why_no_register
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.vocabulary.inputs import Moment


def usable_register(state: StateDirectory) -> tuple[str, ...]:
    """Have a register that halts can be latched in; what people have to be told of it.

    Whoever calls holds the gateway's lock. Raises `StateRefused`, `RegisterUnwritable`, `OSError`.
    """
    state.must_have_register()
    file = state.register_file
    why = why_no_register(file)
    if why:
        aside = _renewed(state, why)
        told = (
            f"{file} was no halts register any more ({why}): it is kept as {aside}, and the new one"
            " is halted and holds what could be read of it and what its history knows: find out"
            " who touched it, then reset by name"
        )
        return (told,)
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise StateRefused(
            f"the halts register {file} cannot be written ({error.strerror}): see to the disk, or"
            " to the file's owner and mode, then start again"
        ) from error
    return ()


def can_be_renewed(state: StateDirectory) -> bool:
    """Whether an `init` has a register to make: a state is there, and no register, or none that
    can be one.
    """
    if not state.identity_file.exists():
        return False
    return not state.register_file.exists() or bool(why_no_register(state.register_file))


def renew_register(state: StateDirectory) -> str:
    """Make a lost register again, halted from its first byte; what was done, for people.

    Raises `StateRefused` while a gateway runs.
    """
    descriptor = state.lock()
    try:
        lost = not state.register_file.exists()
        aside = _renewed(state, "it was lost" if lost else why_no_register(state.register_file))
    finally:
        os.close(descriptor)
    kept = "" if aside is None else f"; the other one is kept as {aside}"
    return f"made {state.register_file}: the account is halted until a named person resets it{kept}"


def _renewed(state: StateDirectory, why: str) -> Path | None:
    moment = Moment(machine_boot_ns(), time.time_ns())
    return renewed(state.register_file, state.history_file, moment, why)
