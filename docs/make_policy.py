"""Runs the commands of docs/policy.md and writes what they say into it.

As in docs/operations.md, everything between the marks is real output of this release.
"""

import os
import re
import shutil
from pathlib import Path

from docs.make_operations import empty_folder, shortened, told

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "policy.md"
EXAMPLES = ROOT / "examples"
WRONG = """\
risk:
  limits:
    max_positon: 5%
    max_order_value: -100
safety:
  circuit_breakers:
    - {name: streak, condition: consecutive_loses >= 8, action: halt}
  loss_limits:
    daily: {warning: 4%, hard: 3%}
"""


def blocks() -> dict[str, str]:
    """Every block of the page: its name and what the commands say."""
    found: dict[str, str] = {}
    with empty_folder():
        os.environ.update(SLACK_URL="https://example.invalid/hook", PAGERDUTY_KEY="example-key")
        found["begin"] = told("fuseboard policy init policy.yaml")
        Path("wrong.yaml").write_text(WRONG)
        found["mistakes"] = told("fuseboard policy check wrong.yaml")
        check = told("fuseboard policy check policy.yaml")
        found["check"] = shortened(check, "  price_collar", "limits that must exist").rpartition(
            "\n\nnot yet enforced\n"
        )[0]
        found["explain"] = told("fuseboard policy explain policy.yaml risk.limits.max_order_value")
        for name in ("policy.yaml", "policy-cases.yaml"):
            shutil.copy(EXAMPLES / name, f"example-{name}")
        found["test"] = told("fuseboard policy test example-policy.yaml example-policy-cases.yaml")
        mine = Path("policy.yaml").read_text()
        mine = mine.replace("max_order_value: 100000", "max_order_value: 5000")
        Path("mine.yaml").write_text(mine.replace("hard: 5%", "hard: 6%"))
        found["diff"] = told("fuseboard policy diff policy.yaml mine.yaml")
    return found


def drawn(page: str) -> str:
    """The page with its blocks drawn again."""
    known = blocks()

    def block(match: re.Match[str]) -> str:
        said = known[match[1]].rstrip("\n")
        return f"{match[0].splitlines()[0]}\n\n```console\n{said}\n```\n\n<!-- end -->"

    return re.sub(
        r"<!-- from the commands: ([a-z ]+) -->.*?<!-- end -->", block, page, flags=re.DOTALL
    )


def main() -> None:
    PAGE.write_text(drawn(PAGE.read_text()))
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
