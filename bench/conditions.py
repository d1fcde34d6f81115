"""Conditions of a policy, compiled, against the same trees walked with Fractions.

    python bench/conditions.py

Both judge the same random values, and must agree on each. The peer, in the same run, is the
evaluator as it is usually written: one recursive function over the tree, exact by `Fraction`.
"""

import gc
import operator
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from random import Random

from fuseboard.policy.conditions import Condition, Verdict, condition_from_text
from fuseboard.policy.conditions.tree import (
    Call,
    Comparison,
    Joined,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Product,
    Sum,
)
from fuseboard.vocabulary.measured import QUOTIENTS, scale_of

ROUNDS = 9
JUDGED = 20_000
WALKED = 2_000
NANOS = 10**9
TEXTS = (
    "price > 1.0",
    "order_size < avg_daily_volume * 0.01",
    "abs(order_price - last_price) / last_price < 0.05",
    "daily_pnl < -0.03 and consecutive_losses > 5 or drawdown > 5%",
    "0 < ask - bid < min(bid, ask) * 1% and order_value / equity <= 10% and not data_age > 5s",
)
COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
Known = int | tuple[int, int]
Values = dict[str, Known]


def truth(node: Node, values: Values) -> bool:
    match node:
        case Joined():
            parts = [truth(part, values) for part in node.parts]
            return all(parts) if node.word == "and" else any(parts)
        case Not():
            return not truth(node.operand, values)
        case Comparison():
            pairs = [(number(a, values), sign, number(b, values)) for a, sign, b in node.pairs()]
            return all(COMPARED[sign](a, b) for a, sign, b in pairs)
    raise AssertionError(node)


def number(node: Node, values: Values) -> Fraction:
    match node:
        case Number():
            return node.value
        case Name():
            known = values[node.name]
            if isinstance(known, tuple):
                return Fraction(*known)
            return Fraction(known, scale_of(node.name))
        case Negative():
            return -number(node.operand, values)
        case Sum():
            terms = [(sign, number(term, values)) for sign, term in node.terms]
            return sum((-value if sign == "-" else value for sign, value in terms), Fraction())
        case Product():
            product = Fraction(1)
            for sign, factor in node.factors:
                value = number(factor, values)
                product = product / value if sign == "/" else product * value
            return product
        case Call():
            numbers = [number(argument, values) for argument in node.arguments]
            if node.function == "abs":
                return abs(numbers[0])
            return min(numbers) if node.function == "min" else max(numbers)
    raise AssertionError(node)


def samples(condition: Condition) -> list[list[Known]]:
    """Values a market may have: amounts above zero, with all their decimals."""
    random = Random(condition.text)

    def sample(name: str) -> Known:
        if name in QUOTIENTS:
            return random.randrange(1, 10**24), 10**23
        return random.randrange(1, 1_000 * scale_of(name))

    return [[sample(name) for name in condition.names] for _ in range(WALKED)]


def per_call_ns(
    judge: Callable[[list[Known]], object], rows: list[list[Known]], times: int
) -> float:
    clock = time.perf_counter_ns
    began = clock()
    for _ in range(times):
        for row in rows:
            judge(row)
    return (clock() - began) / (times * len(rows))


def measured(text: str) -> None:
    condition = condition_from_text(text, order=True)
    rows = samples(condition)
    names = condition.names

    def walk(row: list[Known]) -> bool:
        return truth(condition.tree, dict(zip(names, row, strict=True)))

    for row in rows:
        expected = Verdict.HOLDS if walk(row) else Verdict.FAILS
        assert condition.judge(row) is expected
    missing: list[int | None] = [None] * len(names)
    assert condition.judge(missing) is Verdict.UNKNOWN
    ours, walked = [], []
    for _ in range(ROUNDS):
        ours.append(per_call_ns(condition.judge, rows, JUDGED // WALKED))
        walked.append(per_call_ns(walk, rows, 1))
    ratios = [peer / own for peer, own in zip(walked, ours, strict=True)]
    began = time.perf_counter_ns()
    for _ in range(20):
        condition_from_text(text, order=True)
    read_us = (time.perf_counter_ns() - began) // 20_000
    print(
        f"{statistics.median(ours):>5,.0f} ns [{min(ours):,.0f}..{max(ours):,.0f}]"
        f"  walked {statistics.median(walked):>7,.0f} ns"
        f"  {statistics.median(ratios):>4.0f} x [{min(ratios):.0f}..{max(ratios):.0f}]"
        f"  read once in {read_us:>4,} us  {text}"
    )


def main() -> None:
    gc.collect()
    gc.freeze()
    gc.disable()
    for text in TEXTS:
        measured(text)
    print(f"{ROUNDS} rounds; {WALKED:,} rows of values, agreed on by both; the loop included")
    gc.enable()
    gc.unfreeze()


if __name__ == "__main__":
    main()
