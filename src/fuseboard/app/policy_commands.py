"""`fuseboard policy ...`: check, explain, init, schema, diff, test and adopt a policy file."""

import argparse
import re
from pathlib import Path
from typing import Final

from fuseboard.app.adopting import adopt
from fuseboard.app.policy_cases import Outcome, outcomes, read_cases
from fuseboard.control.policy_file import loaded_policy, policy_text
from fuseboard.control.render import table
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateRefused
from fuseboard.halts.whole_file import write_atomically
from fuseboard.policy.explained import Explained, every_key, explained, nearest
from fuseboard.policy.loader import FILE, Loaded
from fuseboard.policy.not_yet import said, unenforced
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.policy.reading import Reading
from fuseboard.policy.schema import json_schema
from fuseboard.policy.shown import NOT_SET
from fuseboard.policy.starter import default_policy_text
from fuseboard.policy.summary import Line, required_on_defaults, summary
from fuseboard.policy.tightness import changes
from fuseboard.policy.warned import warnings_of
from fuseboard.policy.yaml_text import tree_of

FAILED: Final = 1
SECTIONS: Final = {
    "orders and positions": ("risk.limits", "safety.limits"),
    "session": ("session",),
    "market halts": ("safety.market_circuit_breakers",),
    "kill switch": ("safety.kill_switch",),
    "cancel on disconnect": ("safety.cancel_on_disconnect",),
    "market data": ("data.validation", "data.anomaly_detection"),
    "execution": ("execution",),
    "resets": ("resets", "overrides"),
}
"""Sections of the summary to where their keys stand in a file."""
KEY_WIDTH: Final = 24
VALUE_WIDTH: Final = 22
_ROW_NUMBER: Final = re.compile(r"\[[0-9]+\]", re.ASCII)


def command_policy(options: argparse.Namespace) -> int:
    """One act on a policy file."""
    acts = {
        "check": _check,
        "explain": _explain,
        "init": _init,
        "schema": _schema,
        "diff": _diff,
        "test": _test,
        "adopt": adopt,
    }
    return acts[options.act](options)


def _check(options: argparse.Namespace) -> int:
    loaded = loaded_policy(options.file)
    lines, defaults, later = summary(loaded), required_on_defaults(loaded), unenforced(loaded)
    digest, warned = digest_of(canonical_text(loaded.policy)), warnings_of(loaded)
    if options.json:
        say_json(
            {
                "ok": True,
                "name": loaded.policy.name,
                "digest": digest,
                "limits": lines,
                "required_on_defaults": defaults,
                "not_yet_enforced": later,
                "not_yet_enforced_says": {path: said(loaded, path) for path in later},
                "warnings": warned,
            }
        )
        return 0
    say(f"policy {loaded.policy.name!r}, digest {digest[:16]}: no mistakes")
    section = ""
    for line in lines:
        if line.section != section:
            section = line.section
            say(f"\n{section}")
        say(_said(line))
    say("\nlimits that must exist")
    if defaults:
        say(f"  on their defaults: {', '.join(defaults)}")
        say("  write them out: --live refuses to start until they are")
    else:
        say("  all written out")
    say("\nnot yet enforced")
    for path, number in later.items():
        for sentence in said(loaded, path):
            say(f"  line {number:<4} {sentence}")
    if not later:
        say("  nothing: all that the file sets is enforced")
    if warned:
        say("\nwarnings")
    for sentence in warned:
        say(f"  {sentence}")
    return 0


def _said(line: Line) -> str:
    where = "default" if line.line is None else f"line {line.line}"
    if line.value == NOT_SET and line.line is None:
        where = ""
    head = f"  {line.key:<{KEY_WIDTH}} {line.value:<{VALUE_WIDTH}} {where:<9}"
    return f"{head} {line.about}".rstrip()


def _explain(options: argparse.Namespace) -> int:
    loaded = loaded_policy(options.file)
    rows = explained(options.key) if options.key else every_key()
    if not rows:
        near = nearest(options.key)
        hint = f"did you mean {near!r}?" if near else "`policy explain FILE --json` lists all"
        raise StateRefused(f"no key is called {options.key!r}; {hint}")
    if options.json:
        say_json(rows)
        return 0
    here = _written(loaded)
    if not options.key:
        keys = _keys_of(policy_text(options.file))
        left_out = sum(row.key not in keys for row in rows)
        rows = tuple(row for row in rows if row.key in keys)
    for row in rows:
        say(_explanation(row, here.get(row.key)))
    if not options.key:
        say(
            f"\n{left_out} keys more are not in this file: name one to have it explained, a section"
        )
        say("(such as `risk.limits`) for all that is under it; --json lists every key")
    return 0


def _keys_of(text: str) -> set[str]:
    """The full keys that a policy file writes, rows of a list without their numbers."""
    reading = Reading("")
    reading.read(tree_of(text, "", reading.problems), "", FILE)
    return {_ROW_NUMBER.sub("", path) for path in reading.entries}


def _written(loaded: Loaded) -> dict[str, Line]:
    """The policy's own values, by the full key."""
    return {
        f"{path}.{line.key}": line
        for line in summary(loaded)
        for path in SECTIONS.get(line.section, ())
    }


def _explanation(row: Explained, here: Line | None) -> str:
    lines = [row.key]
    lines += [f"  {row.about}"] if row.about else []
    lines.append(f"  written   {row.written}")
    lines += [f"  default   {row.default}"] if row.default else []
    lines += [f"  enforced  {row.enforced}"] if row.enforced else []
    lines += [f"  also      {', '.join(row.aliases)}"] if row.aliases else []
    if here is not None:
        where = "by default" if here.line is None else f"in line {here.line}"
        lines.append(f"  here      {here.value} ({where})")
    return "\n".join(lines)


def _init(options: argparse.Namespace) -> int:
    path: Path = options.file
    if path.exists():
        raise StateRefused(f"{path} exists: a policy is never overwritten, choose another name")
    if not path.parent.is_dir():
        raise StateRefused(f"there is no folder {path.parent}")
    write_atomically(path, default_policy_text().encode())
    say(f"made {path}: a policy with safe defaults; then `fuseboard policy check {path}`")
    return 0


def _schema(_options: argparse.Namespace) -> int:
    say_json(json_schema())
    return 0


def _diff(options: argparse.Namespace) -> int:
    found = changes(loaded_policy(options.old).policy, loaded_policy(options.new).policy)
    if options.json:
        say_json(found)
        return 0
    if not found:
        say("no differences")
        return 0
    rows = [(one.direction.value, one.key, one.old, one.new) for one in found]
    say(table(("", "what", "old", "new"), rows))
    counts = {word: sum(row[0] == word for row in rows) for word in ("looser", "tighter")}
    say(f"{counts['looser']} looser, {counts['tighter']} tighter, {len(rows)} in all")
    if counts["looser"]:
        say("what is not provably tighter counts as looser: a named person must ask for it;")
        say("so does a new rule that may close positions (flatten): it can close what is held now")
    return 0


def _test(options: argparse.Namespace) -> int:
    policy = loaded_policy(options.file).policy
    found = outcomes(policy, read_cases(policy_text(options.cases), str(options.cases)))
    failed = [one for one in found if not one.passed]
    if options.json:
        say_json(found)
        return FAILED if failed else 0
    rows = [("ok" if one.passed else "FAILED", one.name, one.expected, one.got) for one in found]
    say(table(("", "case", "expected", "got"), rows))
    for one in failed:
        say(_failure(one, options.cases))
    say(f"{len(found) - len(failed)} of {len(found)} cases hold")
    return FAILED if failed else 0


def _failure(one: Outcome, path: Path) -> str:
    why = f": {one.why}" if one.why else ""
    return f"{path}:{one.line}: {one.name}: expected {one.expected}, got {one.got}{why}"
