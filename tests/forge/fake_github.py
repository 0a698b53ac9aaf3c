"""A GitHub of one repository in memory: what it stores, and what it shows of that.

Its rules are beside the requests they belong to: `fake_routes`, `fake_releases`. `fake_answers`
answers requests from it, and `fake_server` puts it on the loopback. It knows what `forge.github.github_forge`
asks for; whatever is missing answers 501.
"""

import hashlib
import json
import re
import threading
from datetime import UTC, datetime, timedelta

NAME = "acme/toy"
#: Where a fake without a server is: the discard port, so that what is sent there fails.
IN_PROCESS = "http://127.0.0.1:9"
ROBOT = {"login": "robot[bot]", "type": "Bot"}
ROUTES = []


class SaysNoError(Exception):
    """A status that is not 2xx, and GitHub's words for it."""

    def __init__(self, status, message="Validation Failed", errors=(), headers=()):
        super().__init__(message)
        self.status, self.headers = status, dict(headers)
        self.body = {"message": message} | ({"errors": list(errors)} if errors else {})


def route(method, pattern):
    def keep(function):
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return keep


def invalid(resource, field, code, **more):
    return SaysNoError(422, errors=[{"resource": resource, "field": field, "code": code} | more])


class FakeGitHub:
    """What is stored, and who may do what. *calls* lists method, path and status of every request."""

    def __init__(self, files, url=IN_PROCESS, default="main"):
        self.url, self.default = url, default
        #: what the repository answers besides, such as `archived`
        self.shown = {}
        #: path -> what is there, of the settings; a number is a status
        self.settings = {}
        self.lock = threading.Lock()
        self.calls, self.faults, self.n = [], [], 0
        #: token -> its permissions (None: all), user and association
        self.tokens = {"secret": (None, ROBOT, "NONE")}
        #: who may do what: admin, write, read or none
        self.people = {}
        self.may_open_pulls, self.immutable, self.private = True, False, False
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.trees, self.commits, self.refs = {}, {}, {}
        self.issues, self.pulls, self.comments, self.statuses = {}, {}, {}, []
        self.releases, self.assets, self.burned, self.pinned = {}, {}, set(), None
        self.workflows, self.runs, self.artifacts = {}, {}, []
        self.refs[f"heads/{default}"] = self.commit(self.tree(files), [], "Begin")

    def trouble(self, what, method="", path="", skip=0, times=1, **more):
        """Let *times* requests like this go wrong, after *skip* of them.

        *what* is a status, or: before, after (the connection drops before or after the request was
        carried out), cut (the answer ends in its middle).
        """
        fault = {"what": what, "method": method, "path": path, "skip": skip, "times": times}
        self.faults.append(fault | more)

    def fault(self, method, path):
        for each in self.faults:
            if re.fullmatch(each["method"] or ".*", method) and re.search(each["path"], path):
                each["skip"] -= 1
                if each["skip"] < 0 < each["times"]:
                    each["times"] -= 1
                    return each
        return {"what": None}

    def next(self):
        self.n += 1
        return self.n

    def at(self):
        self.now += timedelta(seconds=1)
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    # git

    def tree(self, files):
        sha = hashlib.sha1(json.dumps(sorted(files.items())).encode()).hexdigest()
        self.trees[sha] = dict(files)
        return sha

    def commit(self, tree, parents, message):
        sha = hashlib.sha1(f"{tree}{parents}{message}{self.next()}".encode()).hexdigest()
        self.commits[sha] = {
            "sha": sha,
            "tree": {"sha": tree},
            "parents": [{"sha": each} for each in parents],
            "message": message,
            "committer": {"date": self.at()},
        }
        return sha

    def push(self, files, message="by hand", branch=None):
        """What a person does: a commit on *branch* in which *files* are other ones."""
        branch = branch or self.default
        old = self.refs[f"heads/{branch}"]
        tree = self.tree(self.files(old) | files)
        self.refs[f"heads/{branch}"] = self.commit(tree, [old], message)
        return self.refs[f"heads/{branch}"]

    def files(self, commit):
        return self.trees[self.commits[commit]["tree"]["sha"]]

    def log(self, commit):
        found = [commit]
        while self.commits[found[-1]]["parents"]:
            found.append(self.commits[found[-1]]["parents"][0]["sha"])
        return found

    def base(self, one, other):
        return next(each for each in self.log(one) if each in self.log(other))

    def changed(self, old, new):
        old, new = self.files(old), self.files(new)
        return sorted(path for path in {*old, *new} if old.get(path) != new.get(path))

    def resolve(self, name):
        commit = self.refs.get(f"heads/{name}") or self.refs.get(f"tags/{name}") or name
        if commit not in self.commits:
            raise SaysNoError(404, f"No commit found for the ref {name}")
        return commit

    # What is shown

    def issue(self, number):
        shown = {"comments": 0, "author_association": "NONE"} | self.issues[number]
        return shown | ({"pull_request": {}} if number in self.pulls else {})

    def pull(self, number):
        pull, repo = self.pulls[number], {"id": 1, "full_name": NAME}
        if self.issues[number]["state"] == "open":
            pull["sha"] = self.refs.get(f"heads/{pull['branch']}", pull["sha"])
        return (
            self.issues[number]
            | {
                "head": {"ref": pull["branch"], "sha": pull["sha"], "repo": pull.get("repo", repo)},
                "base": {"ref": pull["base"], "repo": repo},
                "merged_at": pull["merged_at"],
                "merge_commit_sha": pull["commit"],
                "merged": bool(pull["merged_at"]),
            }
            | pull.get("shown", {})
        )

    def release(self, number):
        assets = [each for each in self.assets.values() if each["release"] == number]
        return self.releases[number] | {"assets": [self.asset(each["id"]) for each in assets]}

    def asset(self, number):
        asset = self.assets[number]
        digest = "sha256:" + hashlib.sha256(asset["content"]).hexdigest()
        return {key: asset[key] for key in ("id", "name", "state")} | {"size": len(asset["content"]), "digest": digest}

    def latest(self):
        good = [r for r in self.releases.values() if not (r["draft"] or r["prerelease"])]
        if self.pinned in {each["id"] for each in good}:
            return self.pinned
        # By the date of the commit, not of the release.
        return max(good, key=lambda r: (r["created_at"], r["id"]), default={"id": None})["id"]


def text(resource, values, names=("title", "body")):
    """Refuse a title or a body that GitHub does not take."""
    if "title" in names and "title" in values and not values["title"].strip():
        raise invalid(resource, "title", "missing_field")
    for name, most in (("title", 256), ("body", 65_536), ("description", 140)):
        if len(values.get(name) or "") > most:
            what = f"{name} is too long (maximum is {most} characters)"
            raise invalid(resource, name, "custom", message=what)
