"""Work that runs beside the loop: one that dies, or ends before its time, is told at once.

Nobody awaits such work, so an exception in it would only be seen when the node ends: the watch over
the register, the guardian or the sessions would be gone, and nobody told.
"""

import asyncio
from collections.abc import Callable, Coroutine


def begun_beside(
    work: Coroutine[None, None, None],
    *,
    name: str,
    died: Callable[[str], object],
    may_end: bool = False,
) -> "asyncio.Task[None]":
    """Begin it; `died` is told once, in words, when it raises, or ends though it may not.

    One that was asked to cancel has not died.
    """

    def ended(task: "asyncio.Task[None]") -> None:
        if task.cancelled() and task.cancelling():
            return
        if task.cancelled():  # by something that it waited for: nobody asked it to end
            died(f"{name} died: what it waited for was cancelled")
            return
        fault = task.exception()
        if fault is not None:
            died(f"{name} died: {type(fault).__name__}: {fault}")
        elif not may_end:
            died(f"{name} ended, and was to last as long as the node")

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(ended)
    return task
