"""The strategy that `fuseboard run -- COMMAND` starts: its key, its process, its end."""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from fuseboard.app.starting import strategies_of
from fuseboard.gateway.keys import Keys
from fuseboard.gateway.presence import Presence
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.launcher import Launched, strategy_environment

GRACE_S: Final = 5.0
RECONCILED_S_MAX: Final = 15.0
"""How long a supervised strategy waits for the comparison with the broker."""


class Supervised:
    """One strategy under supervision, with a key of its own for this run; or none at all."""

    def __init__(self, command: Sequence[str], name: str, keys: Keys) -> None:
        self.name = name if command else ""
        """The strategy that is supervised; empty for none."""
        self._command = command
        self._keys = keys
        self._key = keys.add_ephemeral(name) if command else ("", "")
        self._launched: Launched | None = None
        self._presence: Presence | None = None

    def presence(self, intake: Intake, had_orders: Iterable[str]) -> Presence:
        """Who is there: this strategy is about to be started, and is told when it was."""
        presence = self._presence = Presence(intake, had_orders)
        if self.name:
            presence.process_starts(self.name)
        return presence

    def names(self) -> tuple[str, ...]:
        """The strategies with a key, and so the one that is about to be started."""
        return strategies_of(self._keys)

    def pid(self) -> int | None:
        """Of its process, while it runs."""
        return None if self._launched is None else self._launched.pid()

    async def may_start(self, is_reconciled: Callable[[], bool]) -> None:
        """Return once the books are compared, so that its first order is not denied for that; or
        after `RECONCILED_S_MAX`, or at once where there is none to start.
        """
        if not self._command:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(RECONCILED_S_MAX):
                while not is_reconciled():  # noqa: ASYNC110 - it is fed by effects
                    await asyncio.sleep(0.05)

    async def start(self, port: int) -> "asyncio.Task[int] | None":
        """Start it, if there is one. Its exit code comes from the task."""
        if not self._command:
            return None
        key_id, secret = self._key
        environment = strategy_environment(
            os.environ, url=f"http://127.0.0.1:{port}", key_id=key_id, secret=secret
        )
        self._launched = Launched()
        await self._launched.start(self._command, environment)
        if self._presence is not None:
            self._presence.process_runs(self.name)
        return asyncio.create_task(self._launched.wait())

    async def stop(self) -> None:
        """End it, if it runs: asked, and killed after `GRACE_S`."""
        launched, self._launched = self._launched, None
        if launched is not None:
            await launched.stop(GRACE_S)
