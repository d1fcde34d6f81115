"""What the gateway writes down for its guardian is what the policy says."""

from msgspec import structs

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.app.guardian_link import orders_of
from fuseboard.control.state_directory import Identity
from fuseboard.guardian.orders import Orders
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.policy import Policy


def test_the_guardian_has_every_time_and_collar_of_the_policys_that_it_knows() -> None:
    known = sorted({*Orders.__struct_fields__} & {*ExecutionRules.__struct_fields__})
    assert "cancel_wait_ns" in known
    rules = structs.replace(
        ExecutionRules(), **{name: number for number, name in enumerate(known, 1_000_000)}
    )
    keys = BrokerKeys(base_url="u", data_url="u", data_stream_url="u", key_id="k", secret="s")
    identity = Identity(instance="abcd1234", account="a", created_ns=1)
    told = orders_of(Policy(execution=rules), identity, keys)
    assert [getattr(told, name) for name in known] == [getattr(rules, name) for name in known]
