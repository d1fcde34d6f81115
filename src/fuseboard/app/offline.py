"""What can be read, latched and mended while no gateway runs."""

import os
import time

from fuseboard import __version__
from fuseboard.app.recovery import restored
from fuseboard.control.board import Board
from fuseboard.control.operator_api import OperatorAnswer, checked_scope
from fuseboard.control.state_directory import StateDirectory
from fuseboard.control.status import PostureLine, Status, status_of
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment, NodeStarted
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason


def offline_status(state: StateDirectory) -> Status:
    """What the state directory holds: the journal's last state, and the register as it is.

    A kernel that is thrown away is asked what a start would show.
    """
    identity = state.identity()
    came_back = restored(state.journal_file)
    register = HaltsRegister(state.register_file, Slot.OPERATOR)
    latched, unreadable = register.at_start()
    start = NodeStarted(
        instance=identity.instance,
        account=identity.account,
        release=__version__,
        latched=latched,
        register_unreadable=unreadable,
    )
    board = Board()
    meter = MeteredKernel(came_back.kernel)
    moment = came_back.recovered.last_moment or Moment(0, 0)
    for effect in meter.step(moment, start):
        board.apply(effect)
    status = status_of(
        board,
        meter.measured(),
        about={
            "account": identity.account,
            "instance": identity.instance,
            "state": str(state.path),
        },
        durable_sequence=came_back.recovered.last_sequence,
    )
    return _not_running(status, register)


def _not_running(status: Status, register: HaltsRegister) -> Status:
    lines = tuple(
        f"{at.scope}: {at.level.name} ({at.reason.value}), {at.slot.name.lower()}: {at.detail}"
        for at in register.latched()
    )
    posture = status.posture
    postures = status.postures
    if register.halted() and posture in {Posture.OPEN.name, Posture.REDUCED.name}:
        posture = Posture.HALTED.name
        postures = (
            *postures,
            PostureLine(scope="account", posture=posture, reason=Reason.REGISTER_LATCHED.value),
        )
    return Status(
        about=status.about,
        running=False,
        posture=posture,
        postures=postures,
        fuses=status.fuses,
        orders=status.orders,
        positions=status.positions,
        plans=status.plans,
        alerts=(),
        allowed=status.allowed,
        denied=status.denied,
        measured=status.measured,
        equities_nanos=status.equities_nanos,
        durable_sequence=status.durable_sequence,
        register=lines,
    )


def offline_halt(
    state: StateDirectory, *, operator: str, reason: str, scope: str, level: str
) -> OperatorAnswer:
    """Latch the register from outside: the next start comes up halted."""
    if not operator.strip():
        return OperatorAnswer(accepted=False, message="a halt needs your name: --operator NAME")
    try:
        checked_scope(scope)
    except ValueError as refusal:
        return OperatorAnswer(accepted=False, message=str(refusal))
    register = HaltsRegister(state.register_file, Slot.OPERATOR)
    halt = LatchHalt(
        scope=scope,
        level=HaltLevel[level.upper()],
        reason=Reason.OPERATOR,
        trip="",
        halt_epoch=0,
        detail=f"{operator}: {reason or 'no reason given'}",
    )
    register.latch(halt, Moment(machine_boot_ns(), time.time_ns()))
    return OperatorAnswer(
        accepted=True,
        message=f"no gateway runs; {scope} is latched in the register: the next start is halted",
    )


def renew_register(state: StateDirectory) -> None:
    """Make a lost register again, halted from its first byte: what the old one held is unknown.

    Raises `StateRefused` while a gateway runs.
    """
    descriptor = state.lock()
    try:
        unfinished = state.path / "halts.renewed"
        unfinished.unlink(missing_ok=True)
        HaltsRegister.create(unfinished)
        halt = LatchHalt(
            scope=ACCOUNT_SCOPE,
            level=HaltLevel.HALT,
            reason=Reason.REGISTER_UNREADABLE,
            trip="",
            halt_epoch=0,
            detail="the register was lost and made again",
        )
        moment = Moment(machine_boot_ns(), time.time_ns())
        HaltsRegister(unfinished, Slot.OPERATOR).latch(halt, moment)
        unfinished.replace(state.register_file)
    finally:
        os.close(descriptor)
