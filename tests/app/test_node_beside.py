"""What protects and dies beside the node stops it; backups and the tape's end are told."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fuseboard.app import node
from fuseboard.runtime.intake import Intake


async def dying(*_: object, **__: object) -> None:
    raise OSError(24, "Too many open files")


async def living(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


PARTS = [
    *("register", "guardian", "connected", "HALT", "sessions", "times of day"),
    *("backups", "dividends", "doors", "tape"),
]


@pytest.mark.parametrize("dies", [*PARTS, "nothing"])
def test_each_part_that_dies_beside_the_loop_is_told(
    monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    def part(name: str) -> Any:
        return SimpleNamespace(run=dying if name == dies else living, look=lambda: None)

    here: Any = object.__new__(node.Node)
    told: list[tuple[str, str, str]] = []
    here._kernel = SimpleNamespace(held=list)
    here._register = here._calendar = here._clock = None
    here._state = SimpleNamespace(halt_file=None)
    here._guardian, here._backups = part("guardian"), part("backups")
    here._options = SimpleNamespace(
        policy=SimpleNamespace(kill_switch=None),
        broker=SimpleNamespace(base_url=""),
        plays_tape=True,
        sessions=True,
        tape_speed_nanos=0,
    )
    here._alerts = SimpleNamespace(
        tell=lambda severity, reason, text: told.append((severity.value, reason.value, text)),
        watch=part("doors").run,
    )
    monkeypatch.setattr(node, "RegisterWatch", lambda *_, **_named: part("register"))
    monkeypatch.setattr(node, "HaltFile", lambda *_: part("HALT"))
    monkeypatch.setattr(node, "tell_sessions", part("sessions").run)
    monkeypatch.setattr(node, "tell_times_of_day", part("times of day").run)
    monkeypatch.setattr(node, "tell_dividends", part("dividends").run)
    monkeypatch.setattr(node, "tell_tape_end", part("tape").run)
    intake = Intake()
    door = SimpleNamespace(presence=part("connected"))

    async def main() -> None:
        beside = here._beside(intake, None, None, door)
        assert len(beside) == len(PARTS)
        for _ in range(3):  # it begins, it dies, it is told
            await asyncio.sleep(0)
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)

    asyncio.run(main())
    assert_told(dies, told, intake.fault)


def assert_told(dies: str, told: list[tuple[str, str, str]], fault: str | None) -> None:
    died = "died: OSError: [Errno 24] Too many open files"
    if dies == "nothing":
        assert (told, fault) == ([], None)
    elif dies in ("backups", "dividends", "doors", "tape"):
        assert fault is None
        ((severity, reason, text),) = told
        wanted = {
            "backups": ("page", "backup"),
            "dividends": ("page", "dividend"),
            "doors": ("page", "alerts_late"),
        }
        assert (severity, reason) == wanted.get(dies, ("warning", "feed_dead"))
        assert dies in text
        assert text.endswith(died)
    else:
        assert told == []
        assert fault is not None
        assert dies in fault
        assert fault.endswith(died)
