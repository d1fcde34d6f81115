"""What a policy may say and people should know of: no mistake, and shown wherever it is read."""

from fuseboard.policy.loader import Loaded
from fuseboard.policy.rules import WAYS_SWITCHED

_ONLY = "leaves no way to the kill switch open but the command line's halt and the file HALT"


def warnings_of(loaded: Loaded) -> tuple[str, ...]:
    """Each in a sentence that says the key, its line and what to write; mostly none."""
    switch = loaded.policy.kill_switch
    if not switch.enabled:
        line = loaded.lines["kill_switch.enabled"]
        return (f"line {line}: safety.kill_switch.enabled: false {_ONLY}: write `true`",)
    if not set(switch.methods).difference(("cli",)):  # who lists the file counts on it
        line, ways = loaded.lines["kill_switch.methods"], ", ".join(WAYS_SWITCHED)
        what = f"what safety.kill_switch lists {_ONLY}: add at least one of {ways}"
        return (f"line {line}: {what}",)
    return ()
