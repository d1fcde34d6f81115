"""Sections around trading: order settings, slippage, reconciliation, monitoring, alerts, records.

They are validated in full here and kept in `Policy.later` until the part that honours them reads
them from there; `fuseboard policy check` lists them as not yet enforced.
"""

from typing import Final

from fuseboard.policy import sections_data as data
from fuseboard.policy import sections_reconciliation as reconciliation
from fuseboard.policy import unit_table as unit
from fuseboard.policy.shapes import Either, Items, Section, Shape, Unit, Value

SEVERITY: Final = unit.words(
    "info", "warning", "page", synonyms={"critical": "page", "error": "page", "high": "page"}
)
PORT: Final = unit.whole(0, 65_535)
WORDS: Final = ("hourly", "daily", "weekly", "monthly")
HOW_OFTEN: Final = "a duration such as `5m`, or hourly, daily, weekly, monthly"
EVERY: Final = Value(
    unit.every(HOW_OFTEN, {word: word for word in WORDS}),
    (),
    "How often.",
    aliases=("interval", "frequency", "schedule"),
)
RETENTION: Final = Value(
    Unit(
        "days or years: `90d`, `7y`, or a number of days",
        lambda text: unit.whole(1, 36_500).read(
            str(int(text[:-1]) * 365)
            if text[:-1].isdecimal() and text[-1:] == "y" and len(text) < 4
            else text.removesuffix("d")
        ),
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]{1,5}[dy]?$"},
            ]
        },
        kind="days",
    ),
    (),
    "How long it is kept.",
    aliases=("retention_days", "keep_for"),
)


def _value(kind: Unit, about: str, *aliases: str) -> Value:
    return Value(kind, (), about, aliases=aliases)


def _flag(about: str, *aliases: str) -> Value:
    return _value(unit.FLAG, about, *aliases)


ORDER_SETTINGS: Final = Section(
    {
        "default_type": _value(
            unit.words("limit", "market", "marketable_limit"),
            "The order type where a strategy names none.",
            "default",
            "default_order_type",
            "order_type",
        ),
        "limit_offset_bps": _value(unit.BPS, "How far from the quote a limit price is put."),
        **data.ORDER_TIMEOUT,
        "timeout_action": Value(
            unit.words("cancel", "reprice", "market", synonyms={"cancel_and_replace": "reprice"}),
            (),
            "What happens to it then. It is cancelled; what else is asked for is not done yet.",
            "order timeout",
            default="cancel",
        ),
        "max_retries": _value(unit.whole(0, 100), "How often it is tried again.", "retries"),
        "time_in_force": _value(unit.words("day", "gtc", "ioc", "fok"), "How long it is good."),
    },
    "How a strategy's orders are worked.",
)
SLIPPAGE: Final = Section(
    {
        "model": _value(
            unit.words("fixed", "spread", "volume", "square_root", "none"),
            "How expected slippage is estimated.",
        ),
        "expected_bps": _value(unit.BPS, "What is expected.", "fixed_bps", "base_bps"),
        **data.ALLOWED_SLIPPAGE,
        "alert_bps": _value(unit.BPS, "From where people are told.", "alert_threshold_bps"),
        "measure_against": _value(
            unit.words("arrival", "quote", "middle", "vwap", synonyms={"mid": "middle"}),
            "What a fill is compared with.",
            "benchmark",
        ),
        "action": _value(reconciliation.MISMATCH, "What too much does."),
        "window": _value(unit.COUNT, "Over how many fills."),
    },
    "How far fills may be from what was expected.",
)
RECONCILIATION: Final = Section(reconciliation.RECONCILIATION, "Our book against the broker's.")
MONITORING: Final = Section(
    {
        "enabled": _flag("Whether measurements are published."),
        "every": EVERY,
        "host": _value(unit.TEXT, "Where they are served.", "bind"),
        "port": _value(PORT, "On which port.", "metrics_port", "prometheus_port"),
        "path": _value(unit.TEXT, "Under which path."),
        "metrics": Either(
            "names of metrics, or keys such as `port: 9100`",
            items=Items(Value(unit.NAME), "names", 200),
            keys=Section(
                {
                    "enabled": _flag("Whether they are served."),
                    "host": _value(unit.TEXT, "Where."),
                    "port": _value(PORT, "On which port."),
                    "path": _value(unit.TEXT, "Under which path."),
                    "prefix": _value(unit.NAME, "What every name begins with.", "namespace"),
                    "every": EVERY,
                }
            ),
            about="Which measurements, or where they are served.",
        ),
        "health": Section(
            {
                "enabled": _flag("Whether health is answered."),
                "port": _value(PORT, "On which port."),
                "path": _value(unit.TEXT, "Under which path."),
                "every": EVERY,
                "timeout": _value(unit.SECONDS, "How late a beat may be."),
            },
            "Whether the node says that it is well.",
            aliases=("health_check", "health_checks"),
        ),
        "tracing": Section(
            {
                "enabled": _flag("Whether traces leave."),
                "endpoint": _value(unit.TEXT, "Where to."),
                "sample": _value(unit.PART, "Which part of them.", "sample_rate"),
            },
            "Traces of orders.",
        ),
        "latency_alert": _value(
            unit.DURATION, "From where latency is alerted.", "latency_threshold", "max_latency"
        ),
        "dashboard": _flag("Whether the web board is served."),
    },
    "What can be measured from outside.",
)


def _channel(**keys: Shape) -> Section:
    return Section(
        {
            "enabled": _flag("Whether it is used."),
            "severities": Items(
                Value(SEVERITY), "severities", 3, "What goes here.", aliases=("levels",)
            ),
            "min_severity": _value(SEVERITY, "The mildest that goes here.", "severity", "level"),
            **keys,
        },
        "A way to people.",
    )


CHANNELS: Final[dict[str, Shape]] = {
    "slack": _channel(
        webhook_url=_value(unit.SECRET, "Its address.", "webhook", "url"),
        token=_value(unit.SECRET, "A bot's token.", "bot_token"),
        channel=_value(unit.TEXT, "Where to."),
    ),
    "email": _channel(
        to=Either(
            "an address or a list of addresses",
            word=Value(unit.TEXT),
            items=Items(Value(unit.TEXT), "addresses", 50),
            about="Who gets it.",
            aliases=("recipients",),
        ),
        sender=_value(unit.TEXT, "Who sends it.", "from"),
        host=_value(unit.TEXT, "The mail server.", "smtp_host", "smtp_server"),
        port=_value(PORT, "Its port.", "smtp_port"),
        user=_value(unit.TEXT, "Its user.", "username", "smtp_user"),
        password=_value(unit.SECRET, "Its password.", "smtp_password"),
    ),
    "pagerduty": _channel(
        routing_key=_value(unit.SECRET, "Its key.", "integration_key", "service_key", "api_key")
    ),
    "telegram": _channel(
        bot_token=_value(unit.SECRET, "The bot's token.", "token"),
        chat=_value(unit.TEXT, "Where to.", "chat_id"),
    ),
    "webhook": _channel(
        url=_value(unit.SECRET, "Its address."),
        token=_value(unit.SECRET, "What it is called with.", "secret"),
    ),
    "sms": _channel(
        account=_value(unit.SECRET, "The account.", "account_sid", "sid"),
        token=_value(unit.SECRET, "Its token.", "auth_token"),
        sender=_value(unit.TEXT, "The number that sends.", "from"),
        to=Items(Value(unit.TEXT), "numbers", 50, "The numbers that get it."),
    ),
    "console": _channel(),
    "file": _channel(path=_value(unit.TEXT, "Where to.")),
}
NAMED: Final = Items(
    Value(unit.words(*CHANNELS)), "channels", 20, "Where it goes.", aliases=("notify", "send_to")
)
ALERTING: Final = Section(
    {
        "enabled": _flag("Whether people are told."),
        "channels": Either(
            "names of channels, or each channel with its keys",
            items=Items(
                Either(
                    "the name of a channel, or a channel with its keys",
                    word=Value(unit.words(*CHANNELS)),
                    keys=Section(CHANNELS),
                ),
                "channels",
                20,
            ),
            keys=Section(CHANNELS),
            about="The ways to people.",
        ),
        **CHANNELS,
        "rules": Items(
            Section(
                {
                    "name": _value(unit.NAME, "Its name."),
                    "condition": _value(unit.CONDITION, "When it is said.", "trigger"),
                    "severity": _value(SEVERITY, "How loud.", "level"),
                    "channels": NAMED,
                    "message": _value(unit.TEXT, "What is said."),
                    "cooldown": _value(unit.SECONDS, "How soon again.", "throttle"),
                },
                "An alert of one's own.",
                ("name", "condition"),
                "an alert of one's own needs a `name` and a `condition`",
            ),
            "alerts, each {name, condition, severity}",
            100,
            "Alerts of one's own.",
            aliases=("alerts",),
        ),
        "escalation": Items(
            Section(
                {
                    "after": _value(
                        unit.SECONDS, "When nobody has acknowledged for so long.", "delay"
                    ),
                    "channels": NAMED,
                },
                "One step.",
                ("after",),
                "a step says `after` how long",
            ),
            "steps, each {after, channels}",
            10,
            "Who is told when nobody acknowledges.",
        ),
        "deliver_within": _value(unit.SECONDS, "How late an alert may be.", "max_delay"),
        "rate_limit": _value(unit.RATE, "How many at most; pages always pass."),
        "quiet_hours": Items(
            Value(unit.CLOCK), "two times of day", 2, "No alerts but pages from, to.", 2
        ),
    },
    "How people are told.",
    aliases=("alerts",),
)
LOGGING: Final = Section(
    {
        "level": _value(
            unit.words(
                "debug",
                "info",
                "warning",
                "error",
                synonyms={"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error"},
            ),
            "The mildest line that is written.",
        ),
        "format": _value(unit.words("text", "json"), "How a line is written."),
        "file": _value(unit.TEXT, "Where to.", "path"),
        "console": _flag("Whether also to the terminal."),
        "max_size": _value(
            Unit(
                "a size such as `100MB`",
                unit.matching(r"[1-9][0-9]{0,5} ?(KB|MB|GB)", "a size such as `100MB`"),
                {"type": "string", "pattern": "^[1-9][0-9]{0,5} ?(KB|MB|GB)$"},
            ),
            "When a new file is begun.",
            "rotate_size",
        ),
        "rotation": EVERY,
        "files": _value(unit.whole(1, 1000), "How many files are kept.", "backup_count", "keep"),
        "retention": RETENTION,
    },
    "What the node writes for people.",
)
AUDIT: Final = Section(
    {
        "enabled": _flag("Whether evidence is exported; the journal itself is always written."),
        "path": _value(unit.TEXT, "Where to.", "file", "destination", "log_path"),
        "format": _value(unit.words("json", "csv", "parquet"), "In which form."),
        "retention": RETENTION,
        "events": Items(
            Value(unit.NAME), "names of events", 100, "Which events.", aliases=("log",)
        ),
        "anchor_every": _value(unit.SECONDS, "How often the chain's end is written elsewhere."),
        "anchor_url": _value(unit.SECRET, "Where that is."),
        "immutable": _flag("Whether the copy may not be changed.", "tamper_proof", "append_only"),
        "hash_chain": _flag("Whether each line holds the last one's hash."),
    },
    "Evidence for others.",
)
EXECUTION_PARTLY: Final[dict[str, Shape]] = {
    "order_settings": ORDER_SETTINGS,
    "reconciliation": RECONCILIATION,
    "slippage": SLIPPAGE,
}
TOP_LATER: Final[dict[str, Shape]] = {
    "monitoring": MONITORING,
    "alerting": ALERTING,
    "logging": LOGGING,
    "audit": AUDIT,
}
