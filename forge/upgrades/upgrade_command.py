"""What `python -m forge upgrade` prints, and the alert that it keeps about a newer version."""

from __future__ import annotations

import argparse
from pathlib import Path

from forge.interface import Forge, ForgeError
from forge.upgrades.template import Template, Version, parse_version, version_in
from forge.upgrades.upgrade import Upgrade, changes_between, upgrade, wanted
from forge.workflow_output import say

#: The name of the git remote with the template's address, where none is given.
REMOTE = "template"
BODY = Path("build/upgrade.md")
MARKER = "robot:upgrade"


def upgrade_command(args: argparse.Namespace, forge: Forge) -> int:
    """Merge a newer version into a branch; with --check, say whether there is one."""
    template = Template(Path(), args.template or _remote())
    if args.check:
        return _check(template, forge)
    done = upgrade(template, args.to, args.base)
    if done is None:
        say(f"nothing to do: this repository has {template.version_at('HEAD')}, and {template.address} nothing newer")
        return 0
    BODY.parent.mkdir(exist_ok=True)
    BODY.write_text(done.body, encoding="utf-8")
    print(_next_steps(done))
    return 0


def changes_command(args: argparse.Namespace, _: Forge) -> int:
    """Print the changelog's section on the version that is about to be released."""
    here, version = version_in(Path("pyproject.toml").read_text(encoding="utf-8")), parse_version(args.version)
    if version != here:
        raise ForgeError(f"pyproject.toml has version {here}, and the release is to be {args.version}")
    notes = changes_between(Path("CHANGELOG.md").read_text(encoding="utf-8"), None, here)
    if not notes:
        raise ForgeError(f"CHANGELOG.md has no section {here}; rename *Unreleased*: ## {str(here)[1:]}")
    print(notes)
    return 0


def _remote() -> str:
    try:
        return Template(Path(), "").git("remote", "get-url", REMOTE).strip()
    except ForgeError:
        raise ForgeError(
            f"the template's address is not known; name it once: git remote add {REMOTE} https://github.com/OWNER/NAME"
        ) from None


def _check(template: Template, forge: Forge) -> int:
    """Keep one alert for as long as there is a newer version."""
    now, newest = template.version_at("HEAD"), wanted(template)
    if newest <= now:
        forge.resolve(MARKER, f"This repository has {now}, the newest version.\n")
        say(f"{now} is the newest version")
        return 0
    alert = forge.alert(MARKER, f"Tidegate {newest} is available", _available(template.address, now, newest))
    say(f"alert {alert.number}: {newest} is available, this repository has {now}")
    return 0


def _available(address: str, now: Version, newest: Version) -> str:
    return (
        f"This repository has {now}. In a clone of it, these commands merge {newest} into a branch, and say what changes"
        f" for you:\n\n```sh\ngit remote add {REMOTE} {address}\nmake upgrade\n```\n\n"
        "Your recipe, thresholds, waivers and what is live stay as they are.\n"
    )


def _next_steps(done: Upgrade) -> str:
    lines = [f"{done.old} → {done.version} is on the branch {done.branch}; {BODY} says what changes for you."]
    if done.conflicts:
        lines += [
            f"{len(done.conflicts)} of its files have conflict markers, since both sides changed the same lines:",
            *(f"  {path}" for path in done.conflicts),
            f"Edit them: git switch {done.branch}; then: git commit --all --amend --no-edit",
        ]
    title = f"Upgrade Tidegate to {done.version}"
    pull = f'git push origin {done.branch} && gh pr create --head {done.branch} --title "{title}" --body-file {BODY}'
    return "\n".join([*lines, f"Test it: git switch {done.branch} && make test", f"Open a pull request: {pull}"])
