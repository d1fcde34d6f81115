"""`fuseboard policy ...` as a person types it."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from docs import make_policy
from fuseboard.app.policy_cases import outcomes, read_cases
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy
from fuseboard.policy.yaml_text import PolicyRefused
from tests.app.command_line import CommandLine

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def line_of(text: str) -> int:
    """Where the example says this first."""
    lines = (EXAMPLES / "policy.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.fixture
def example(fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLACK_URL", "https://secret.invalid/hook")
    monkeypatch.setenv("PAGERDUTY_KEY", "secret-pager-key")
    return EXAMPLES / "policy.yaml"


def test_the_page_is_not_stale() -> None:
    page = make_policy.PAGE.read_text()
    assert make_policy.drawn(page) == page, "docs/policy.md is stale: run docs/make_policy.py"


def test_check_says_every_limit_and_where_it_is_set(fuseboard: CommandLine, example: Path) -> None:
    done = fuseboard("policy", "check", example)
    assert done.code == 0
    where = line_of("max_order_value: 25000")
    assert f"max_order_value          25000 USD              line {where}" in done.out
    assert "max_order_adv            not set" in done.out
    assert "all written out" in done.out
    assert " alerting: channels" in done.out
    assert "secret" not in done.out
    told = fuseboard("policy", "check", example, "--json").json()
    assert told["required_on_defaults"] == []
    by_key = {row["key"]: row for row in told["limits"]}
    assert by_key["max_position"]["value"] == "10%"
    assert by_key["max_position"]["line"] == line_of("max_position: 10%")
    assert {row["section"] for row in told["limits"]} > {"losses", "circuit breakers", "strategies"}


def test_check_says_which_required_limits_stand_on_defaults(fuseboard: CommandLine) -> None:
    Path("p.yaml").write_text("risk: {limits: {price_collar: 1%}}")
    done = fuseboard("policy", "check", "p.yaml")
    assert "on their defaults: max_order_quantity, max_order_value, order_rate\n" in done.out
    assert "price_collar             1%                     line 1" in done.out


@pytest.mark.parametrize(
    "written",
    ["compress: true", "encrypt: true", 'url: "${BACKUP_URL}"', 'key: "${BACKUP_KEY}"'],
)
def test_check_lists_each_key_of_backup_that_nothing_enforces(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("BACKUP_URL", "https://secret.invalid/copies")
    monkeypatch.setenv("BACKUP_KEY", "secret-backup-key")
    Path("p.yaml").write_text(f"name: a\nbackup: {{enabled: true, {written}}}\n")
    key = f"backup.{written.partition(':')[0]}"
    done = fuseboard("policy", "check", "p.yaml")
    assert done.code == 0
    assert done.out.endswith(f"\nnot yet enforced\n  line 2    {key}\n")
    told = fuseboard("policy", "check", "p.yaml", "--json").json()
    assert told["not_yet_enforced"] == {key: 2}


NO_WAY = "leaves no way to the kill switch open but the command line's halt and the file HALT"


@pytest.mark.parametrize("way", ["slack_command", "telegram_command", "web"])
@pytest.mark.parametrize("key", ["methods", "triggers"])
def test_a_way_to_the_kill_switch_that_is_not_there_is_said(
    fuseboard: CommandLine, key: str, way: str
) -> None:
    Path("p.yaml").write_text(f"name: a\nsafety:\n  kill_switch: {{{key}: [{way}]}}\n")
    out = fuseboard("policy", "check", "p.yaml").out
    no_way = f"safety.kill_switch.{key}.{way}: there is no such way, and nothing there halts; have"
    assert f"\nnot yet enforced\n  line 3    {no_way}" in out
    assert f"\nwarnings\n  line 3: what safety.kill_switch lists {NO_WAY}: add" in out
    assert "  methods                  none                   line 3" in out
    told = fuseboard("policy", "check", "p.yaml", "--json").json()
    assert told["not_yet_enforced"] == {f"safety.kill_switch.{key}": 3}
    assert len(told["warnings"]) == 1
    Path("q.yaml").write_text(f"name: a\nsafety: {{kill_switch: {{{key}: [file, {way}]}}}}\n")
    Path("r.yaml").write_text(f"name: a\nsafety: {{kill_switch: {{{key}: [file]}}}}\n")
    out = fuseboard("policy", "check", "q.yaml").out
    assert no_way in out
    assert "\nwarnings" not in out
    for old, new in (("q.yaml", "r.yaml"), ("r.yaml", "q.yaml")):
        rows = fuseboard("policy", "diff", old, new, "--json").json()
        assert [row["direction"] for row in rows] == ["neutral"]


@pytest.mark.parametrize(
    ("more", "becomes"),
    [
        ("", 'its path is not used; a kill is `POST /v1/halt` with `{"level": "kill"}`'),
        ("enabled: false, ", "its path is not used, and the way is closed: `enabled: false`"),
    ],
)
@pytest.mark.parametrize("written", ["triggers: {api: /kill}", "methods: [{api: /kill}]"])
def test_a_path_of_the_api_is_said_to_be_unused_and_what_to_ask_instead(
    fuseboard: CommandLine, written: str, more: str, becomes: str
) -> None:
    Path("p.yaml").write_text(f"name: a\nsafety:\n  kill_switch: {{{more}{written}}}\n")
    section = f"safety.kill_switch.{written.partition(':')[0]}"
    out = fuseboard("policy", "check", "p.yaml").out
    assert f"\nnot yet enforced\n  line 3    {section}.api: {becomes}" in out
    assert "  methods                  api                    line 3" in out
    told = fuseboard("policy", "check", "p.yaml", "--json").json()
    assert told["not_yet_enforced"] == {section: 3}
    (sentence,) = told["not_yet_enforced_says"][section]
    assert sentence.startswith(f"{section}.api: {becomes}")


@pytest.mark.parametrize("levels", ["[7%, 13%, 20%]", "[5%, 10%, 15%]"])
def test_levels_of_the_market_are_said_to_be_compared_with_nothing(
    fuseboard: CommandLine, levels: str
) -> None:
    key = "safety.market_circuit_breakers.levels"
    Path("p.yaml").write_text(
        f"name: a\nsafety:\n  market_circuit_breakers:\n    levels: {levels}\n"
    )
    out = fuseboard("policy", "check", "p.yaml").out
    assert f"\nnot yet enforced\n  line 4    {key}: compared with nothing, for no index is" in out
    assert "to stop at a loss of your own write a circuit breaker" in out
    told = fuseboard("policy", "check", "p.yaml", "--json").json()
    assert told["not_yet_enforced"] == {key: 4}
    (row,) = fuseboard("policy", "explain", "p.yaml", key, "--json").json()
    assert row["enforced"] == "not yet enforced"
    fuseboard("policy", "init", "new.yaml")
    assert "nothing: all that the file sets is enforced" in fuseboard(
        "policy", "check", "new.yaml"
    ).out  # fmt: skip


def test_a_kill_switch_that_is_off_is_said(fuseboard: CommandLine) -> None:
    Path("p.yaml").write_text("name: a\nsafety: {kill_switch: {enabled: false}}\n")
    assert fuseboard.on_state("init", "--policy", "p.yaml").code == 0
    run = fuseboard.on_state("run", "--live", "--broker", "sim")  # refused, and warned before
    assert f"policy: warning: line 2: safety.kill_switch.enabled: false {NO_WAY}" in run.out
    out = fuseboard("policy", "check", "p.yaml").out
    assert f"\nwarnings\n  line 2: safety.kill_switch.enabled: false {NO_WAY}: write `true`" in out


@pytest.mark.parametrize("key", ["methods", "triggers"])
def test_explain_says_which_ways_are_not_there(
    fuseboard: CommandLine, example: Path, key: str
) -> None:
    rows = fuseboard("policy", "explain", example, f"safety.kill_switch.{key}", "--json").json()
    enforced = {row["key"].removeprefix("safety.kill_switch."): row["enforced"] for row in rows}
    assert enforced[f"{key}.slack_command"] == enforced[f"{key}.api"] == "not yet enforced"
    assert enforced[f"{key}.watchdog"] == "kill switch"
    about = next(row["about"] for row in rows if row["key"].endswith(key))
    assert about.endswith("Not yet enforced: slack_command, telegram_command, web.")


def test_check_refuses_with_every_place_and_no_secret(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("p.yaml").write_text("name: [a]\nalerting: {slack: {webhook_url: '${SLACK_URL}'}}\n")
    done = fuseboard("policy", "check", "p.yaml")
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("fuseboard policy: p.yaml:1:7: name: ")
    assert done.err.splitlines()[1].startswith("p.yaml:2:33: alerting.slack.webhook_url: ")
    monkeypatch.setenv("SLACK_URL", "https://secret.invalid/hook")
    Path("p.yaml").write_text("name: https://secret.invalid/hook\n# ${SLACK_URL}\n")
    said = fuseboard.refused("policy", "check", "p.yaml")
    assert "p.yaml:1:7: the value of a secret stands here: write `${SLACK_URL}`" in said
    assert "secret.invalid" not in said
    assert "cannot be read" in fuseboard.refused("policy", "check", "absent.yaml")


def test_explain_says_what_a_key_means(fuseboard: CommandLine, example: Path) -> None:
    out = fuseboard("policy", "explain", example, "risk.limits.max_position").out
    assert out.splitlines()[0] == "risk.limits.max_position"
    assert f"  here      10% (in line {line_of('max_position: 10%')})" in out
    assert "  enforced  check max_position" in out
    rows = fuseboard("policy", "explain", example, "--json").json()
    assert len(rows) > 250
    assert all(row["written"] for row in rows)
    all_of_the_file = fuseboard("policy", "explain", example).out.splitlines()
    assert "safety.circuit_breakers.condition" in all_of_the_file
    assert "strategies.losses.drawdown.hard" in all_of_the_file
    assert "risk.limits.max_position" in all_of_the_file
    assert "risk.limits.max_order_adv" not in all_of_the_file
    assert "alerting.email.severities" not in all_of_the_file
    assert "keys more are not in this file" in all_of_the_file[-2]
    said = fuseboard.refused("policy", "explain", example, "max_postion")
    assert "did you mean 'max_position'?" in said


def test_init_writes_a_policy_and_overwrites_nothing(fuseboard: CommandLine) -> None:
    assert fuseboard("policy", "init").code == 0
    assert policy_from_yaml(Path("policy.yaml").read_text(), "p") == Policy()
    assert "never overwritten" in fuseboard.refused("policy", "init", "policy.yaml")
    assert "no folder" in fuseboard.refused("policy", "init", "absent/policy.yaml")


def test_schema_is_one_that_the_example_keeps(fuseboard: CommandLine, example: Path) -> None:
    schema = fuseboard("policy", "schema").json()
    jsonschema.validate(yaml.safe_load(example.read_text()), schema)


def test_diff_says_what_loosens_and_what_tightens(fuseboard: CommandLine) -> None:
    Path("a.yaml").write_text("risk: {limits: {max_position: 5%, price_collar: 2%}}")
    Path("b.yaml").write_text("name: b\nrisk: {limits: {max_position: 6%, price_collar: 1%}}")
    out = fuseboard("policy", "diff", "a.yaml", "b.yaml").out
    lines = [line.split() for line in out.splitlines()]
    assert ["looser", "risk.limits.max_position", "5%", "6%"] in lines
    assert ["tighter", "risk.limits.price_collar", "2%", "1%"] in lines
    assert ["neutral", "name", "default", "b"] in lines
    told = fuseboard("policy", "diff", "a.yaml", "b.yaml", "--json").json()
    assert sorted(row["direction"] for row in told) == ["looser", "neutral", "tighter"]
    assert fuseboard("policy", "diff", "a.yaml", "a.yaml").out == "no differences\n"


def test_the_examples_cases_hold(fuseboard: CommandLine, example: Path) -> None:
    done = fuseboard("policy", "test", example, EXAMPLES / "policy-cases.yaml")
    assert done.code == 0, done.out
    assert "10 of 10 cases hold" in done.out


def test_a_case_that_fails_is_said_with_its_line_and_the_numbers(fuseboard: CommandLine) -> None:
    Path("p.yaml").write_text("risk: {limits: {max_order_value: 1000}}")
    Path("c.yaml").write_text(
        "quotes: {AAPL: 250}\ncases:\n"
        "  - name: large\n"
        "    order: {symbol: AAPL, side: buy, quantity: 5, limit: 250}\n"
        "    expect: allowed\n"
        "  - name: small\n"
        "    order: {symbol: AAPL, side: buy, quantity: 4, limit: 250}\n"
        "    expect: {denied: order_value}\n"
        "  - {name: ok, order: {symbol: AAPL, side: buy, quantity: 5}, expect: denied}\n"
        "  - {name: wrong reason, order: {symbol: AAPL, side: buy, quantity: 5},"
        ' expect: "denied: price_collar"}\n'
    )
    done = fuseboard("policy", "test", "p.yaml", "c.yaml")
    assert done.code == 1
    assert "c.yaml:3: large: expected allowed, got denied: order_value: the value is" in done.out
    assert "limit 1000" in done.out
    assert "c.yaml:6: small: expected denied: order_value, got allowed\n" in done.out
    assert "1 of 4 cases hold" in done.out
    told = fuseboard("policy", "test", "p.yaml", "c.yaml", "--json").json()
    assert [row["passed"] for row in told] == [False, False, True, False]


def test_measures_from_outside_are_given_by_name() -> None:
    policy = policy_from_yaml(
        "safety: {circuit_breakers: [{name: a, condition: vix > 30, action: halt}]}", "p"
    )
    text = (
        "quotes: {AAPL: 250}\ncases:\n"
        "  - {name: calm, measures: {vix: 20}, expect: allowed, ORDER}\n"
        '  - {name: nervous, measures: {vix: 31}, expect: "denied: posture_halted", ORDER}\n'
        '  - {name: unknown, expect: "denied: posture_reduce_only", ORDER}\n'
    ).replace("ORDER", "order: {symbol: AAPL, side: buy, quantity: 1, limit: 250}")
    assert [one.got for one in outcomes(policy, read_cases(text, "c"))] == [
        "allowed",
        "denied: posture_halted",
        "denied: posture_reduce_only",
    ]


ONE_CASE = (
    "quotes: {AAPL: 250}\nTOPcases:\n  - {name: a, expect: allowed, OWN"
    " order: {symbol: AAPL, side: buy, quantity: 1, limit: 250}}\n"
)


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        ("drawdown: 0.30", "'drawdown' is not reported from outside: use one of vix, liquidity_"),
        ("rsi: 1", "'rsi' is not reported from outside: use one of vix, liquidity_score, avg_"),
        ("avg_daily_volume: 1000000", "avg_daily_volume is a symbol's: name it"),
        ("avg_daily_volume aapl: 1000000", "is not a symbol such as `AAPL`"),
        ("avg_daily_volume  AAPL: 1000000", "is not a symbol such as `AAPL`"),
        ("vix AAPL: 35", "vix is the market's: leave the symbol out"),
        ("liquidity_score: -1", "liquidity_score cannot be negative"),
    ],
)
def test_a_measure_that_no_gateway_would_take_is_refused_at_its_place(
    measure: str, says: str
) -> None:
    name = measure.partition(":")[0]
    given = f"measures: {{{measure}}}"
    for top, own, line in ((f"{given}\n", "", 2), ("", f"{given},", 3)):
        text = ONE_CASE.replace("TOP", top).replace("OWN", own)
        with pytest.raises(PolicyRefused) as refused:
            read_cases(text, "c.yaml")
        (problem,) = refused.value.problems
        assert says in problem.what
        assert problem.place.line == line
        assert text.splitlines()[line - 1][problem.place.column - 1 :].startswith(
            measure.partition(": ")[2]
        )
        assert problem.path.endswith(f"measures.{name}")


def test_each_measure_that_a_case_may_give_reaches_the_kernel() -> None:
    conditions = ("vix > 30", "liquidity_score < 20", "avg_daily_volume < 500")
    given = ("vix: 31", "liquidity_score AAPL: 10", "avg_daily_volume AAPL: 400")
    for condition, measure in zip(conditions, given, strict=True):
        rule = f"[{{name: a, condition: not {condition}}}]"
        policy = policy_from_yaml(f"safety: {{pre_trade_checks: {{checks: {rule}}}}}", "p")
        text = ONE_CASE.replace("TOP", f"measures: {{{measure}}}\n").replace("OWN", "")
        assert [one.got for one in outcomes(policy, read_cases(text, "c"))] == [
            "denied: custom_check"
        ]


def test_a_dynamic_limit_that_lets_go_slowly_leaves_no_question_unanswered() -> None:
    policy = policy_from_yaml(
        "risk: {dynamic_limits: [{name: a, condition: vix > 30, limits: {max_order_value: 9},"
        " clear_after: 10m}]}",
        "p",
    )
    text = (
        "quotes: {AAPL: 250}\ncases:\n  - {name: calm, measures: {vix: 20}, expect: allowed,"
        " order: {symbol: AAPL, side: buy, quantity: 1, limit: 250}}\n"
    )
    assert [one.got for one in outcomes(policy, read_cases(text, "c"))] == ["allowed"]


def test_a_number_of_quoted_symbols_is_reached_by_quotes() -> None:
    policy = policy_from_yaml(
        "data: {validation: {min_assets: 2, missing_action: reduce_only}}", "p"
    )
    order = "order: {symbol: A, side: buy, quantity: 1, limit: 10}, expect: allowed"
    text = f"quotes: {{A: 10}}\ncases:\n  - {{name: one, {order}}}\n"
    text += f"  - {{name: two, quotes: {{B: 20}}, {order}}}\n"
    assert [one.passed for one in outcomes(policy, read_cases(text, "c"))] == [False, True]


def test_what_is_held_and_what_works_counts() -> None:
    policy = policy_from_yaml("risk: {limits: {max_position: 50%, max_order_value: 90000}}", "p")
    cases = read_cases(
        "account: {cash: 50000}\nquotes: {AAPL: [99.99, 100.01]}\npositions: {AAPL: 500}\ncases:\n"
        "  - {name: held, order: {symbol: AAPL, side: buy, quantity: 1, limit: 100},"
        " expect: {denied: max_position}}\n"
        "  - {name: less held, positions: {AAPL: 10}, account: {cash: 99000},"
        " order: {symbol: AAPL, side: buy, quantity: 480, limit: 100}, expect: allowed}\n"
        "  - {name: refused before, before: [{symbol: AAPL, side: buy, quantity: 5000}],"
        " order: {symbol: AAPL, side: buy, quantity: 1}, expect: denied}\n",
        "c.yaml",
    )
    found = outcomes(policy, cases)
    assert [one.passed for one in found] == [True, True, False]
    assert found[2].got == "order 1 of `before` denied: order_value"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: []", "at least 1"),
        ("quotes: {AAPL: 1}", "`cases` is missing"),
        ("cases: [{name: a, expect: allowed}]", "`order` is missing"),
        ("cases: [{name: a, order: {symbol: A, side: buy}, expect: denied}]", "`quantity`"),
        (
            "cases: [{name: a, order: {symbol: A, side: by, quantity: 1}, expect: denied}]",
            "did you mean `buy`?",
        ),
        (
            "cases: [{name: a, order: {symbol: A, side: buy, quantity: 1}, expect: {denied: x}}]",
            "is not known here",
        ),
        (
            "cases: [{name: a, order: {symbol: A, side: buy, quantity: 1}, expect: maybe}]",
            "known: allowed, denied",
        ),
        (
            (
                "{positions: {A: 1}, cases: "
                "[{name: a, order: {symbol: A, side: buy, quantity: 1}, expect: denied}]}"
            ),
            "has no quote",
        ),
    ],
)
def test_a_mistake_in_cases_is_refused_at_its_place(text: str, says: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        read_cases(text, "c.yaml")
    assert says in str(refused.value)
    assert str(refused.value).startswith("c.yaml:")


def test_sectors_stand_in_a_file_beside_the_policy(fuseboard: CommandLine) -> None:
    Path("p.yaml").write_text("sectors: s.csv")
    said = fuseboard.refused("policy", "check", "p.yaml")
    assert "s.csv' beside the policy cannot be read" in said
    Path("s.csv").write_text("AAPL,tech\n")
    assert "sectors                  1 symbols" in fuseboard("policy", "check", "p.yaml").out
    assert fuseboard.on_state("init", "--policy", "p.yaml").code == 0
    assert (fuseboard.state / "s.csv").read_text() == "AAPL,tech\n"
    Path("p.yaml").write_text("sectors: ../s.csv")
    assert "not the plain name of a file" in fuseboard.refused("policy", "check", "p.yaml")
