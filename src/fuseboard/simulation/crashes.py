"""Where a machine can die: every door counts, and the seed says at which one the power goes."""

from collections.abc import Callable


class Crashed(KeyboardInterrupt):
    """The machine is gone. Not an `Exception`, so that no code of the node can carry on."""


class Doors:
    """Counts the doors that a node passes. `next_gap` says how many until the next crash.

    After a crash every door raises `Crashed` again: a dead machine does nothing more.
    """

    def __init__(self, next_gap: Callable[[], int | None]) -> None:
        self.passed = 0
        self.crashed_at: list[tuple[int, str]] = []
        self.dead = False
        self._next_gap = next_gap
        self._crash_at: int | None = None
        self.arm()

    def arm(self) -> None:
        """A machine comes up: decide at which door the next crash is, if there is one."""
        self.dead = False
        gap = self._next_gap()
        self._crash_at = None if gap is None else self.passed + gap

    def calm(self) -> None:
        """No further crash."""
        self._crash_at = None
        self._next_gap = _never

    def at(self, name: str) -> None:
        """Pass a door. Raises `Crashed` when the machine dies there, or is dead."""
        if self.dead:
            raise Crashed("the machine is gone")
        self.passed += 1
        if self.passed == self._crash_at:
            self.dead = True
            self.crashed_at.append((self.passed, name))
            raise Crashed(f"at door {self.passed}, {name}")


def _never() -> int | None:
    return None
