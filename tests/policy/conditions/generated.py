"""Random conditions whose units fit, written carelessly, and random values for their names."""

import re
from fractions import Fraction
from random import Random

from fuseboard.vocabulary.catalogue import ALIASES, CATALOGUE, MEASURES, SCALE, Unit
from fuseboard.vocabulary.measured import QUOTIENTS, Value, scale_of

NANOS = 10**9
BY_UNIT = {
    unit: [measure.name for measure in CATALOGUE if measure.unit is unit]
    + [alias for alias, name in ALIASES.items() if MEASURES[name].unit is unit]
    for unit in Unit
}
UNITS = list(Unit)
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
NUMBERS = ("0", "1", "2", "3", "5", "0.5", "0.1", "007", "0.000000001", "999999999999999")
DURATIONS = ("0", "0s", "1s", "2s", "500ms", "3m", "2h", "1d", "999999999d")


class Writer:
    """Writes one condition with the dice it is given; at most about `size` names and numbers."""

    def __init__(self, random: Random, size: int) -> None:
        self.random = random
        self.left = size

    def condition(self, depth: int = 3) -> str:
        kind = self.random.randrange(8)
        if depth == 0 or self.left < 4 or kind < 3:
            return self.comparison()
        if kind == 3:
            return f"not{self.gap(1)}{self.bracketed(self.condition(depth - 1))}"
        word = self.random.choice(("and", "or"))
        parts = [self.condition(depth - 1) for _ in range(self.random.choice((2, 2, 3)))]
        if self.random.random() < 0.5:
            parts = [self.bracketed(part) for part in parts]
        return f"{self.gap(1)}{word}{self.gap(1)}".join(parts)

    def comparison(self) -> str:
        unit = self.random.choice(UNITS)
        text = self.number(unit, 3)
        for _ in range(self.random.choice((1, 1, 1, 2))):
            operator = self.random.choice(COMPARISONS)
            text += f"{self.gap()}{operator}{self.gap()}{self.number(unit, 3)}"
        return text

    def number(self, unit: Unit, depth: int) -> str:
        self.left -= 1
        kind = self.random.randrange(14)
        if depth == 0 or self.left <= 0 or kind < 4:
            return self.atom(unit)
        deeper = depth - 1
        if kind < 7:
            sign = self.random.choice("+-")
            other = self.number(unit, deeper)
            if self.random.random() < 0.5:
                other = self.bracketed(other)
            return f"{self.number(unit, deeper)}{self.gap()}{sign}{self.gap()}{other}"
        if kind == 7:
            return f"-{self.gap()}{self.factor(unit, deeper)}"
        if kind == 8:
            return f"abs{self.gap()}{self.bracketed(self.number(unit, deeper))}"
        if kind == 9:
            parts = [self.number(unit, deeper) for _ in range(self.random.choice((2, 2, 3)))]
            return (
                f"{self.random.choice(('min', 'max'))}({self.gap()}{f'{self.gap()},'.join(parts)})"
            )
        return self.product(unit, deeper)

    def product(self, unit: Unit, depth: int) -> str:
        """Something times or over something whose units come out as asked for."""
        choices = [
            ("*", self.factor(unit, depth), self.literal()),
            ("*", self.literal(), self.factor(unit, depth)),
            ("/", self.factor(unit, depth), self.literal()),
            ("*", self.typed(unit, depth), self.typed(Unit.FRACTION, depth)),
            ("/", self.typed(unit, depth), self.typed(Unit.FRACTION, depth)),
        ]
        crossed = {
            Unit.MONEY: ("*", Unit.PRICE, Unit.QUANTITY),
            Unit.PRICE: ("/", Unit.MONEY, Unit.QUANTITY),
            Unit.QUANTITY: ("/", Unit.MONEY, Unit.PRICE),
        }
        other = self.random.choice(UNITS)
        sign, left, right = crossed.get(unit, ("/", other, other))
        if unit in crossed or unit is Unit.FRACTION:
            choices += [(sign, self.typed(left, depth), self.typed(right, depth))] * 5
        sign, one, two = self.random.choice(choices)
        return f"{one}{self.gap()}{sign}{self.gap()}{two}"

    def factor(self, unit: Unit, depth: int) -> str:
        text = self.number(unit, depth)
        return text if text.replace("_", "").isalnum() else self.bracketed(text)

    def typed(self, unit: Unit, depth: int) -> str:
        """A factor that has its unit itself: a bare number would take that of the other factor."""
        text = self.factor(unit, depth)
        bare = re.sub("abs|min|max", "", text)
        if "%" in bare or any(map(str.isalpha, bare)):
            return text
        return self.random.choice(BY_UNIT[unit])

    def atom(self, unit: Unit) -> str:
        if self.random.random() < 0.7:
            return self.random.choice(BY_UNIT[unit])
        if unit is Unit.DURATION:
            return self.random.choice(DURATIONS)
        if unit is Unit.FRACTION and self.random.random() < 0.5:
            return f"{self.literal()}{self.gap()}%"
        if unit is Unit.MONEY and self.random.random() < 0.5:
            return f"{self.literal()}{self.gap()}USD"
        return self.literal()

    def literal(self) -> str:
        return self.random.choice(NUMBERS)

    def bracketed(self, text: str) -> str:
        return f"({self.gap()}{text}{self.gap()})"

    def gap(self, least: int = 0) -> str:
        return self.random.choice(("", "", " ", "  ", "\n", "\t"))[:2] or " " * least


def text_for(random: Random) -> str:
    """A condition of random size."""
    return Writer(random, random.choice((3, 6, 12, 30))).condition()


def value_of_fraction(name: str, number: Fraction) -> Value:
    """The value of a measure nearest below a number of whole units; of a quotient it is exact."""
    if name in QUOTIENTS:
        return number.numerator, number.denominator
    return number.numerator * scale_of(name) // number.denominator


def value_in_unit(name: str, value: int | None) -> Value:
    """A value that is written in the integers of its unit."""
    if value is None:
        return None
    return value_of_fraction(name, Fraction(value, SCALE[MEASURES[name].unit]))


def value_for(random: Random, name: str) -> Value:
    """A value of a measure: often none, zero, or one that meets another exactly."""
    if random.random() < 0.1:
        return None
    if name not in QUOTIENTS:
        return integer_for(random, scale_of(name))
    below = random.choice((1, 2, 3, NANOS, random.randrange(1, 10**24)))
    if random.random() < 0.5:
        return random.randrange(-3, 4) * below, below
    return integer_for(random, below), below


def integer_for(random: Random, one: int) -> int:
    """An integer of a scale where so many make one."""
    kind = random.randrange(1, 10)
    if kind == 1:
        return 0
    if kind < 6:
        return random.randrange(-3, 4) * one
    if kind == 6:
        return random.randrange(-2, 3)
    if kind == 7:
        return random.randrange(-(10**24), 10**24)
    return random.randrange(-10 * one, 10 * one + 1)


def values_for(random: Random, names: tuple[str, ...]) -> list[Value]:
    """Values for names, in their order; in half of the cases none is missing."""
    values = [value_for(random, name) for name in names]
    if random.random() < 0.5:
        pairs = zip(names, values, strict=True)
        values = [value_in_unit(name, 1) if value is None else value for name, value in pairs]
    return values
