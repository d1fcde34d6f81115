"""A halt by the command line does not wait for the imports of all other commands."""

import subprocess
import sys

SLOW = ("fuseboard.app", "fuseboard.core.kernel", "fuseboard.gateway", "uvloop", "rich", "yaml")
PROGRAM = f"""
import sys
import fuseboard.cli
import fuseboard.control.halting
print([name for name in {SLOW!r} if name in sys.modules])
"""


def test_a_halt_imports_nothing_that_it_does_not_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
