"""How to answer a rule that is wrong about a legitimate stream: the waiver to paste, for every rule alike. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta

from checks.verdict import Finding

#: Where waivers are.
FILE = "checks/waivers.toml"
#: Rules on the bundle, the proposal and the waivers themselves: these do not depend on the stream.
NOT_OF_THE_STREAM = ("bundle.", "contract.", "live.", "release.", "serving.", "waivers.")
#: Days for which a waiver is proposed: about the holdout of the default recipe, after which a change has passed it.
DAYS = 14
#: The title of the report's section.
ACCEPT = "To accept what stops it: the waiver to paste"
REASON, AUTHOR = "say why this is right for your stream", "your name"


def is_answerable(finding: Finding) -> bool:
    """Whether the finding stops the candidate and a person may accept it: what could not be checked is not accepted."""
    stops = finding.rejects or finding.holds
    return stops and finding.outcome != "NOT_RUN" and not finding.rule.startswith(NOT_OF_THE_STREAM)


def waivers_to_paste(findings: Iterable[Finding], today: date) -> str:
    """The entries of waivers.toml that accept what stops the candidate, "" where nothing can be accepted."""
    rules = dict.fromkeys(each.rule for each in findings if is_answerable(each))
    until = today + timedelta(days=DAYS)
    entries = [
        f'[[waiver]]\nrule = {_quoted(rule)}\nreason = "{REASON}"\nauthor = "{AUTHOR}"\nuntil = {until}'
        for rule in rules
    ]
    return "\n\n".join(entries)


def _quoted(words: str) -> str:
    """A TOML string: JSON's escapes are TOML's, which also escapes DEL."""
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")


def to_paste(accept: str) -> str:
    """The section of the report with the waivers *accept*, as Markdown; "" without any."""
    if not accept:
        return ""
    words = f"If it is right for your stream, add this to `{FILE}` on the default branch, with your reason:"
    return f"{words}\n\n```toml\n{accept}\n```"
