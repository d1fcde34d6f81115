"""Writes docs/measures.md from the catalogue of measures: `make docs`."""

from pathlib import Path

from fuseboard.vocabulary.catalogue import ALIASES, CATALOGUE, Measure, Place
from fuseboard.vocabulary.ranges import shown_range

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "measures.md"
_PERIODS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
HEAD = """\
# Measures

<!-- Written by docs/make_measures.py from the code; do not edit. -->

The names that a condition of a policy may use, such as `order_size < avg_daily_volume * 1%` or
`daily_pnl < -0.03 and positions > 5`.

- Written: names, numbers, `< <= > >= == !=` (chained too: `0 < spread < 1%`), `and or not`,
  `+ - * /`, parentheses, `abs(a)`, `min(a, b)`, `max(a, b)`. Nothing else.
- A bare number takes the unit of the other side: `price > 1.0`, `daily_pnl < -0.03`,
  `positions > 5`.
  `5%` is a fraction, `100000 USD` is money, `500ms 30s 5m 2h 1d` are durations; a duration is
  always written with its unit.
- Units multiply and divide as in physics (a price times a quantity is money, money over money is a
  fraction); adding or comparing different ones is refused. So is a comparison that always or never
  holds by the ranges below, and a bare number that only a loss of more than all there was passes:
  `drawdown > 5` is 500%, meant was `5%`.
- A loss has no end: `drawdown` is more than 100% and `daily_pnl` under -100% where more than all
  was lost, of a strategy's declared capital or of an account that is short. Such a bound is written
  in percent: `daily_pnl < -100%`.
- On `symbol:NAME`, profit and loss are parts of the account's equity at the session's opening: a
  symbol has no capital of its own ([fuses.md](fuses.md)).
- A measure that is missing, warming up or too old, and a division by zero, make the comparison
  **unknown**: `false and unknown` is false, `true or unknown` is true, all else stays unknown.
  Unknown denies new risk and alerts; it never flattens or kills.
- Everything is exact, quotients (`daily_pnl`, `drawdown`, `gross_exposure`, `spread` ...) too: no
  division is carried out, and `drawdown >= 5%` holds from 5 % on and at nothing less. Rounded, to
  10^-9, is what `sharpe` is in arithmetic: it is a root, which compares with a number of nine
  decimals exactly, and stands half way between two of them otherwise. Rounded before, against the
  trader, are a peak and an opening equity when cash moves (up, to 10^-18), what a fill scores for
  `fill_quality` and each session's return for `sharpe` (down). One number is rounded for the
  trader: a mark, the middle of bid and ask, is cut to a whole nano, so that a short position counts
  for up to half a nano a unit (5 * 10^-10 USD a share) too much; a long one for as much too little.
  `liquidity_score` and what is reported have nine decimals. What people are shown is rounded half
  up, to 10^-9, or with as many more decimals as it takes to say what was judged (`spread =
  0.0002000001` where 0.0002 passes).
- A breach over a measure **of marks** is confirmed by two marks before it trips anything.
- What somebody else reports (`vix`, `maintenance_margin`, `buying_power`; for `liquidity_score` and
  `liquidity_tier` each quote or book) closes positions or kills only when the report before says so
  too: silence is none. Until then the scope only reduces once `confirm_within` has passed. To halt,
  one report is enough; of liquidity, so is silence.
"""


def _age(measure: Measure) -> str:
    if measure.age_ns_max is None:
        return "-"
    seconds = measure.age_ns_max // 1_000_000_000
    for name, length in _PERIODS:
        if seconds % length == 0:
            return f"{seconds // length} {name}"
    raise AssertionError(f"{measure.name} ages in parts of a second")


def _row(measure: Measure) -> str:
    others = [alias for alias, name in ALIASES.items() if name == measure.name]
    names = ", ".join([f"`{measure.name}`", *(f"also `{alias}`" for alias in others)])
    marks = "yes" if measure.equity else "-"
    unit = ", ".join(filter(None, [measure.unit.value, shown_range(measure.name)]))
    cells = [names, unit, measure.about, measure.source, measure.warm_up]
    scopes = ", ".join(measure.scopes) if measure.place is Place.STATE else "-"
    return "| " + " | ".join([*cells, _age(measure), marks, scopes]) + " |"


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for place, heading in (
        (Place.ORDER, "Only in the checks of an order"),
        (Place.STATE, "Everywhere"),
    ):
        lines += [
            f"## {heading}",
            "",
            "| name | unit, range | what it is | fed by | warm-up | max age | of marks | scopes |",
            "|---|---|---|---|---|---|---|---|",
            *(_row(measure) for measure in CATALOGUE if measure.place is place),
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
