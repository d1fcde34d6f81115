"""The operators' door over its real socket: who may come in, what is taken, what is answered."""

import asyncio
import http.client
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from fuseboard.control import operator_api
from fuseboard.control.asked import CashAsked, HaltAsked, OperatorAnswer, ResetAsked
from fuseboard.control.board import Board
from fuseboard.control.client import GatewayBusy, GatewayUnreachable, OperatorClient
from fuseboard.control.operator_api import HALTS_WAITING_MAX, LIMITS, WAITING_MAX, OperatorApi
from fuseboard.control.socket_path import ADDRESS_BYTES_MAX, addressable
from fuseboard.core.kernel import Kernel
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.effects import AnswerOperator
from fuseboard.vocabulary.inputs import Input
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.vocabulary.postures import HaltLevel
from tests.control.effects import shown, submit

Result = TypeVar("Result")
RESET = ResetAsked(operator="Ada", reason="reviewed")
HALT = HaltAsked(operator="Ada", reason="storm", level="flatten")


class Taken:
    """An intake that keeps what it is given, and may answer at once."""

    def __init__(self) -> None:
        self.facts: list[Input] = []
        self.full = False
        self.answer: Callable[[Input], None] = lambda _fact: None

    def offer(self, fact: Input) -> bool:
        if self.full:
            return False
        self.facts.append(fact)
        self.answer(fact)
        return True


class Told:
    """What a kernel knows."""

    def compared_wall_ns(self) -> int:
        return 77

    def halt_epoch(self) -> int:
        return 5


class Desk:
    """An operator API on a socket, and what stands behind it."""

    def __init__(self, answer_wait_s: float = 5.0) -> None:
        self.intake = Taken()
        self.board = Board()
        self.settled_scopes: list[str] = []
        self.unanswered: tuple[str, ...] = ()
        self.halt_file = ""
        self.api = OperatorApi(
            intake=self.intake,
            board=self.board,
            meter=MeteredKernel(Kernel()),
            about=lambda: {"account": "default"},
            watermark=lambda: 42,
            settled=self.settled,
            halt_file=lambda: self.halt_file,
            known=Told(),
            answer_wait_s=answer_wait_s,
        )

    async def settled(self, scope: str) -> tuple[str, ...]:
        self.settled_scopes.append(scope)
        return self.unanswered

    def accepts(self) -> None:
        """Answer every act at once, as the kernel would after the commit."""

        def answered(fact: Input) -> None:
            assert isinstance(fact, OperatorHaltRequested | OperatorResetRequested | CashMoved)
            answer = AnswerOperator(request=fact.request, accepted=True, message="done")
            asyncio.get_running_loop().call_soon(self.api.apply, answer)

        self.intake.answer = answered


def at_desk(path: Path, visit: Callable[[OperatorClient], Result], desk: Desk) -> Result:
    """Run the API and, in a thread, one client's visit."""

    async def run() -> Result:
        await desk.api.start(path)
        try:
            return await asyncio.to_thread(visit, OperatorClient(path))
        finally:
            await desk.api.stop()

    return asyncio.run(run())


def raw(path: Path, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(str(path))
    connection.request(method, target, body)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_what_is_in_doubt_after_a_halt_is_listed_once_whoever_knows_of_it(tmp_path: Path) -> None:
    desk = Desk()
    desk.unanswered = ("o7", "o8")
    for order_id in ("o8", "o9"):
        desk.board.apply(shown(order_id, OrderStatus.IN_DOUBT))
    desk.board.apply(shown("o10", OrderStatus.WORKING))

    def visit(client: OperatorClient) -> list[tuple[str, ...]]:
        return [client.settled(scope).in_doubt for scope in ("account", "symbol:other", "desk:x")]

    everything = ("o7", "o8", "o9")
    assert at_desk(tmp_path / "s", visit, desk) == [everything, ("o7", "o8"), everything]
    account = "account"  # whose a tag is, is not known here: what any strategy started counts
    assert desk.settled_scopes == [account, "symbol:OTHER", account], "as orders write it"


def test_a_scope_that_is_none_is_not_settled(tmp_path: Path) -> None:
    def visit(_client: OperatorClient) -> tuple[int, bytes]:
        return raw(tmp_path / "s", "GET", "/v1/settled?scope=galaxy")

    status, body = at_desk(tmp_path / "s", visit, Desk())
    assert status == 422
    assert b"none of account" in body


def test_an_act_is_taken_in_whole_and_answered_when_it_is_durable(tmp_path: Path) -> None:
    desk = Desk()
    desk.accepts()

    def visit(client: OperatorClient) -> list[OperatorAnswer]:
        return [
            client.act("halt", HALT),
            client.act("reset", ResetAsked(operator="Bo", reason="looked", rebase=True)),
            client.act("cash", CashAsked(operator="Bo", amount="-12.5", why="fees")),
        ]

    answers = at_desk(tmp_path / "s", visit, desk)
    assert answers == [OperatorAnswer(accepted=True, message="done")] * 3
    me = f"user:{os.getuid()}"
    assert desk.intake.facts == [
        OperatorHaltRequested(
            request=1,
            operator="Ada",
            reason="storm",
            scope="account",
            level=HaltLevel.FLATTEN,
            via=me,
        ),
        OperatorResetRequested(
            request=2, operator="Bo", reason="looked", scope="account", rebase=True, via=me
        ),
        CashMoved(request=3, amount_nanos=-12_500_000_000, why="Bo: fees", via=me),
    ]


def test_a_reset_says_whether_the_file_halt_is_there_when_it_arrives(tmp_path: Path) -> None:
    desk = Desk()
    desk.accepts()
    desk.halt_file = "/state/HALT"

    def visit(client: OperatorClient) -> str:
        client.act("reset", ResetAsked(operator="Bo", reason="looked"))
        shown = client.status().halt_file
        desk.halt_file = ""
        client.act("reset", ResetAsked(operator="Bo", reason="looked"))
        return shown

    assert at_desk(tmp_path / "s", visit, desk) == "/state/HALT"
    resets = [fact for fact in desk.intake.facts if isinstance(fact, OperatorResetRequested)]
    assert [fact.halt_file for fact in resets] == ["/state/HALT", ""]


def test_what_is_odd_about_a_halt_reaches_who_asked(tmp_path: Path) -> None:
    desk = Desk()
    noted = AnswerOperator(request=1, accepted=True, message="done", note="no such thing")
    desk.intake.answer = lambda _fact: asyncio.get_running_loop().call_soon(  # type: ignore[assignment]
        desk.api.apply, noted
    )
    answer = at_desk(tmp_path / "s", lambda client: client.act("halt", HALT), desk)
    assert answer == OperatorAnswer(accepted=True, message="done", note="no such thing")


def test_a_refusal_of_the_kernel_is_an_answer_with_another_status(tmp_path: Path) -> None:
    desk = Desk()
    desk.intake.answer = lambda fact: asyncio.get_running_loop().call_soon(  # type: ignore[assignment]
        desk.api.apply, AnswerOperator(request=1, accepted=False, message="not now")
    )
    body = msgspec.json.encode(ResetAsked(operator="Bo", reason="x"))
    status, answer = at_desk(
        tmp_path / "s", lambda _client: raw(tmp_path / "s", "POST", "/v1/reset", body), desk
    )
    assert status == 409
    assert msgspec.json.decode(answer) == {"accepted": False, "message": "not now"}


@pytest.mark.parametrize(
    ("target", "body", "what"),
    [
        ("halt", b"", "truncated"),
        ("halt", b'{"operator":"\xff"}', "utf-8"),
        ("halt", b"[]", "object"),
        ("halt", b"{}", "operator"),
        ("halt", b'{"operator":"A","more":1}', "more"),
        ("halt", b'{"operator":7}', "str"),
        ("halt", b'{"operator":""}', "--operator NAME"),
        ("halt", b'{"operator":"A","level":"stop"}', "none of halt"),
        ("halt", b'{"operator":"A","scope":"all"}', "none of account"),
        ("halt", b'{"operator":"A","reason":"\\u001b[2J"}', "cannot be printed"),
        ("reset", b'{"operator":"A","reason":"' + b"x" * 501 + b'"}', "longer than 500"),
        ("cash", b'{"operator":"A","amount":"NaN","why":"x"}', "plain decimal"),
        ("cash", b'{"operator":"A","amount":5,"why":"x"}', "str"),
    ],
)
def test_what_cannot_be_understood_is_refused_and_never_taken_in(
    tmp_path: Path, target: str, body: bytes, what: str
) -> None:
    desk = Desk()
    status, answer = at_desk(
        tmp_path / "s", lambda _c: raw(tmp_path / "s", "POST", f"/v1/{target}", body), desk
    )
    assert status == 422
    assert what in msgspec.json.decode(answer)["message"]
    assert desk.intake.facts == []


def test_what_is_not_part_of_it_is_not_found_and_too_much_is_not_read(tmp_path: Path) -> None:
    def visit(_client: OperatorClient) -> list[int]:
        big = b"x" * (LIMITS.body_bytes_max + 1)
        return [
            raw(tmp_path / "s", "GET", "/")[0],
            raw(tmp_path / "s", "GET", "/v1/halt")[0],
            raw(tmp_path / "s", "DELETE", "/v1/status")[0],
            raw(tmp_path / "s", "POST", "/v1/halt", big)[0],
        ]

    assert at_desk(tmp_path / "s", visit, Desk()) == [404, 404, 404, 413]


def test_a_full_intake_is_said_and_nobody_waits_for_it(tmp_path: Path) -> None:
    desk = Desk()
    desk.intake.full = True
    answer = at_desk(tmp_path / "s", lambda client: client.act("halt", HALT), desk)
    assert (answer.accepted, "takes nothing more" in answer.message) == (False, True)


def test_an_act_that_is_not_durable_in_time_says_where_to_look(tmp_path: Path) -> None:
    desk = Desk(answer_wait_s=0.05)
    answer = at_desk(tmp_path / "s", lambda client: client.act("halt", HALT), desk)
    assert not answer.accepted
    assert "taken in, but not durable within 0.05 s" in answer.message
    assert len(desk.intake.facts) == 1
    desk.api.apply(AnswerOperator(request=1, accepted=True, message="late"))  # nobody waits


def test_who_waits_when_the_gateway_stops_is_told(tmp_path: Path) -> None:
    desk = Desk()

    async def run() -> OperatorAnswer:
        await desk.api.start(tmp_path / "s")
        client = OperatorClient(tmp_path / "s")
        asking = asyncio.create_task(asyncio.to_thread(client.act, "halt", HALT))
        while not desk.intake.facts:
            await asyncio.sleep(0.001)
        async with asyncio.timeout(2):
            await desk.api.stop()
            return await asking

    answer = asyncio.run(run())
    assert not answer.accepted
    assert "the gateway stopped before its answer was durable" in answer.message


def test_no_more_may_wait_than_the_bound(tmp_path: Path) -> None:
    desk = Desk()

    async def run() -> OperatorAnswer:
        await desk.api.start(tmp_path / "s")
        client = OperatorClient(tmp_path / "s")
        writers = []
        body = msgspec.json.encode(HALT)
        head = f"POST /v1/halt HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"

        async def wait(count: int) -> None:
            for _ in range(count):
                _reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
                writer.write(head.encode() + body)
                writers.append(writer)
            async with asyncio.timeout(20):
                while len(desk.intake.facts) < len(writers):
                    await asyncio.sleep(0.001)

        await wait(WAITING_MAX)
        refused = await asyncio.to_thread(client.act, "reset", RESET)
        await wait(HALTS_WAITING_MAX)  # they are not kept out by what else waits
        with pytest.raises(GatewayBusy, match="too many operator requests"):
            await asyncio.to_thread(client.halt, HALT, lambda: None)
        for writer in writers:
            writer.close()
        await desk.api.stop()
        return refused

    refused = asyncio.run(run())
    assert "too many operator requests" in refused.message
    assert len(desk.intake.facts) == WAITING_MAX + HALTS_WAITING_MAX


def test_only_the_owner_may_open_the_socket_and_the_process_keeps_its_mask(tmp_path: Path) -> None:
    path = tmp_path / "s"
    mask = os.umask(0o022)
    try:
        mode = at_desk(path, lambda _client: path.stat().st_mode, Desk())
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)
    assert mode & 0o777 == 0o600


def test_a_state_directory_with_a_very_long_path_has_its_socket_all_the_same(
    tmp_path: Path,
) -> None:
    path = tmp_path / ("x" * 100) / ("y" * 100) / "control.sock"
    path.parent.mkdir(parents=True)
    assert len(os.fsencode(path)) > ADDRESS_BYTES_MAX
    before = len(list(Path("/proc/self/fd").iterdir()))
    status = at_desk(path, lambda client: client.status(), Desk())
    assert (status.compared_wall_ns, status.halt_epoch) == (77, 5)
    assert status.durable_sequence == 42
    with addressable(path) as address:
        assert len(os.fsencode(address)) <= ADDRESS_BYTES_MAX
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_status_carries_orders_only_for_who_asks(tmp_path: Path) -> None:
    desk = Desk()
    desk.board.apply(submit("1"))

    def visit(client: OperatorClient) -> tuple[int, int, int]:
        whole, cheap = client.status(), client.status(with_orders=False)
        return len(whole.orders), len(cheap.orders), cheap.working

    assert at_desk(tmp_path / "s", visit, desk) == (1, 0, 1)


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    client = OperatorClient(tmp_path / "nobody")
    with pytest.raises(GatewayUnreachable, match=r"No such file.*is `fuseboard run` running\?"):
        client.status()
    with pytest.raises(GatewayUnreachable, match="no gateway answers"):
        client.act("halt", HALT)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"", "no gateway answers"),
        (b"nonsense\r\n\r\n", "no gateway answers"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "another release"),
        (b'HTTP/1.1 503 x\r\ncontent-length: 11\r\n\r\n{"code": 50}', "another release"),
    ],
)
def test_a_gateway_that_says_nothing_sensible_is_one_sentence(
    tmp_path: Path, said: bytes, what: str
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
        await reader.readexactly(0 if length is None else int(length[1]))
        writer.write(said)
        writer.close()

    async def run(call: Callable[[], object]) -> None:
        server = await asyncio.start_unix_server(talk, tmp_path / "s")
        async with server:
            with pytest.raises(GatewayUnreachable, match=what):
                await asyncio.to_thread(call)

    client = OperatorClient(tmp_path / "s")
    asyncio.run(run(client.status))
    asyncio.run(run(lambda: client.act("halt", HALT)))


def test_a_gateway_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        client = OperatorClient(tmp_path / "s", timeout_s=0.05)
        with pytest.raises(GatewayUnreachable, match=r"timed out"):
            client.status()


def test_the_clients_patience_is_longer_than_the_gateways() -> None:
    from fuseboard.control.client import TIMEOUT_S

    assert TIMEOUT_S > operator_api.ANSWER_WAIT_S
    assert LIMITS.answer_s_max > operator_api.ANSWER_WAIT_S
