"""A policy to begin with: every key, its default, and what it is for."""


def default_policy_text() -> str:
    """A commented YAML policy; what is written in it equals the defaults."""
    return _TEXT


_TEXT = """\
# A Fuseboard policy. Percents are written 5% or 0.05, money 100000 or 100000 USD,
# durations 500ms, 30s, 5m, 2h or 1d. What is left out has the value shown here.
name: default

# Who may trade, and the capital that each one's own drawdown is measured on.
# Without this section any strategy with a key may trade.
# strategies:
#   - name: dip-buyer
#     capital: 100000 USD
#     drawdown: {warning: 3%, hard: 5%, action: halt_new_trades}

risk:
  limits:
    # One order: at most this many units, and at most this much money.
    max_order_quantity: 10000
    max_order_value: 100000 USD
    # How far a limit price may be beyond the other side of the quote.
    price_collar: 5%
    # More orders than this in the time named are denied.
    order_rate: 100/s
    max_working_orders: 20000
    # One symbol's position, working orders counted: as a part of equity, as an amount, or both.
    # max_position: 20%
    # max_position_value: 50000 USD
    # The sum of all positions, long and short, working orders counted, as a part of equity.
    gross_exposure: 100%

safety:
  loss_limits:
    # How far equity may fall from its highest mark of the session.
    drawdown:
      # warning: 3%          # new risk is cut from here ...
      # warning_clear: 1.8%  # ... until the loss is back under this (three fifths of the warning)
      hard: 5%
      # flatten_positions closes everything, once; halt_new_trades cancels and closes nothing.
      action: [flatten_positions, notify_admin]
      cooldown: 5m
      # A breach that is neither confirmed nor withdrawn in this time asks for reduce-only.
      confirm_within: 1s
      resets_a_day: 3
      trips_a_day: 5

data:
  validation:
    # Quotes with a wider spread, or older, are not priced by.
    max_spread: 1%
    max_age: 2m
    # A price that moves further in one step waits for a second one that agrees.
    price_change_limit: 10%
    # How far our equity may differ from the broker's without an explanation.
    equity_jump_limit: 1%

execution:
  # The broker's request budget, and the share of it that only protection may use.
  requests_per_minute: 200
  protected_share: 25%
  # A close may trade this far beyond the quote; each further attempt doubles it.
  close_collar: 1%
  close_wait: 2s
  close_attempts: 6
  cancel_wait: 2s
  # How long "not found" counts as still on its way to the broker.
  absent_after: 5s
"""
