"""From tokens to a tree. Precedence, loosest first: or, and, not, comparison, `+ -`, `* /`, `-`.

Recursive descent; only parentheses, calls, `not` and a leading `-` nest, at most `DEPTH_MAX` deep.
"""

import difflib

from fuseboard.policy.conditions.tokens import COMPARISONS, Token, tokens_of
from fuseboard.policy.conditions.tree import (
    Call,
    Comparison,
    ConditionRefused,
    Joined,
    Name,
    Negative,
    Node,
    Not,
    Product,
    Sum,
)
from fuseboard.vocabulary.catalogue import ALIASES, MEASURES, Place

TEXT_CHARACTERS_MAX = 500
DEPTH_MAX = 32
ARGUMENTS_MIN = {"abs": 1, "min": 2, "max": 2}
_WORDS = ("and", "or", "not")
_OPERAND = "a name, a number or `(`"


def tree_from_text(text: str, *, order: bool) -> Node:
    """The tree of a whole text; raises `ConditionRefused`. Units are not checked yet."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ConditionRefused(
            TEXT_CHARACTERS_MAX, f"longer than {TEXT_CHARACTERS_MAX} characters: split it up"
        )
    parser = _Parser(tokens_of(text), order=order)
    tree = parser.whole()
    parser.expect_end()
    return tree


class _Parser:
    """One pass over the tokens of one text."""

    def __init__(self, tokens: list[Token], *, order: bool) -> None:
        self.tokens = tokens
        self.order = order
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def taken(self, *texts: str) -> Token | None:
        """The next token when it is one of these; it is used up."""
        token = self.token
        if token.text not in texts:
            return None
        self.at += 1
        return token

    def refuse(self, expected: str) -> ConditionRefused:
        return ConditionRefused(
            self.token.offset, f"expected {expected}, found {self.token.shown()}"
        )

    def expect_end(self) -> None:
        if self.token.text:
            raise self.refuse("a comparison, `and`, `or`, `+ - * /` or the end")

    def nest(self, offset: int) -> None:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise ConditionRefused(offset, f"nested deeper than {DEPTH_MAX}: split it up")

    def whole(self) -> Node:
        return self.joined("or")

    def joined(self, word: str) -> Node:
        offset = self.token.offset
        parts: list[Node] = []
        while True:
            part = self.joined("and") if word == "or" else self.negation()
            parts += part.parts if isinstance(part, Joined) and part.word == word else [part]
            if self.taken(word) is None:
                break
        return parts[0] if len(parts) == 1 else Joined(offset, word, tuple(parts))

    def negation(self) -> Node:
        if (sign := self.taken("not")) is None:
            return self.comparison()
        self.nest(sign.offset)
        operand = self.negation()
        self.depth -= 1
        return Not(sign.offset, operand)

    def comparison(self) -> Node:
        offset = self.token.offset
        first = self.sum()
        rest: list[tuple[str, Node]] = []
        while (sign := self.taken(*COMPARISONS)) is not None:
            rest.append((sign.text, self.sum()))
        return Comparison(offset, first, tuple(rest)) if rest else first

    def sum(self) -> Node:
        offset = self.token.offset
        first = self.product()
        terms: list[tuple[str, Node]] = [("+", first)]
        if isinstance(first, Sum):
            terms = [*first.terms]
        while (sign := self.taken("+", "-")) is not None:
            terms.append((sign.text, self.product()))
        return Sum(offset, tuple(terms)) if len(terms) > 1 else first

    def product(self) -> Node:
        offset = self.token.offset
        first = self.unary()
        factors: list[tuple[str, Node]] = [("*", first)]
        if isinstance(first, Product):
            factors = [*first.factors]
        while (sign := self.taken("*", "/")) is not None:
            factors.append((sign.text, self.unary()))
        return Product(offset, tuple(factors)) if len(factors) > 1 else first

    def unary(self) -> Node:
        if (sign := self.taken("-")) is None:
            return self.atom()
        self.nest(sign.offset)
        operand = self.unary()
        self.depth -= 1
        return Negative(sign.offset, operand)

    def atom(self) -> Node:
        token = self.token
        if token.number is not None:
            self.at += 1
            return token.number
        if self.taken("(") is not None:
            self.nest(token.offset)
            inner = self.whole()
            if self.taken(")") is None:
                raise self.refuse(f"`)` for the `(` at {token.offset + 1}")
            self.depth -= 1
            return inner
        if token.text in _WORDS or not token.text.isidentifier():
            raise self.refuse(_OPERAND)
        self.at += 1
        return self.call(token) if token.text in ARGUMENTS_MIN else self.name(token)

    def call(self, token: Token) -> Node:
        if self.taken("(") is None:
            raise self.refuse(f"`(` after `{token.text}`")
        self.nest(token.offset)
        arguments = [self.whole()]
        while self.taken(",") is not None:
            arguments.append(self.whole())
        if self.taken(")") is None:
            raise self.refuse(f"`,` or `)` in `{token.text}(`")
        self.depth -= 1
        least = ARGUMENTS_MIN[token.text]
        if len(arguments) < least or (token.text == "abs" and len(arguments) > 1):
            wanted = "one number" if token.text == "abs" else "two numbers or more"
            raise ConditionRefused(
                token.offset, f"`{token.text}` takes {wanted}, found {len(arguments)}"
            )
        return Call(token.offset, token.text, tuple(arguments))

    def name(self, token: Token) -> Node:
        word = token.text
        if self.token.text == "(":
            raise ConditionRefused(
                token.offset, f"`{word[:40]}` cannot be called: only `abs`, `min` and `max` can"
            )
        measure = MEASURES.get(ALIASES.get(word, word))
        if measure is None:
            raise ConditionRefused(
                token.offset, f"`{word[:40]}` is not a name; {self.nearest(word)}"
            )
        if measure.place is Place.ORDER and not self.order:
            raise ConditionRefused(
                token.offset,
                f"`{word}` is known only in the checks of an order; {self.nearest(word)}",
            )
        return Name(token.offset, measure.name)

    def nearest(self, word: str) -> str:
        """A known name that may have been meant, else where all are listed."""
        known = [
            name
            for name in (*MEASURES, *ALIASES)
            if self.order or MEASURES[ALIASES.get(name, name)].place is Place.STATE
        ]
        near = difflib.get_close_matches(word[:40].lower(), known, n=1)
        return f"did you mean `{near[0]}`?" if near else "docs/measures.md lists all names"
