"""A strategy lives below its keeper: nothing of it outlives a stop, its own end, or ours."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard.runtime.launcher import REDIRECT, Launched

WAIT_S_MAX = 30.0
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prctl")
PLAIN = {"PATH": os.environ["PATH"]}

# A bot with a child, a grandchild, and a daemon that has left the process group and session.
FAMILY = """
import os, subprocess, sys, time
place = sys.argv[1]
stubborn = len(sys.argv) > 2
if stubborn:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
LEAF = "import os,sys,time; open(sys.argv[1] + '/%d' % os.getpid(), 'w').close(); time.sleep(600)"
CHILD = "import subprocess,sys; subprocess.run([sys.executable, '-c', sys.argv[2], sys.argv[1]])"
subprocess.Popen([sys.executable, "-c", CHILD, place, LEAF])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", LEAF, place])
    os._exit(0)
open(place + "/" + str(os.getpid()), "w").close()
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    return False


def until_gone(pids: list[int]) -> bool:
    by = time.monotonic() + WAIT_S_MAX
    while any(map(alive, pids)) and time.monotonic() < by:
        time.sleep(0.02)
    return not any(map(alive, pids))


async def family_in(place: Path, size: int) -> list[int]:
    async with asyncio.timeout(WAIT_S_MAX):
        while len(list(place.iterdir())) < size:
            await asyncio.sleep(0.02)
    return [int(path.name) for path in place.iterdir()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the family writes its process numbers; what a failed test left is ended."""
    yield tmp_path
    for path in tmp_path.iterdir():
        if path.name.isdigit() and alive(int(path.name)):
            os.kill(int(path.name), signal.SIGKILL)


def launched(*command: str) -> int:
    async def run() -> int:
        bot = Launched()
        await bot.start(command, PLAIN)
        return await bot.wait()

    return asyncio.run(run())


def test_the_exit_code_of_the_strategy_is_reported() -> None:
    assert launched(sys.executable, "-c", "raise SystemExit(7)") == 7
    assert launched(sys.executable, "-c", "pass") == 0
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    assert launched(sys.executable, "-c", killed) == 128 + signal.SIGSEGV


def test_a_command_that_cannot_be_started_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert launched(str(tmp_path / "absent")) == 127
    assert "cannot start" in capfd.readouterr().err
    (tmp_path / "plain").write_text("no program")
    assert launched(str(tmp_path / "plain")) == 126
    assert "cannot start" in capfd.readouterr().err


def test_the_strategy_gets_exactly_the_environment_and_arguments_it_is_given(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "import os, sys; print(os.environ['PATH'], 'HOME' in os.environ, sys.argv[1:])"
    assert launched(sys.executable, "-c", code, "a b", "-I") == 0
    assert capfd.readouterr().out == f"{PLAIN['PATH']} False ['a b', '-I']\n"


@linux_only
@pytest.mark.parametrize("stubborn", [(), ("stubborn",)])
def test_a_stop_ends_the_whole_family_also_what_ignores_term_or_left_the_group(
    place: Path, stubborn: tuple[str, ...]
) -> None:
    async def run() -> tuple[int, list[int]]:
        bot = Launched()
        await bot.start([sys.executable, "-c", FAMILY, str(place), *stubborn], PLAIN)
        family = await family_in(place, 3)
        return await bot.stop(grace_s=0.3 if stubborn else WAIT_S_MAX), family

    code, family = asyncio.run(run())
    assert code == 128 + (signal.SIGKILL if stubborn else signal.SIGTERM)
    assert not any(map(alive, family))


@linux_only
def test_what_a_strategy_leaves_behind_ends_with_it(place: Path) -> None:
    waits = "while len(os.listdir(place)) < 3: time.sleep(0.01)\nsys.exit(3)\n"
    code = FAMILY[: FAMILY.rindex("time.sleep(600)")] + waits

    async def run() -> tuple[int, list[int]]:
        bot = Launched()
        await bot.start([sys.executable, "-c", code, str(place)], PLAIN)
        family = await family_in(place, 3)
        return await bot.wait(), family

    exit_code, family = asyncio.run(run())
    assert exit_code == 3
    assert not any(map(alive, family))


def test_a_strategy_that_ends_in_time_ends_as_it_wishes(place: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "open(sys.argv[1] + '/%d' % os.getpid(), 'w').close()\ntime.sleep(600)\n"
    )

    async def run() -> int:
        bot = Launched()
        await bot.start([sys.executable, "-c", code, str(place)], PLAIN)
        await family_in(place, 1)
        return await bot.stop(WAIT_S_MAX)

    assert asyncio.run(run()) == 9


GATEWAY = f"""
import asyncio, os, sys
from fuseboard.runtime.launcher import Launched
async def main():
    bot = Launched()
    await bot.start([sys.executable, "-c", {FAMILY!r}, *sys.argv[1:]], dict(os.environ))
    await bot.wait()
asyncio.run(main())
"""


@linux_only
@pytest.mark.parametrize("stubborn", [(), ("stubborn",)])
def test_kill_9_of_the_launching_process_takes_the_whole_family_with_it(
    place: Path, stubborn: tuple[str, ...]
) -> None:
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY, str(place), *stubborn])
    family = asyncio.run(family_in(place, 3))
    assert all(map(alive, family))
    gateway.kill()
    assert gateway.wait(WAIT_S_MAX) == -signal.SIGKILL
    assert until_gone(family)


@linux_only
def test_kill_9_of_the_keeper_takes_the_strategy_with_it(place: Path) -> None:
    code = "import os, sys, time; open(sys.argv[1] + '/' + str(os.getpid()), 'w'); time.sleep(600)"

    async def run() -> tuple[int, list[int]]:
        bot = Launched()
        await bot.start([sys.executable, "-c", code, str(place)], PLAIN)
        family = await family_in(place, 1)
        status = Path(f"/proc/{family[0]}/stat").read_bytes()
        keeper = int(status.rpartition(b")")[2].split()[1])
        assert str(REDIRECT / "keeper.py").encode() in Path(f"/proc/{keeper}/cmdline").read_bytes()
        os.kill(keeper, signal.SIGKILL)
        return await bot.wait(), family

    code_of_keeper, family = asyncio.run(run())
    assert code_of_keeper == 128 + signal.SIGKILL
    assert until_gone(family)


def test_misuse_is_refused() -> None:
    async def run() -> None:
        bot = Launched()
        with pytest.raises(RuntimeError, match="not been started"):
            await bot.wait()
        with pytest.raises(ValueError, match="no command"):
            await bot.start([], PLAIN)
        await bot.start([sys.executable, "-c", "pass"], PLAIN)
        with pytest.raises(RuntimeError, match="once"):
            await bot.start([sys.executable, "-c", "pass"], PLAIN)
        with pytest.raises(ValueError, match="grace"):
            await bot.stop(-1)
        assert await bot.wait() == 0
        assert await bot.stop(1) == 0
        assert await bot.wait() == 0

    asyncio.run(run())


def test_the_pipe_is_closed_and_leaks_into_nothing() -> None:
    async def run() -> None:
        open_files = []
        for _ in range(3):
            bot = Launched()
            await bot.start([sys.executable, "-c", "pass"], PLAIN)
            await bot.stop(WAIT_S_MAX)
            open_files.append(len(list(Path("/dev/fd").iterdir())))
        assert open_files[1] == open_files[2]  # The first one also starts asyncio's child watcher.

    asyncio.run(run())
