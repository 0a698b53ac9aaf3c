"""Parts of the reference that are made in the environment `work`: thresholds and commands."""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import archive.__main__
import audit.__main__
import backtest.__main__
import checks.options
import drill.__main__
import drill.nights.__main__
import forge.command_line
import model.__main__
import monitoring.__main__
import online.__main__
import provenance.provenance_options
from docs.generate.markdown_table import table
from docs.generate.thresholds_file import Group, read_groups

ROOT = Path(__file__).parents[2]
#: How a help says its default, where that is no value.
DEFAULT = re.compile(r" ?\(?default: ([^()]+?)\)?$")
#: A row of rules.md or signals.md: its name, and the limits in its last cell.
NAMED = re.compile(r"^\| `([^`]+)` \|.*\| ([^|]*) \|$", re.MULTILINE)


def thresholds() -> str:
    """Every table of thresholds.toml, each value with its meaning and the rules and signals that read it."""
    top, groups = read_groups((ROOT / "checks/thresholds.toml").read_text(encoding="utf-8"))
    readers, found, before = _readers(), [top, ""], ""
    for group in groups:
        if group.table != before:
            found += [f"## `[{group.table}]`", ""]
            before = group.table
        found += [group.text, ""] if group.text else []
        found += [_values(group, readers)] if group.values else []
    return "\n".join(found)


def _values(group: Group, readers: dict[str, list[str]]) -> str:
    rows = []
    for each in group.values:
        rules = readers[f"{group.table}.{each.name}"]
        rows.append([f"`{each.name}`", f"`{each.text}`", each.meaning, ", ".join(f"`{rule}`" for rule in rules)])
    if any(row[3] for row in rows):
        return table(["Name", "Value", "Meaning", "Read by"], rows)
    return table(["Name", "Value", "Meaning"], [row[:3] for row in rows])


def _readers() -> dict[str, list[str]]:
    """threshold -> the rules and signals that name it on their pages."""
    found = defaultdict(list)
    for page in ("rules.md", "signals.md"):
        for name, limits in NAMED.findall((ROOT / "docs/reference" / page).read_text(encoding="utf-8")):
            for limit in re.findall(r"`([\w.]+)`", limits):
                found[limit].append(name)
    return found


def commands() -> str:
    """Every command with its options."""
    return "\n".join(part for parser in parsers() for part in _command(parser, ""))


def parsers() -> list[argparse.ArgumentParser]:
    """The parser of each package with commands; the settings of `serve` have a page."""
    return [
        model.__main__._parser(),
        checks.options.parser(""),
        forge.command_line.parser(""),
        provenance.provenance_options.parser(""),
        archive.__main__._parser(),
        audit.__main__._parser(),
        monitoring.__main__._parser(),
        online.__main__._parser(),
        drill.__main__._parser(),
        drill.nights.__main__._parser(),
        backtest.__main__._parser(),
    ]


def _command(parser: argparse.ArgumentParser, words: str) -> Iterator[str]:
    """The section of a command, and those of its subcommands; *words* is what its parent says of it."""
    subcommands = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    yield f"{'##' if subcommands and not words else '###'} `{parser.prog}`\n"
    if words:
        yield f"{words[0].upper()}{words[1:].rstrip('.')}.\n"
    rows = [
        [_names(each), _default(each), _meaning(each)]
        for each in parser._actions
        if not isinstance(each, argparse._HelpAction | argparse._SubParsersAction)
    ]
    if rows:
        yield table(["Argument", "Default", "Meaning"], rows)
    for each in subcommands:
        summaries = {choice.dest: choice.help or "" for choice in each._choices_actions}
        for name, child in each.choices.items():
            yield from _command(child, summaries.get(name) or child.description or "")


def _names(action: argparse.Action) -> str:
    value = str(action.metavar or (action.dest.upper() if action.option_strings else action.dest))
    if not action.option_strings:
        return f"`{value}`"
    return "`" + ", ".join(action.option_strings) + (f" {value}`" if action.nargs != 0 else "`")


def _default(action: argparse.Action) -> str:
    value = action.default
    if action.required:
        return "required"
    if value in (None, False, "", [], ()) or isinstance(value, date):
        stated = DEFAULT.search(action.help or "")
        return stated[1] if stated else ""
    return f"`{value}`"


def _meaning(action: argparse.Action) -> str:
    words = DEFAULT.sub("", (action.help or "").replace("%%", "%"))
    choices = ", ".join(f"`{each}`" for each in action.choices or () if each is not None)
    return "; ".join(filter(None, [words, f"one of {choices}" if choices else ""]))


PARTS = {"thresholds": thresholds, "commands": commands}
