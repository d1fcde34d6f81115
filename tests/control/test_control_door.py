"""The control API's door: who acts is whose key it is, and each use is journaled."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from fuseboard.control.asked import OperatorAnswer
from fuseboard.control.board import Board
from fuseboard.control.control_door import ROLE_FOR, USES_A_SECOND_MAX, ControlDoor
from fuseboard.control.operator_api import OperatorApi
from fuseboard.control.operator_keys import ROLES, OperatorKeys
from fuseboard.core.kernel import Kernel
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.inputs import Input
from fuseboard.vocabulary.operator_inputs import ControlUsed
from fuseboard.wire.http_messages import Request, Response


class Behind:
    """The operators' API as far as the door sees it: what came through, and as whom."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, object], str]] = []

    async def answer(self, request: Request, via: str) -> Response:
        body = msgspec.json.decode(request.body) if request.body else {}
        self.came.append((request.path, body, via))
        return Response(200, msgspec.json.encode(OperatorAnswer(accepted=True, message="done")))


class Doorway:
    """A door, its keys, and what it journals: an intake whose disk is never done."""

    def __init__(self, folder: Path) -> None:
        self.keys = OperatorKeys(folder / "operators.json")
        self.behind = Behind()
        self.journaled: list[Input] = []
        self.takes = True
        self.door = ControlDoor(keys=self.keys, api=self.behind, offer=self.offer)

    def offer(self, fact: Input) -> bool:
        self.journaled.append(fact)
        return self.takes

    async def ask(self, key: str, method: str, path: str, body: object = None) -> int:
        return (await self.said(key, method, path, body))[0]

    async def said(
        self, key: str, method: str, path: str, body: object = None
    ) -> tuple[int, OperatorAnswer]:
        request = Request(
            method=method,
            path=path,
            query={},
            headers={"authorization": f"Bearer {key}"},
            body=b"" if body is None else msgspec.json.encode(body),
            peer="127.0.0.1:1",
            target=path,
        )
        answer = await self.door._handle(request)
        if method == "GET" and answer.status == 200:
            return 200, OperatorAnswer(accepted=True, message="")
        return answer.status, msgspec.json.decode(answer.body, type=OperatorAnswer)


async def early_in_a_second() -> None:
    """So that what is asked next at once is counted in one and the same second."""
    while asyncio.get_running_loop().time() % 1 > 0.5:
        await asyncio.sleep(0.05)


async def nothing_settled(_scope: str) -> tuple[str, ...]:
    return ()


def id_of(key: str) -> str:
    return "key:" + key.partition(".")[0]


def test_the_keys_holder_is_the_person_whatever_the_body_says(tmp_path: Path) -> None:
    at = Doorway(tmp_path)
    ann, bob = at.keys.mint("ann", "admin"), at.keys.mint("bob", "admin")

    async def visit() -> None:
        assert await at.ask(ann, "POST", "/v1/reset", {"reason": "looked"}) == 200
        assert await at.ask(bob, "POST", "/v1/reset", {"reason": "x", "operator": "ann"}) == 403
        assert await at.ask(bob, "POST", "/v1/override-verify", {"override": "o1"}) == 200

    asyncio.run(visit())
    assert at.behind.came == [
        ("/v1/reset", {"reason": "looked", "operator": "ann"}, id_of(ann)),
        ("/v1/override-verify", {"override": "o1", "operator": "bob"}, id_of(bob)),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_what_is_its_own_and_every_use_is_journaled_reads_and_refusals_too(
    tmp_path: Path, role: str
) -> None:
    at = Doorway(tmp_path)
    key = at.keys.mint("ann", role)

    async def visit() -> dict[tuple[str, str], int]:
        return {
            (method, path): await at.ask(key, method, path, None if method == "GET" else {})
            for method, path in ROLE_FOR
        }

    answers = asyncio.run(visit())
    for (method, path), status in answers.items():
        may = ROLES[role] >= ROLE_FOR[method, path]
        assert status == (200 if may else 403), (role, path)
        used = ControlUsed(
            operator="ann", role=role, use=f"{method} {path}", granted=may, via=id_of(key)
        )
        assert used in at.journaled
    assert len(at.journaled) == len(ROLE_FOR)


def test_a_freeze_takes_an_admin_and_every_other_halt_an_operator(tmp_path: Path) -> None:
    at = Doorway(tmp_path)
    bob, ann = at.keys.mint("bob", "operator"), at.keys.mint("ann", "admin")

    async def visit() -> None:
        for level in ("halt", "flatten", "kill"):
            assert await at.ask(bob, "POST", "/v1/halt", {"level": level}) == 200
        freeze = {"level": "freeze", "reason": "it sells into nothing"}
        assert await at.ask(bob, "POST", "/v1/halt", freeze) == 403
        assert await at.ask(ann, "POST", "/v1/halt", freeze) == 200
        assert await at.ask(bob, "POST", "/v1/halt", ["freeze"]) == 422

    asyncio.run(visit())
    used = [fact for fact in at.journaled if isinstance(fact, ControlUsed)]
    assert [fact.granted for fact in used] == [True, True, True, False, True, True]
    assert [body["level"] for _, body, _ in at.behind.came] == ["halt", "flatten", "kill", "freeze"]


def test_a_key_of_nobody_is_journaled_and_what_cannot_be_journaled_is_not_done(
    tmp_path: Path,
) -> None:
    at = Doorway(tmp_path)
    key = at.keys.mint("ann", "admin")

    async def visit() -> None:
        assert await at.ask("OP0.wrong", "GET", "/v1/status") == 401
        assert await at.ask(key + "x", "POST", "/v1/reset", {}) == 401
        at.takes = False
        assert await at.ask(key, "POST", "/v1/reset", {}) == 503

    asyncio.run(visit())
    uses = [(it.operator, it.granted) for it in at.journaled if isinstance(it, ControlUsed)]
    assert uses == [("", False), ("", False), ("ann", True)]
    assert at.behind.came == []


def test_what_a_flood_hides_is_counted_in_the_next_use_that_is_journaled(tmp_path: Path) -> None:
    at = Doorway(tmp_path)
    key = at.keys.mint("ann", "admin")

    async def visit() -> list[int]:
        await early_in_a_second()
        answers = [await at.ask(key, "GET", "/v1/status") for _ in range(USES_A_SECOND_MAX + 3)]
        assert await at.ask(key, "POST", "/v1/halt", {}) == 200, "a halt is not held back"
        return answers

    answers = asyncio.run(visit())
    assert answers.count(503) == 3
    last = at.journaled[-1]
    assert isinstance(last, ControlUsed)
    assert last.unjournaled == 3
    assert sum(it.unjournaled for it in at.journaled if isinstance(it, ControlUsed)) == 3


def test_who_has_no_key_or_another_key_uses_up_nothing_of_an_admins(tmp_path: Path) -> None:
    at = Doorway(tmp_path)
    ann, bob = at.keys.mint("ann", "admin"), at.keys.mint("bob", "viewer")

    async def visit() -> None:
        await early_in_a_second()
        for number in range(2 * USES_A_SECOND_MAX):
            assert await at.ask(f"OP{number}.guess", "GET", "/v1/status") in (401, 503)
            await at.ask(bob, "GET", "/v1/status")
        assert await at.ask(bob, "GET", "/v1/status") == 503
        assert await at.ask(ann, "GET", "/v1/status") == 200
        assert await at.ask(ann, "POST", "/v1/reset", {"reason": "looked"}) == 200
        assert await at.ask(ann, "POST", "/v1/halt", {"level": "freeze", "reason": "x"}) == 200

    asyncio.run(visit())
    uses = [it for it in at.journaled if isinstance(it, ControlUsed)]
    nobody = [it for it in uses if not it.operator]
    assert len(nobody) == USES_A_SECOND_MAX, "however many keys are guessed, they are of nobody"
    assert len([it for it in uses if it.operator == "bob"]) == USES_A_SECOND_MAX
    assert len(at.door._uses) == 3, "no key that is guessed is kept"


def test_who_has_no_key_is_told_where_strategies_connect(tmp_path: Path) -> None:
    at = Doorway(tmp_path)

    async def visit() -> list[tuple[int, OperatorAnswer]]:
        await at.door.start(0, strategies_port=8765)
        await early_in_a_second()
        asked = [
            await at.said("", "POST", "/v2/orders", {"symbol": "AAPL"})
            for _ in range(USES_A_SECOND_MAX + 1)
        ]
        await at.door.stop()
        return asked

    answers = asyncio.run(visit())
    assert [status for status, _ in answers] == [401] * USES_A_SECOND_MAX + [503]
    assert all("strategies connect to port 8765" in answer.message for _, answer in answers)


def test_while_the_disk_hangs_the_status_is_read_and_no_act_is_called_done(tmp_path: Path) -> None:
    at = Doorway(tmp_path)
    key = at.keys.mint("ann", "admin")
    api = OperatorApi(
        intake=at,
        board=Board(),
        meter=MeteredKernel(Kernel()),
        about=dict,
        watermark=lambda: 0,
        settled=nothing_settled,
        answer_wait_s=0.05,
    )
    at.door = ControlDoor(keys=at.keys, api=api, offer=at.offer)

    async def visit() -> None:
        assert await at.ask("OP0.wrong", "GET", "/v1/status") == 401
        assert await at.ask(key, "GET", "/v1/status") == 200
        code, answer = await at.said(key, "POST", "/v1/reset", {"reason": "looked"})
        assert (code, answer.accepted) == (503, False)
        assert "not durable" in answer.message

    asyncio.run(visit())
    kinds = [type(it).__name__ for it in at.journaled]
    assert kinds == ["ControlUsed"] * 3 + ["OperatorResetRequested"], "the use is before its act"
