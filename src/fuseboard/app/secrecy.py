"""The broker's key in the environment: read once, then taken out of what we hand on.

What a `.env` file, the state directory and the user's other programs leave open is in
`docs/limits.md`.
"""

import os
from typing import Final

BROKER_SECRETS: Final = (
    "ALPACA_API_KEY",
    "ALPACA_API_KEY_ID",
    "ALPACA_API_SECRET",
    "ALPACA_API_SECRET_KEY",
    "ALPACA_OAUTH_TOKEN",
    "ALPACA_SECRET_KEY",
    "APCA_API_KEY_ID",
    "APCA_API_OAUTH_TOKEN",
    "APCA_API_SECRET_KEY",
)


def forget_broker_secrets() -> None:
    """Take the broker's key out of the environment, so that nothing we start inherits it."""
    for name in BROKER_SECRETS:
        os.environ.pop(name, None)
