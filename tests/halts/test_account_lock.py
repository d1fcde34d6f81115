"""One gateway a broker account on one machine: refused by name, free at once, never inherited."""

import errno
import os
import secrets
import socket
import subprocess
import sys

import pytest

from fuseboard.halts.account_lock import AccountTaken, account_name, take_account

HOLDS = """
import sys
from fuseboard.halts.account_lock import take_account
held = take_account(sys.argv[1], 1)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_one_is_refused_with_the_process_that_has_it_and_free_when_it_is_closed() -> None:
    name = secrets.token_hex(16)
    held = take_account(name, 1)
    with pytest.raises(AccountTaken) as refused:
        take_account(name, 2)
    assert refused.value.pid == os.getpid()
    take_account(secrets.token_hex(16), 1).close()
    held.close()
    take_account(name, 1).close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EPERM, errno.EAFNOSUPPORT])
def test_what_the_system_refuses_is_not_another_gateway(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(OSError, match=os.strerror(number)):
        take_account(secrets.token_hex(16), 3)
    monkeypatch.undo()
    tries: list[object] = []

    class Unbindable(socket.socket):
        def bind(self, address: object) -> None:
            tries.append(address)
            refused()

    monkeypatch.setattr(socket, "socket", Unbindable)
    with pytest.raises(OSError, match=os.strerror(number)):
        take_account(secrets.token_hex(16), 3)
    assert len(tries) == 1, "it is not tried again"


def test_a_process_that_was_killed_leaves_nothing_and_its_child_keeps_nothing() -> None:
    name = secrets.token_hex(16)
    child = "import subprocess, sys; subprocess.Popen(['sleep', '60'], close_fds=False)\n"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS.replace('print("held"', child + 'print("held"'), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AccountTaken) as refused:
            take_account(name, 1)
        assert refused.value.pid == holder.pid
        holder.kill()
        holder.wait()
        take_account(name, 1).close()
        os.killpg(holder.pid, 9)  # the child that lived on without the lock


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://paper-api.alpaca.markets", "https://paper-api.alpaca.markets:443/v2", True),
        ("https://PAPER-api.alpaca.markets./", "https://paper-api.alpaca.markets", True),
        ("http://localhost:9", "http://127.0.0.1:9", True),
        ("http://127.0.0.1:9", "http://127.0.0.1:10", False),
        ("https://api.alpaca.markets", "https://paper-api.alpaca.markets", False),
    ],
)
def test_an_account_is_known_by_any_spelling_of_its_brokers_address(
    one: str, other: str, *, same: bool
) -> None:
    assert (account_name(one, "K") == account_name(other, "K")) is same
    assert account_name(one, "K") != account_name(one, "L")
