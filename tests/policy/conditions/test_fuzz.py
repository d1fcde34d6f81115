"""Generated conditions: none crashes, hangs or disagrees with an independent exact evaluator."""

from collections import Counter
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.policy.conditions import (
    Condition,
    ConditionRefused,
    Verdict,
    all_hold,
    condition_from_text,
    simple_bound,
)
from fuseboard.policy.conditions.tree import Node
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.measured import scale_of
from tests.policy.conditions.exact import COMPARED, fraction_of, verdict_of
from tests.policy.conditions.generated import text_for, value_for, value_of_fraction, values_for

EXPRESSIONS = 2_000
SOAK_PARTS = 50
"""`make soak` judges 50 parts of 2,000 expressions."""
MUTATIONS = 10_000


def outcome(text: str, *, order: bool = True) -> Condition | ConditionRefused:
    """The condition or its refusal; any other exception is a failure."""
    try:
        return condition_from_text(text, order=order)
    except ConditionRefused as refused:
        return refused


def read(text: str) -> Condition | None:
    """The condition, None when a constant zero divides or the text is too long: nothing else."""
    found = outcome(text)
    if isinstance(found, Condition):
        return found
    assert 0 <= found.offset <= len(text)
    known = ("is zero and divides", "longer than", "needs the name of a measure")
    assert any(words in str(found) for words in known), (text, str(found))
    return None


def agree(condition: Condition, text: str, random: Random, rounds: int) -> Counter[Verdict]:
    """Judge random values, both ways; the counts of the verdicts."""
    seen: Counter[Verdict] = Counter()
    for _ in range(rounds):
        values = values_for(random, condition.names)
        verdict = condition.judge(values)
        expected = verdict_of(text, dict(zip(condition.names, values, strict=True)))
        assert verdict is expected, (text, condition.names, values)
        seen[verdict] += 1
    return seen


def judge_part(part: int) -> None:
    random = Random(f"conditions {part}")
    seen: Counter[Verdict] = Counter()
    judged = 0
    for _ in range(EXPRESSIONS):
        text = text_for(random)
        condition = read(text)
        if condition is not None:
            judged += 1
            seen += agree(condition, text, random, 4)
    # The fuzz is worth something only when it reaches every verdict, often.
    assert judged > EXPRESSIONS * 8 // 10
    assert all(seen[verdict] > judged // 4 for verdict in Verdict), seen


@pytest.mark.no_cover
def test_generated_conditions_agree_with_the_independent_evaluator() -> None:
    judge_part(0)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(1, SOAK_PARTS + 1))
def test_100_000_generated_conditions_agree_with_the_independent_evaluator(part: int) -> None:
    judge_part(part)


@pytest.mark.no_cover
def test_conditions_judged_as_one_hold_where_each_of_them_holds() -> None:
    random = Random("as one")
    texts = [text for text in (text_for(random) for _ in range(600)) if read(text)]
    seen: Counter[bool] = Counter()
    for _ in range(600):
        conditions = [condition_from_text(text, order=True) for text in random.choices(texts, k=2)]
        names = tuple(dict.fromkeys(name for each in conditions for name in each.names))
        asked = dict(zip(names, values_for(random, names), strict=True))
        readers = {name: lambda asked, name=name: asked[name] for name in names}
        holds = all_hold([each.tree for each in conditions], readers)
        each_holds = [
            each.judge([asked[name] for name in each.names]) is Verdict.HOLDS for each in conditions
        ]
        assert holds(asked) is all(each_holds), [each.text for each in conditions]
        seen[holds(asked)] += 1
    assert seen[True] > 50
    assert seen[False] > 50


ALPHABET = "".join(map(chr, range(256))) + "<>=!()+-*/,.%0123456789ab \u0663\u2028\ud800\U0001f600"


@pytest.mark.no_cover
def test_mutated_texts_are_read_or_refused_and_nothing_else() -> None:
    random = Random("mutations")
    read_still = 0
    for _ in range(MUTATIONS):
        characters = list(text_for(random))
        for _ in range(random.randrange(1, 6)):
            place = random.randrange(len(characters) + 1)
            cut = random.choice((0, 0, 1, 1, 3))
            characters[place : place + cut] = random.choices(ALPHABET, k=random.randrange(3))
        text = "".join(characters)
        condition = outcome(text, order=random.random() < 0.5)
        if isinstance(condition, ConditionRefused):
            assert 0 <= condition.offset <= len(text)
            continue
        read_still += 1
        agree(condition, text, random, 1)
        assert condition_from_text(condition.text, order=True).text == condition.text
    assert read_still > MUTATIONS // 50


@pytest.mark.no_cover
@given(st.text(max_size=600) | st.binary(max_size=600).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    found = outcome(text)
    assert isinstance(found, Condition) or 0 <= found.offset <= len(text)


def without_offsets(node: Node) -> object:
    built = msgspec.to_builtins(node, enc_hook=str)
    stack = [built]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            one.pop("offset", None)
            stack += one.values()
        elif isinstance(one, (list, tuple)):
            stack += one
    return built


@given(st.randoms(use_true_random=False))
def test_the_canonical_text_reads_as_the_same_tree(random: Random) -> None:
    condition = read(text_for(random))
    if condition is None:
        return
    again = condition_from_text(condition.text, order=True)
    assert again.text == condition.text
    assert again.names == condition.names
    assert again.uses_equity is condition.uses_equity
    assert without_offsets(again.tree) == without_offsets(condition.tree)
    assert simple_bound(again) == simple_bound(condition)


@pytest.mark.no_cover
def test_a_simple_bound_says_what_its_condition_says() -> None:
    random = Random("bounds")
    bounds = 0
    for _ in range(5_000):
        text = f"{random.choice(list(MEASURES))} {random.choice(list(COMPARED))} "
        text += f"{random.randrange(-20, 20)} {random.choice('*/')} {random.randrange(1, 9)}"
        if random.random() < 0.5:
            name, sign, constant = text.split(" ", 2)
            text = f"({constant}) {sign} {name}"
        condition = outcome(text)
        if isinstance(condition, ConditionRefused):
            assert "has no unit" in str(condition)
            continue
        bound = simple_bound(condition)
        assert bound is not None
        name, sign, number = bound
        assert condition.names == (name,)
        bounds += 1
        least = Fraction(1, scale_of(name))
        near = [value_of_fraction(name, number + step * least) for step in (-1, 0, 1)]
        for value in (*near, value_for(random, name)):
            if value is not None:
                holds = COMPARED[sign](fraction_of(name, value), number)
                assert condition.judge([value]) is (Verdict.HOLDS if holds else Verdict.FAILS)
    assert bounds > 4_000
