"""Proposals as pull requests: files, branches, statuses, comments and merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forge.github.hidden_metadata import DESCRIPTION, TITLE, body_of, one_line, parse_body, parse_trusted
from forge.github.merging import squash
from forge.github.rest import Rest, surely
from forge.interface import Change, ForgeError, Proposal

GATE = "gate"  # the context of the status that a merge requires
_STATES = {"success": True, "failure": False, "error": False, "pending": None}
_WORDS = {True: "success", False: "failure", None: "pending"}


class Pulls:
    """The part of a forge on GitHub that keeps files and proposals."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._texts: dict[tuple[str, str], str] = {}

    def read(self, path: str, branch: str | None = None) -> str | None:
        """The text of *path* on *branch* (the default one); None if there is none."""
        return self._rest.text(f"contents/{path}", **({"ref": branch} if branch else {}))

    def history(self, path: str) -> list[Change]:
        """The newest fifty changes of *path* on the default branch, newest first."""
        found = self._rest.newest("commits", path=path, per_page=50)
        return [
            Change(
                each["sha"],
                each["commit"]["committer"]["date"],
                each["commit"]["message"].partition("\n")[0],
                self._text_at(path, each["sha"]),
                str((each.get("author") or {}).get("login") or each["commit"].get("author", {}).get("name", "")),
            )
            for each in found
        ]

    @surely
    def propose(
        self, branch: str, title: str, body: str, files: Mapping[str, str], labels: Sequence[str] = ()
    ) -> Proposal:
        """Open the proposal of *branch*, or refresh it if it is open."""
        default = self._rest.default_branch()
        if branch == default:
            raise ForgeError(f"a proposal needs a branch other than {default}")
        title = one_line(title, TITLE)
        head = self._push(branch, title, files)
        fields = {"title": title, "body": body_of({"branch": branch}, body)}
        pull = self._newest(branch)
        if pull is None:
            pull = self._rest.write("POST", "pulls", fields | {"head": branch, "base": default})
        elif any(pull[key] != value for key, value in fields.items()):
            pull = self._rest.write("PATCH", f"pulls/{pull['number']}", fields)
        if {each["name"] for each in pull["labels"]} != set(labels):
            pull["labels"] = self._rest.write("PUT", f"issues/{pull['number']}/labels", {"labels": list(labels)})
        pull["head"]["sha"] = head  # GitHub may need a moment to process the push
        return self._proposal(pull)

    def proposal(self, branch: str) -> Proposal | None:
        """The open proposal of *branch*, if there is one, whoever opened it."""
        pull = self._newest(branch)
        return self._proposal(pull) if pull else None

    def proposals(self) -> list[Proposal]:
        """The proposals among the newest thirty pull requests, newest first."""
        pulls = self._pulls(state="all", per_page=30)
        ours = {each["head"]["ref"] for each in pulls if parse_trusted(each, self._rest.me)[0]}
        return [
            self._proposal(each)
            for each in pulls
            if parse_trusted(each, self._rest.me)[0]
            or (each["head"]["ref"] in ours and (each["state"] == "open" or (each["user"] or {}).get("type") == "Bot"))
        ]

    @surely
    def status(self, branch: str, ok: bool | None, summary: str, head: str | None = None) -> None:
        """Set the status of the proposal's head: whether it may be merged; None is pending.

        Raises `ForgeError` if the head is not *head*.
        """
        now, summary = self._changing(branch)["head"]["sha"], one_line(summary, DESCRIPTION)
        if head not in (None, now):
            raise ForgeError(f"the proposal on branch {branch} has changed; run the gate again")
        if self._status(now) != (ok, summary):
            fields = {"context": GATE, "state": _WORDS[ok], "description": summary}
            self._rest.write("POST", f"statuses/{now}", fields)

    @surely
    def comment(self, branch: str, marker: str, body: str) -> None:
        """Write or update the one comment with *marker*."""
        self._comment(self._changing(branch)["number"], marker, body)

    @surely
    def merge(self, branch: str, message: str, override: bool = False) -> str:
        """Squash-merge the proposal; returns the commit. A merge with the same *message* is not repeated.

        Its status must be good, unless *override*; then GitHub's rules decide who may merge it.
        """
        pull = self._newest(branch)
        if pull is None:
            done = self._merged(branch, message)
            if done is None:
                raise _nothing_open(branch)
            return done
        head, name = pull["head"]["sha"], f"proposal {pull['number']} ({branch})"
        ok, written = self._status(head) or (None, "no status yet")
        if not (ok or override):
            raise ForgeError(f"{name} may not be merged: {written}")
        moved = self._moved(head)
        if moved:
            raise ForgeError(f"{self._rest.default_branch()} has changed {', '.join(moved)} since then; propose again")
        title, _, rest = message.partition("\n")
        how = {"merge_method": "squash", "sha": head, "commit_title": title, "commit_message": rest}
        return squash(self._rest, pull, how, name)

    @surely
    def close(self, branch: str, reason: str) -> None:
        """Close the open proposal of *branch* unmerged."""
        pull = self._newest(branch)
        if pull is None:
            pull = self._newest(branch, "closed")
            closed = pull and not pull["merged_at"] and self._comments(pull["number"]).get("closed")
            if closed and closed[1] == reason:
                return  # by this call, whose answer was lost
            raise _nothing_open(branch)
        number = pull["number"]
        self._comment(number, "closed", reason)
        self._rest.write("PATCH", f"pulls/{number}", {"state": "closed"})

    def _text_at(self, path: str, commit: str) -> str:
        """The text of *path* on a *commit*, empty if the commit removed it. Raises `ForgeError` if that is not certain."""
        if (path, commit) not in self._texts:
            text = self._rest.text(f"contents/{path}", ref=commit)
            if text is None:
                self._refuse_unless_removed(path, commit)
            self._texts[path, commit] = text or ""
        return self._texts[path, commit]

    def _refuse_unless_removed(self, path: str, commit: str) -> None:
        """Raise `ForgeError` unless the commit's list of files shows that *path* was removed: a token without access gets a 404, too."""
        found = self._rest.get(f"git/trees/{commit}", recursive=1)
        files = [each["path"] for each in found["tree"]] if found else [path]
        if path in files or found["truncated"]:
            raise ForgeError(
                f"GitHub does not show {path} of commit {commit[:10]}, and not that it was removed: the token"
                " may have no access to it (it needs contents: read). Run the command again later"
            )

    def _push(self, branch: str, title: str, files: Mapping[str, str]) -> str:
        """Make *branch* one commit on top of the default branch with *files* changed; returns the commit.

        Unchanged content is not pushed again, so that its status stays.
        """
        default = self._rest.default_branch()
        parent = self._ref(default)
        if parent is None:
            raise ForgeError(f"{self._rest.repository} has no branch {default} yet; push a first commit")
        base = self._rest.get(f"git/commits/{parent}")["tree"]["sha"]
        entries = [{"path": path, "mode": "100644", "type": "blob", "content": text} for path, text in files.items()]
        tree = self._rest.write("POST", "git/trees", {"base_tree": base, "tree": entries})["sha"]
        if tree == base:
            raise ForgeError(f"nothing to propose: {', '.join(files)} would be what it is on {default}")
        old = self._ref(branch)
        if old:
            commit = self._rest.get(f"git/commits/{old}")
            if (commit["tree"]["sha"], [p["sha"] for p in commit["parents"]]) == (tree, [parent]):
                return old
        new: str = self._rest.write("POST", "git/commits", {"message": title, "tree": tree, "parents": [parent]})["sha"]
        if old:
            self._rest.write("PATCH", f"git/refs/heads/{branch}", {"sha": new, "force": True})
        else:
            self._rest.write("POST", "git/refs", {"ref": f"refs/heads/{branch}", "sha": new})
        return new

    def _ref(self, branch: str) -> str | None:
        found = self._rest.get(f"git/ref/heads/{branch}")
        return found["object"]["sha"] if found else None

    def _pulls(self, **query: Any) -> list[Any]:
        """The newest pull requests to the default branch, without those of forks."""
        query |= {"base": self._rest.default_branch(), "sort": "created", "direction": "desc"}
        found = self._rest.newest("pulls", **query)
        return [each for each in found if (each["head"]["repo"] or {}).get("id") == each["base"]["repo"]["id"]]

    def _newest(self, branch: str, state: str = "open") -> Any:
        owner = self._rest.repository.partition("/")[0]
        return next(iter(self._pulls(head=f"{owner}:{branch}", state=state)), None)

    def _changing(self, branch: str) -> Any:
        pull = self._newest(branch)
        if pull is None:
            raise _nothing_open(branch)
        return pull

    def _merged(self, branch: str, message: str) -> str | None:
        pull = self._newest(branch, "closed")
        if pull is None or not pull["merged_at"]:
            return None
        commit: str = pull["merge_commit_sha"]
        written = self._rest.get(f"git/commits/{commit}")["message"]
        return commit if written.rstrip() == message.rstrip() else None

    def _moved(self, head: str) -> list[str]:
        """The files of the proposal that the default branch has changed since; GitHub would merge both changes."""
        default = self._rest.default_branch()
        ours = self._rest.get(f"compare/{default}...{head}")
        if not ours["behind_by"]:
            return []
        theirs = self._rest.get(f"compare/{ours['merge_base_commit']['sha']}...{default}")
        return sorted(_names(ours["files"]) & _names(theirs["files"]))

    def _proposal(self, pull: Any) -> Proposal:
        number, head = pull["number"], pull["head"]
        state: Any = "merged" if pull["merged_at"] else pull["state"]
        comments = {marker: text for marker, (_, text) in self._comments(number).items()}
        return Proposal(
            number,
            head["ref"],
            pull["title"],
            parse_body(pull["body"])[1],
            state,
            head["sha"],
            tuple(each["name"] for each in pull["labels"]),
            self._status(head["sha"]),
            comments,
            tuple(sorted(_names(self._rest.pages(f"pulls/{number}/files")))),
            f"#{number}",
        )

    def _status(self, commit: str) -> tuple[bool | None, str] | None:
        found = self._rest.get(f"commits/{commit}/status", per_page=100) or {"statuses": []}
        for each in found["statuses"]:
            if each["context"] == GATE:
                return _STATES[each["state"]], each["description"] or ""
        return None

    def _comment(self, number: int, marker: str, body: str) -> None:
        known, text = self._comments(number).get(marker), body_of({"comment": marker}, body)
        if known is None:
            self._rest.write("POST", f"issues/{number}/comments", {"body": text})
        elif known[1] != parse_body(text)[1]:
            self._rest.write("PATCH", f"issues/comments/{known[0]}", {"body": text})

    def _comments(self, number: int) -> dict[str, tuple[int, str]]:
        """The robots' comments: id and text by marker."""
        found: dict[str, tuple[int, str]] = {}
        for each in self._rest.pages(f"issues/{number}/comments"):
            meta, text = parse_trusted(each, self._rest.me)
            if "comment" in meta:
                found.setdefault(meta["comment"], (each["id"], text))
        return found


def _names(files: Any) -> set[str]:
    """The changed paths; both paths of a renamed file."""
    pairs = ((each["filename"], each.get("previous_filename")) for each in files)
    return {name for pair in pairs for name in pair if name}


def _nothing_open(branch: str) -> ForgeError:
    return ForgeError(f"there is no open proposal on branch {branch}; open one: make retrain")
