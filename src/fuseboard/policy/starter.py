"""A policy to begin with: every key, its default, and what it is for."""


def default_policy_text() -> str:
    """A commented YAML policy; what is written in it equals the defaults."""
    return _TEXT


_TEXT = """\
# A Fuseboard policy. Percents are written 5% or 0.05, money 100000 or 100000 USD,
# durations 500ms, 30s, 5m, 2h or 1d. What is left out has the value shown here; what is commented
# out is not set. `fuseboard policy explain FILE KEY` says what a key means.
name: default

# Who may trade, and the capital that each one's own losses are measured on.
# Without this section any strategy with a key may trade.
# strategies:
#   - name: dip-buyer
#     capital: 100000 USD
#     trader: ann          # tags, so that a trader, a desk or a client can be halted as one
#     desk: equities
#     client: house
#     symbols: [AAPL, MSFT]
#     losses:
#       drawdown: {warning: 3%, hard: 5%, action: halt_new_trades}

session:
  # An exchange's calendar, or 24/7 with the time of day at which its day rolls.
  calendar: XNYS
  # roll and zone are for 24/7 only, such as 17:00 and America/New_York.
  extended_hours: false

# Symbols that may only be reduced.
# restricted: [GME]

# Which sector a symbol is in, for max_sector; or the name of a file beside this one.
# sectors: {tech: [AAPL, MSFT]}

risk:
  limits:
    # One order, at most this many units, and at most this much money.
    max_order_quantity: 10000
    max_order_value: 100000 USD
    # The largest part of the average daily volume that one order may be.
    # max_order_adv: 1%
    # How far a limit price may be beyond the other side of the quote.
    price_collar: 5%
    # Nothing that trades under this price is opened.
    # price_floor: 1 USD
    # A strategy that asks for more orders than this in the time named is denied, and killed.
    order_rate: 100/s
    order_rate_kills: true
    # Orders, replacements and cancels together; cancels count and always pass.
    # message_rate: 200/s
    # max_daily_orders: 5000
    # So many executions of one symbol and side disable the strategy until a person re-arms it.
    # repeated_executions: 50/m
    # An order equal to one of the strategy's in this time is denied.
    # duplicate_window: 1s
    max_working_orders: 20000
    # One symbol's position, working orders counted, as a part of equity, as an amount, or both.
    # max_position: 20%
    # max_position_value: 50000 USD
    # One sector's positions as a part of equity, and how many symbols may be held.
    # max_sector: 40%
    # max_positions: 30
    # The sum of all positions, long and short, working orders counted, as a part of equity.
    gross_exposure: 100%
    # The signed sum, from net short to net long, as a part of equity.
    # net_exposure: [-20%, 100%]
    # max_leverage: 1.5
    # The least equity as a part of all positions that an order may leave.
    # min_maintenance_margin: 30%
  # Limits that tighten while a condition holds or is unknown.
  # dynamic_limits:
  #   - condition: monthly_pnl < -0.05
  #     action: {max_position: 2%}
  #     clear_after: 1m

safety:
  # pre_trade_checks:
  #   checks:
  #     - {name: not a penny stock, condition: price > 1.0, message: too cheap}
  loss_limits:
    # How far equity may fall from its highest mark of the session.
    drawdown:
      # warning: 3%          # new risk is cut from here ...
      # warning_clear: 1.8%  # ... until the loss is back under this (three fifths of the warning)
      hard: 5%
      # flatten_positions closes everything, once. halt_new_trades closes nothing and lets nothing
      # pass but cancels, not even a reduction (stops that already work stay); reduce_only lets
      # exits pass.
      action: [flatten_positions, notify_admin]
      # A named person lifts it; with next_trading_day also the open of the next trading day.
      reset: manual
      cooldown: 5m
      # A breach that is neither confirmed nor withdrawn in this time asks for reduce-only.
      confirm_within: 1s
      resets_a_day: 3
      trips_a_day: 5
    # Losses from the opening of the session, the week and the month.
    # daily: {hard: 3%, action: halt_new_trades, reset: next_trading_day}
    # weekly: {hard: 6%}
    # monthly: {hard: 10%}
    # The fall from the highest equity of the last sessions.
    # rolling: {days: 30, hard: 8%}
  # circuit_breakers:
  #   - name: losing streak
  #     condition: consecutive_losses >= 8
  #     action: halt
  #     scope: strategy:*
  market_circuit_breakers:
    # A halt of the exchange pauses us; its resumption plus the delay resumes.
    enabled: true
    resume_delay: 5m
    # For people; the exchange's own halts count, at whatever fall of the index it calls them.
    # levels: [7%, 13%, 20%]
    symbol_halts: true
  kill_switch:
    enabled: true
    methods: [cli, api, file, signal, watchdog]
    watchdog: 10s
    # A stop by a signal: cancel what works, flatten (close everything too), or leave it.
    drain: cancel
  # Off unless it is written: a strategy that is gone for so long has its orders cancelled, but for
  # reduce-only stops. Not for a bot that is away on purpose and leaves its orders.
  # cancel_on_disconnect:
  #   after: 10s
  #   connected_by: stream   # its trade_updates stream; or requests, or process

data:
  validation:
    # Quotes with a wider spread, or older, or longer on their way, are not priced by.
    max_spread: 1%
    max_age: 2m
    max_arrival: 1s
    # A feed that says nothing at all for this long is dead.
    heartbeat: 5s
    stale_action: deny
    # How many of the watched symbols must have good quotes.
    # min_assets: 10
    missing_action: deny
    # A price that moves further in one step waits for a second one that agrees.
    price_change_limit: 10%
    price_check_action: exclude
    # How far our equity may differ from the broker's without an explanation.
    equity_jump_limit: 1%
  # anomaly_detection:
  #   price_change: 5 sigma
  #   volume_spike: 10x
  #   gaps: 1m

execution:
  # The broker's request budget, and the share of it that only protection may use.
  requests_per_minute: 200
  protected_share: 25%
  # A close may trade this far beyond the quote; each that takes nothing doubles it, up to the most.
  close_collar: 1%
  close_collar_max: 10%
  close_wait: 2s
  # So long the market is asked again; so many closes in a row may go wrong at the broker.
  close_within: 30m
  close_attempts: 6
  cancel_wait: 2s
  # How long "not found" counts as still on its way to the broker.
  absent_after: 5s
  # A strategy's order that works for longer is cancelled; stops wait for their price.
  # order_settings: {timeout: 30s}
  reconciliation:
    # How often orders, positions, cash and fills are compared with the broker's.
    every: 30s
    # What a difference that nothing explains does: notify, reduce_only or halt.
    mismatch_action: halt
    # Working orders that were not placed through the gateway: leave, cancel, or adopt (count them,
    # book what they fill, and let a halt cancel them).
    foreign_orders: leave
    # Whether our book takes the broker's positions by itself; else a person's reset does.
    auto_correct: false

resets:
  # Resets of one latch in 24 hours; one more is refused until the first is a day old.
  resets_a_day: 3
  # Whether a kill is left by two different people; with two_persons_always, any halt.
  # Two are two keys of `fuseboard operators`, or a key and the unix user of the state.
  two_persons: false
  two_persons_always: false
  second_person_within: 1h

overrides:
  # How long an exception for one order waits for its order.
  expire_after: 5m
"""
