"""Starts a strategy under supervision, with the gateway's address and key in its environment.

The strategy runs in a session of its own, below a keeper (`redirect/keeper.py`) that outlives us
just long enough to stop it: when this process ends, even by kill -9 or for want of memory, the
strategy and everything it has started end too.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REDIRECT = Path(__file__).resolve().parent.parent / "redirect"
GRACE_S_MAX = 600.0
KEEPER_S_MAX = 10.0
"""How long the keeper may take beyond the grace to kill what is left, before it is killed."""

# A token would be sent instead of the key pair that the gateway made.
_FOREIGN_VARIABLES = ("APCA_API_OAUTH_TOKEN", "ALPACA_OAUTH_TOKEN")
# The libraries' own names, and those that bots and we read the broker's key from: a strategy
# must find its own key there, never the broker's.
_URL_VARIABLES = (
    "FUSEBOARD_URL",
    "APCA_API_BASE_URL",
    "APCA_API_DATA_URL",
    "APCA_DATA_BASE_URL",
    "ALPACA_BASE_URL",
)
_KEY_VARIABLES = ("FUSEBOARD_KEY_ID", "APCA_API_KEY_ID", "ALPACA_API_KEY", "ALPACA_API_KEY_ID")
_SECRET_VARIABLES = (
    "FUSEBOARD_SECRET",
    "APCA_API_SECRET_KEY",
    "ALPACA_SECRET_KEY",
    "ALPACA_API_SECRET",
    "ALPACA_API_SECRET_KEY",
)
_LOOPBACK = ("127.0.0.1", "localhost")


def strategy_environment(
    inherited: Mapping[str, str], *, url: str, key_id: str, secret: str
) -> dict[str, str]:
    """The environment of a strategy: where the gateway is, the key made for it, the redirect.

    `url` is the gateway's own, such as `http://127.0.0.1:8400`. Every variable by which a known
    client library finds Alpaca is set, and the broker's own key is replaced.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is not an http URL")
    url = url.rstrip("/")
    environment = dict(inherited)
    for name in _FOREIGN_VARIABLES:
        environment.pop(name, None)
    environment.update(dict.fromkeys(_URL_VARIABLES, url))
    environment["APCA_API_STREAM_URL"] = "ws" + url.removeprefix("http")
    environment.update(dict.fromkeys(_KEY_VARIABLES, key_id))
    environment.update(dict.fromkeys(_SECRET_VARIABLES, secret))
    places = [str(REDIRECT), *filter(None, [inherited.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(places)
    # A proxy for the world must not stand between the strategy and loopback.
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join([*_LOOPBACK, *filter(None, [inherited.get(name)])])
    return environment


class Launched:
    """One strategy process and everything it starts. `start` once; then `wait` or `stop`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: int | None = None

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the command. One that cannot be started ends at once with 127 or 126."""
        if self._process is not None:
            raise RuntimeError("a Launched is started once")
        if not command:
            raise ValueError("there is no command to start")
        read_end, write_end = os.pipe()
        keeper = [sys.executable, "-I", "-S", str(REDIRECT / "keeper.py"), str(read_end)]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *keeper,
                *command,
                env=dict(environment),
                pass_fds=(read_end,),
                start_new_session=True,
            )
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        self._pipe = write_end

    def pid(self) -> int | None:
        """The keeper's process id, None before it is started: the whole strategy is below it."""
        return None if self._process is None else self._process.pid

    async def wait(self) -> int:
        """The exit code, once all of the strategy has ended: 128 and the number for a signal."""
        process = self._started()
        code = await process.wait()
        self._close()
        return code if code >= 0 else 128 - code

    async def stop(self, grace_s: float) -> int:
        """End it: TERM to everything it started, KILL after `grace_s`; gives the exit code."""
        if not 0 <= grace_s <= GRACE_S_MAX:
            raise ValueError(f"a grace of {grace_s} s is not between 0 and {GRACE_S_MAX} s")
        process = self._started()
        if self._pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._pipe, f"{int(grace_s * 1000)}\n".encode())
        try:
            async with asyncio.timeout(grace_s + KEEPER_S_MAX):
                return await self.wait()
        except TimeoutError:
            process.kill()
            return await self.wait()

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("it has not been started")
        return self._process

    def _close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
