"""The requests that the fake GitHub knows, each with GitHub's rules for it."""

from tests.forge.fake_github import NAME, SaysNoError, invalid, route, text


@route("GET", "")
def repository(fake, asked, query):
    known = {"full_name": NAME, "private": fake.private, "default_branch": fake.default}
    return 200, known | fake.shown


# Files and git


@route("GET", "contents/(.+)")
def file(fake, asked, query, path):
    files = fake.files(fake.resolve(query.get("ref", fake.default)))
    if path not in files:
        raise SaysNoError(404, "Not Found")
    assert "raw" in asked.headers["Accept"]
    return 200, files[path].encode()


@route("GET", "commits")
def log(fake, asked, query):
    found, path = [], query["path"]
    for sha in fake.log(fake.resolve(query.get("sha", fake.default))):
        before = [fake.files(p["sha"]).get(path) for p in fake.commits[sha]["parents"]] or [None]
        if fake.files(sha).get(path) not in before:
            found.append({"sha": sha, "commit": fake.commits[sha]})
    return 200, found


@route("GET", "git/ref/(.+)")
def ref(fake, asked, query, name):
    if name not in fake.refs:
        raise SaysNoError(404, "Not Found")
    return 200, {"ref": f"refs/{name}", "object": {"sha": fake.refs[name]}}


@route("GET", "git/commits/(.+)")
def commit(fake, asked, query, sha):
    return 200, fake.commits[fake.resolve(sha)]


@route("POST", "git/trees")
def new_tree(fake, asked, query):
    files = dict(fake.trees[query["sent"]["base_tree"]])
    for entry in query["sent"]["tree"]:
        files[entry["path"]] = entry["content"]
    return 201, {"sha": fake.tree(files)}


@route("POST", "git/commits")
def new_commit(fake, asked, query):
    sent = query["sent"]
    return 201, fake.commits[fake.commit(sent["tree"], sent["parents"], sent["message"])]


@route("POST", "git/refs")
def new_ref(fake, asked, query):
    name = query["sent"]["ref"].removeprefix("refs/")
    if name in fake.refs:
        raise SaysNoError(422, "Reference already exists")
    fake.refs[name] = fake.resolve(query["sent"]["sha"])
    return 201, {"ref": f"refs/{name}"}


@route("PATCH", "git/refs/(.+)")
def move_ref(fake, asked, query, name):
    if name not in fake.refs:
        raise SaysNoError(422, "Reference does not exist")
    fake.refs[name] = fake.resolve(query["sent"]["sha"])
    return 200, {"ref": f"refs/{name}"}


@route("DELETE", "git/refs/tags/(.+)")
def delete_tag(fake, asked, query, name):
    if fake.refs.pop(f"tags/{name}", None) is None:
        raise SaysNoError(422, "Reference does not exist")
    return 204, None


@route("GET", r"compare/(.+)\.\.\.(.+)")
def compare(fake, asked, query, one, other):
    one, other = fake.resolve(one), fake.resolve(other)
    base = fake.base(other, one)
    return 200, {
        "merge_base_commit": {"sha": base},
        "behind_by": fake.log(one).index(base),
        "files": [{"filename": path} for path in fake.changed(base, other)],
    }


# Pull requests


def new_issue(fake, asked, values, labels=()):
    number = 1 + len(fake.issues)
    _, user, association = asked.who
    fake.issues[number] = {
        "number": number,
        "title": values["title"],
        "body": values.get("body"),
        "state": "open",
        "labels": [{"name": each} for each in labels],
        "user": user,
        "author_association": association,
        "closed_at": None,
        "html_url": f"https://github.com/{NAME}/issues/{number}",
    }
    return number


@route("GET", "pulls")
def pulls(fake, asked, query):
    shown = [fake.pull(number) for number in sorted(fake.pulls, reverse=True)]
    owner, _, branch = query.get("head", "").partition(":")
    if branch:  # without an owner GitHub ignores the filter
        shown = [p for p in shown if (owner, branch) == (NAME.split("/")[0], p["head"]["ref"])]
    if "base" in query:
        shown = [p for p in shown if p["base"]["ref"] == query["base"]]
    state = query.get("state", "open")
    return 200, [each for each in shown if state in ("all", each["state"])]


@route("GET", r"pulls/(\d+)")
def pull(fake, asked, query, number):
    return 200, {"draft": False, "mergeable": True, "mergeable_state": "clean"} | fake.pull(int(number))


@route("POST", "pulls")
def new_pull(fake, asked, query):
    sent = query["sent"]
    if not fake.may_open_pulls:
        raise SaysNoError(403, "GitHub Actions is not permitted to create or approve pull requests.")
    text("PullRequest", sent)
    branch, head = sent["head"], fake.refs.get(f"heads/{sent['head']}")
    if head is None:
        raise invalid("PullRequest", "head", "invalid")
    if any(fake.pull(n)["state"] == "open" and p["branch"] == branch for n, p in fake.pulls.items()):
        what = f"A pull request already exists for {NAME.split('/')[0]}:{branch}."
        raise invalid("PullRequest", "head", "custom", message=what)
    base = sent["base"]
    if f"heads/{base}" not in fake.refs:
        raise invalid("PullRequest", "base", "invalid")
    if fake.base(head, fake.refs[f"heads/{base}"]) == head:
        what = f"No commits between {base} and {branch}"
        raise invalid("PullRequest", "head", "custom", message=what)
    number = new_issue(fake, asked, sent)
    fake.pulls[number] = {"branch": branch, "sha": head, "merged_at": None, "commit": None, "base": base}
    return 201, fake.pull(number)


@route("PATCH", r"(pulls|issues)/(\d+)")
def change_issue(fake, asked, query, kind, number):
    number, sent = int(number), query["sent"]
    text("Issue", sent)
    if kind == "pulls":
        fake.pull(number)  # its head is as it was when it was closed
    issue = fake.issues[number]
    issue |= {k: sent[k] for k in ("title", "body", "state") if k in sent}
    if "state" in sent:
        closed = issue["closed_at"] or fake.at()
        issue["closed_at"] = closed if sent["state"] == "closed" else None
    return 200, fake.pull(number) if kind == "pulls" else fake.issue(number)


@route("GET", r"pulls/(\d+)/files")
def pull_files(fake, asked, query, number):
    head = fake.pull(int(number))["head"]["sha"]
    base = fake.base(head, fake.refs[f"heads/{fake.default}"])
    return 200, [{"filename": path} for path in fake.changed(base, head)]


@route("PUT", r"pulls/(\d+)/merge")
def merge(fake, asked, query, number):
    pull, sent = fake.pull(int(number)), query["sent"]
    name = pull["base"]["ref"]
    main = fake.refs[f"heads/{name}"]
    head = pull["head"]["sha"]
    if pull["state"] != "open":
        raise SaysNoError(405, "Pull Request is not mergeable")
    if sent["sha"] != head:
        raise SaysNoError(409, "Head branch was modified. Review and try the merge again.")
    base = fake.base(head, main)
    changed = fake.changed(base, head)
    if {*changed} & {*fake.changed(base, main)}:
        raise SaysNoError(405, "Pull Request is not mergeable")
    assert sent["merge_method"] == "squash"
    message = f"{sent['commit_title']}\n\n{sent['commit_message']}".strip()
    fake.push({path: fake.files(head)[path] for path in changed}, message, name)
    stored = fake.pulls[int(number)]
    stored["merged_at"], stored["commit"] = fake.at(), fake.refs[f"heads/{name}"]
    fake.issues[int(number)]["state"] = "closed"
    return 200, {"sha": stored["commit"], "merged": True}


@route("PUT", r"issues/(\d+)/labels")
def set_labels(fake, asked, query, number):
    fake.issues[int(number)]["labels"] = [{"name": each} for each in query["sent"]["labels"]]
    return 200, fake.issues[int(number)]["labels"]


@route("POST", "statuses/(.+)")
def new_status(fake, asked, query, sha):
    text("Status", query["sent"], ())
    assert query["sent"]["state"] in {"success", "failure", "pending", "error"}
    fake.statuses.insert(0, query["sent"] | {"sha": fake.resolve(sha)})
    return 201, fake.statuses[0]


@route("GET", "commits/(.+)/status")
def status(fake, asked, query, sha):
    newest = {}
    for each in reversed(fake.statuses):
        if each["sha"] == fake.resolve(sha):
            newest[each["context"]] = each
    return 200, {"statuses": list(newest.values())}


# Comments and issues


@route("GET", r"issues/(\d+)/comments")
def comments(fake, asked, query, number):
    return 200, [each for each in fake.comments.values() if each["issue"] == int(number)]


@route("POST", r"issues/(\d+)/comments")
def new_comment(fake, asked, query, number):
    text("IssueComment", query["sent"])
    _, user, association = asked.who
    each = {"id": fake.next(), "issue": int(number), "body": query["sent"]["body"], "user": user}
    each["created_at"] = each["updated_at"] = fake.at()
    fake.comments[each["id"]] = each | {"author_association": association}
    return 201, each


@route("PATCH", r"issues/comments/(\d+)")
def change_comment(fake, asked, query, number):
    text("IssueComment", query["sent"])
    fake.comments[int(number)] |= {"body": query["sent"]["body"], "updated_at": fake.at()}
    return 200, fake.comments[int(number)]


@route("GET", "issues")
def issues(fake, asked, query):
    shown = [fake.issue(number) for number in sorted(fake.issues, reverse=True)]
    if "labels" in query:
        shown = [i for i in shown if {"name": query["labels"]} in i["labels"]]
    state = query.get("state", "open")
    return 200, [i for i in shown if state in ("all", i["state"])]


@route("GET", r"issues/(\d+)")
def one_issue(fake, asked, query, number):
    return 200, fake.issue(int(number))


@route("POST", "issues")
def open_issue(fake, asked, query):
    text("Issue", query["sent"])
    return 201, fake.issue(new_issue(fake, asked, query["sent"], query["sent"].get("labels", ())))


@route("GET", "collaborators/([^/]+)/permission")
def permission(fake, asked, query, person):
    if person not in fake.people:
        raise SaysNoError(404, f"{person} is not a user")
    return 200, {"permission": fake.people[person], "user": {"login": person}}


# Robots


@route("GET", "actions/workflows/([^/]+)")
def workflow(fake, asked, query, name):
    if name not in fake.workflows:
        raise SaysNoError(404, "Not Found")
    return 200, {"state": fake.workflows[name], "created_at": "2026-01-01T00:00:00Z"}


@route("GET", "actions/workflows/([^/]+)/runs")
def runs(fake, asked, query, name):
    found = [each for each in fake.runs.get(name, ()) if each["conclusion"] == query["status"]]
    return 200, {"workflow_runs": found[: int(query["per_page"])]}


@route("GET", "actions/artifacts")
def artifacts(fake, asked, query):
    found = [each for each in fake.artifacts if each["name"] == query["name"]]
    return 200, {"total_count": len(found), "artifacts": found}


@route("GET", r"actions/artifacts/(\d+)/zip")
def artifact(fake, asked, query, number):
    if "json" not in asked.headers["Accept"]:
        raise SaysNoError(415, "Unsupported 'Accept' header: 'application/octet-stream'.")
    return 302, f"{fake.url.replace('127.0.0.1', 'localhost')}/store/{number}"


# Settings


@route("GET", "((?:rules|rulesets|branches|environments|codeowners|actions|git/trees)/.+)")
def setting(fake, asked, query, path):
    commit = path.removeprefix("git/trees/")
    if commit in fake.commits and path not in fake.settings:
        tree = [{"path": each, "type": "blob"} for each in fake.files(commit)]
        return 200, {"sha": commit, "tree": tree, "truncated": False}
    found = fake.settings.get(path, 404)
    if isinstance(found, int):
        raise SaysNoError(
            found, {401: "Requires authentication", 403: "Resource not accessible"}.get(found, "Not Found")
        )
    return 200, found
