"""Realised volatility of the last minute: the root of the sum of squared moves of the middle.

(Andersen, Bollerslev, "Answering the Skeptics", 1998.) Reported, and no part of the score.
"""

from typing import Final

from fuseboard.vocabulary.money import NANOS

BUCKETS: Final = 30
BUCKET_NS: Final = 2 * NANOS


def squared_move(before: int, after: int) -> int:
    """The square of a move as a fraction, in square nano-units; the move is rounded up."""
    move_nanos = -(-abs(after - before) * NANOS // before)
    return move_nanos * move_nanos


def root(square: int) -> int:
    """The whole root of a number, rounded up: Newton's method from above, at most 100 steps."""
    if square <= 0:
        return 0
    guess = 1 << (square.bit_length() + 1) // 2
    for _ in range(100):
        lower = (guess + square // guess) // 2
        if lower >= guess:
            break
        guess = lower
    return guess if guess * guess == square else guess + 1
