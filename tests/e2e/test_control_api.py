"""The control API of a real gateway: roles, names and the journal's record of each use."""

import json
import urllib.error
import urllib.request
from typing import Any

from fuseboard.control.control_door import USES_A_SECOND_MAX
from fuseboard.vocabulary.operator_inputs import (
    ControlUsed,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from tests.e2e.processes import World, fuseboard, until

RESET = {"reason": "looked"}


class Caller:
    """One key at one gateway's control API."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


def key_of(here: World, name: str, role: str) -> str:
    made = fuseboard("operators", "new", name, "--role", role, "--state", here.state, "--json")
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["key"])


def test_each_role_may_do_what_is_its_and_everything_is_journaled(here: World) -> None:
    here.init("name: control\n")
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    gateway = here.gateway(exchange.url, "--control-port", "0")
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
    url = json.loads((here.state / "gateway.json").read_bytes())["control"]
    roles = {"Vic": "viewer", "Olga": "operator", "Ada": "admin"}
    vic, olga, ada = (Caller(url, key_of(here, name, role)) for name, role in roles.items())
    stranger = Caller(url, "OP0011223344556677.nothing")

    assert stranger("GET", "/v1/status")[0] == 401
    assert vic("GET", "/v1/status")[1]["posture"] == "OPEN"
    assert vic("POST", "/v1/halt", {})[0] == 403
    assert ada("POST", "/v1/policy", {})[0] == 404, "what is not named is not open"
    code, said = olga("POST", "/v1/halt", {"operator": "Ada"})
    assert (code, "in another's name" in said["message"]) == (403, True)
    code, said = olga("POST", "/v1/halt", {"reason": "storm"})
    assert (code, said["accepted"]) == (200, True)
    assert ada("GET", "/v1/status")[1]["posture"] == "HALTED"
    assert olga("POST", "/v1/reset", RESET)[0] == 403
    said = until(  # refused until the books are compared with the broker's since the halt
        lambda: answer[1] if (answer := ada("POST", "/v1/reset", RESET))[0] == 200 else None,
        "Ada's reset is taken",
    )
    assert said == {"accepted": True, "message": "account: reset by Ada"}
    flood = [stranger("GET", "/v1/status")[0] for _ in range(20 * USES_A_SECOND_MAX)]
    assert 503 in flood
    assert ada("GET", "/v1/status")[0] == 200, "who has no key keeps out nobody who has one"
    assert "strategies connect to port" in stranger("GET", "/v2/account")[1]["message"]
    assert olga("POST", "/v1/halt", {"reason": "through the flood"})[0] == 200
    assert gateway.stop() == 0

    facts = [record.input for record in here.records()]
    (first, last) = [fact for fact in facts if isinstance(fact, OperatorHaltRequested)]
    assert (first.operator, first.reason) == ("Olga", "storm")
    assert last.reason == "through the flood"
    assert {fact.operator for fact in facts if isinstance(fact, OperatorResetRequested)} == {"Ada"}
    uses = [fact for fact in facts if isinstance(fact, ControlUsed)]
    seen = [(use.operator, use.role, use.use, use.granted) for use in uses]
    assert ("Vic", "viewer", "POST /v1/halt", False) in seen
    assert ("Vic", "viewer", "GET /v1/status", True) in seen, "reads are uses too"
    assert ("Ada", "admin", "POST /v1/reset", True) in seen
    assert all(use.via.startswith("key:OP") for use in uses if use.operator)
    assert sum(not use.operator for use in uses) < len(flood), "a flood does not fill the journal"
    here.evidence_is_clean()


def test_without_the_way_api_in_the_policy_there_is_no_control_api(here: World) -> None:
    here.init("name: closed\nsafety: {kill_switch: {methods: [cli, signal]}}\n")
    exchange = here.exchange(tape="normal", speed=5)
    gateway = here.gateway(exchange.url, "--control-port", "0")
    assert "control" not in json.loads((here.state / "gateway.json").read_bytes())
    assert gateway.stop() == 0
