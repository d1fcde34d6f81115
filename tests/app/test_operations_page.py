"""docs/operations.md shows what the commands say now, run here once more."""

from docs import make_operations


def test_the_page_is_not_stale() -> None:
    page = make_operations.PAGE.read_text()
    assert make_operations.drawn(page) == page, (
        "docs/operations.md is stale: run docs/make_operations.py"
    )


def test_what_differs_from_run_to_run_is_masked_and_nothing_else() -> None:
    masked = make_operations.masked
    assert (
        masked("whole step of a quote p50 9.4 µs, p99 1,015 µs\n")
        == "whole step of a quote p50 … µs, p99 … µs\n"
    )
    assert masked("equity $94,900.00, drawdown 5.10%\n") == "equity $94,900.00, drawdown 5.10%\n"
    assert masked("12,345 records durable\n") == "… records durable\n"
    line = f"│ evaluation p99  123.4 µs{' ' * 53}│"
    assert len(masked(line)) == make_operations.COLUMNS + 1
