"""Land, merge, roll back; see what is live; follow it.

python -m forge land --verdict FILE    what the gate allowed becomes live
python -m forge merge [BRANCH]         a person merges a proposal whose status is good
python -m forge rollback --reason WHY  the older model becomes live again
python -m forge release                releases are made to agree with live.toml
python -m forge status                 what is live, proposed, released, alarming
python -m forge sync --store DIR       a scorer's folder is made to hold what is live
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import tomllib
from pathlib import Path

from forge import Forge, ForgeError, open_forge
from forge.landing import POLICIES, back_to, read_verdict, refuse_if_stale, settle
from forge.live import Live, LiveError, parse_live, with_champion
from forge.sync import LIVE, sync

OK, USAGE, REJECTED, HELD, FORGE = 0, 2, 3, 4, 6


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        code: int = asked.run(asked, open_forge(asked.forge))
    except (ForgeError, LiveError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FORGE
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("stopped; what was begun is finished by typing it again", file=sys.stderr)
        return 130
    return code


def _land(asked: argparse.Namespace, forge: Forge) -> int:
    policy = asked.policy or _policy(asked.rules)
    verdict = read_verdict(asked.verdict)
    report = asked.verdict.with_name("report.md")
    words = report.read_text(encoding="utf-8") if report.is_file() else verdict.summary
    refuse_if_stale(verdict, _live(forge, asked.branch), _live(forge))
    promote = verdict.decision == "PROMOTE"
    forge.comment(asked.branch, "verdict", words)
    forge.status(asked.branch, promote, f"{verdict.decision}: {verdict.summary}")
    if verdict.decision == "REJECT":
        forge.close(asked.branch, verdict.summary)
        print(f"not landed, and the proposal is closed: {verdict.summary}")
        return REJECTED
    if verdict.decision == "HOLD":
        print(f"not landed, the proposal stays open: {verdict.summary}")
        return HELD
    if policy == "never":
        print(f"good to merge, and left to a person: python -m forge merge {asked.branch}")
        return OK
    return _merge_and_publish(forge, asked.branch, words)


def _merge(asked: argparse.Namespace, forge: Forge) -> int:
    proposal = forge.proposal(asked.branch)
    words = proposal.comments.get("verdict", proposal.body) if proposal else ""
    return _merge_and_publish(forge, asked.branch, words)


def _merge_and_publish(forge: Forge, branch: str, notes: str) -> int:
    proposal = forge.proposal(branch)
    if proposal is None:
        raise ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
    commit = forge.merge(branch, proposal.title)
    live = _live(forge).champion
    print(
        f"merged proposal {proposal.number} as {commit[:10]}: {live.version if live else 'nothing'} is live"
    )
    return _release_with(forge, notes)


def _rollback(asked: argparse.Namespace, forge: Forge) -> int:
    _release_with(forge, "")
    live = _live(forge)
    target = back_to(asked.to, live, _champions(forge), forge.releases())
    bad = live.champion.version if live.champion else ""
    forge.propose(
        "rollback",
        f"Roll back to {target.version}",
        f"{asked.reason}\n\n{bad} is withdrawn.\n",
        {LIVE: with_champion(live, target.version, target.digest).to_toml()},
        labels=("rollback",),
    )
    forge.status("rollback", True, f"rolled back: {asked.reason}")
    forge.merge("rollback", f"Roll back to {target.version}: {asked.reason}")
    print(f"rolled back: {target.version} is live, {bad} is withdrawn")
    return _release_with(forge, f"Withdrawn: {asked.reason}")


def _release(_: argparse.Namespace, forge: Forge) -> int:
    return _release_with(forge, "")


def _release_with(forge: Forge, notes: str) -> int:
    """Make releases agree with live.toml's history; what is new gets *notes*."""
    for version, state in settle(_champions(forge), forge.releases()).items():
        if state == "withdrawn":
            forge.withdraw(version, notes or "Withdrawn: live.toml went back to an older version")
        else:
            forge.publish(version, "" if notes.startswith("Withdrawn") else notes)
        print(f"{state}: {version}")
    return OK


def _status(_: argparse.Namespace, forge: Forge) -> int:
    live, changes = _live(forge), forge.history(LIVE)
    since = f", since {changes[0].at}: {changes[0].message}" if changes else ""
    print(f"live      {live.champion.version if live.champion else 'nothing'}{since}")
    for proposal in forge.proposals():
        if proposal.state == "open":
            print(
                f"proposal  {proposal.number} {proposal.branch}: {proposal.title}"
                + (f" ({proposal.status[1]})" if proposal.status else " (not judged yet)")
            )
    for release in forge.releases():
        print(f"release   {release.version}  {release.state}")
    for alert in forge.alerts():
        print(f"alert     {alert.number} {alert.state}: {alert.title}")
    return OK


def _sync(asked: argparse.Namespace, forge: Forge) -> int:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    before = (False, "")
    while True:
        result = sync(forge, asked.store)
        failing = (result.failed, result.words if result.failed else "")
        if result.changed or asked.every is None or failing != before:
            print(result.words, flush=True)
        before = failing
        if asked.every is None or done.wait(asked.every):
            return FORGE if result.failed and asked.every is None else OK


def _live(forge: Forge, branch: str = "main") -> Live:
    text = forge.read(LIVE, branch)
    if text is None:
        raise ForgeError(
            f"there is no {LIVE} on branch {branch}; propose a model first: make retrain"
        )
    return parse_live(text)


def _champions(forge: Forge) -> list[str]:
    """The champions there were, oldest first; "" where nothing was live."""
    history = [parse_live(change.text) for change in reversed(forge.history(LIVE))]
    return [live.champion.version if live.champion else "" for live in history]


def _policy(rules: Path) -> str:
    try:
        policy = tomllib.loads(rules.read_text(encoding="utf-8")).get("land", {}).get("policy")
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{rules} cannot be read: {error}") from error
    if policy not in POLICIES:
        raise ValueError(
            f"{rules}: land.policy is {policy!r}; expected one of {', '.join(POLICIES)}"
        )
    return str(policy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m forge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    land = commands.add_parser("land", help="merge and publish what the verdict allows")
    land.add_argument("--verdict", type=Path, required=True, help="verdict.json of the gate")
    land.add_argument("--policy", choices=POLICIES, help="instead of land.policy in the rules")
    land.add_argument("--rules", type=Path, default=Path("checks/thresholds.toml"))
    land.add_argument("--branch", default="retrain")
    merge = commands.add_parser("merge", help="merge a proposal whose status is good")
    merge.add_argument("branch", nargs="?", default="retrain")
    rollback = commands.add_parser("rollback", help="the older model becomes live again")
    rollback.add_argument("--to", metavar="VERSION", help="default: the published release before")
    rollback.add_argument("--reason", required=True, help="kept with the version that is withdrawn")
    commands.add_parser("release", help="make releases agree with live.toml")
    commands.add_parser("status", help="what is live, proposed, released, alarming")
    follow = commands.add_parser("sync", help="make a scorer's folder hold what is live")
    follow.add_argument("--store", type=Path, required=True)
    follow.add_argument("--every", type=float, metavar="SECONDS", help="go on following")
    steps = {
        "land": _land,
        "merge": _merge,
        "rollback": _rollback,
        "release": _release,
        "status": _status,
        "sync": _sync,
    }
    for name, command in commands.choices.items():
        command.add_argument(
            "--forge", default=os.environ.get("FORGE", ".forge"), help="the forge's folder"
        )
        command.set_defaults(run=steps[name])
    return parser


if __name__ == "__main__":
    sys.exit(main())
