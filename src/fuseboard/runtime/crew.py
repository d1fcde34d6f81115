"""The outlet's tasks: a crash in one is a fault of the node, never a line in a log."""

import asyncio
from collections.abc import Callable, Coroutine


class Crew:
    """Starts tasks and watches them. How many there are is bounded by who starts them."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        self._fail = fail
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self, work: Coroutine[object, object, None], ended: Callable[[], None] | None = None
    ) -> asyncio.Task[None]:
        """Run `work`; call `ended` when it is over, however it ended."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._over(done, ended))
        return task

    async def stop(self) -> None:
        """Cancel every task and wait until all have ended, with those they start in ending."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _over(self, task: asyncio.Task[None], ended: Callable[[], None] | None) -> None:
        self._tasks.discard(task)
        crash = None if task.cancelled() else task.exception()
        if crash is not None:
            self._fail(f"a task of the outlet crashed: {type(crash).__name__}: {crash}")
        if ended is not None:
            try:
                ended()
            except Exception as error:  # asyncio would only log it
                self._fail(f"the outlet lost its count: {type(error).__name__}: {error}")
                raise
