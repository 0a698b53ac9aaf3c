"""Releases and their assets on the fake GitHub, each with GitHub's rules for it."""

from tests.forge.fake_github import NAME, SaysNoError, invalid, route, text


@route("GET", "releases")
def releases(fake, asked, query):
    sees_drafts = asked.who and (asked.who[0] or {"contents": "write"}).get("contents") == "write"
    newest = sorted(fake.releases.values(), key=lambda r: r["id"], reverse=True)
    return 200, [fake.release(r["id"]) for r in newest if sees_drafts or not r["draft"]]


@route("POST", "releases")
def new_release(fake, asked, query):
    text("Release", query["sent"])
    assert query["sent"]["draft"], "the robots always begin with a draft"
    number = fake.next()
    upload = f"{fake.url}/repos/{NAME}/releases/{number}/assets{{?name,label}}"
    more = {"id": number, "immutable": False, "created_at": fake.at(), "upload_url": upload}
    fake.releases[number] = query["sent"] | more
    return 201, fake.release(number)


@route("GET", "releases/latest")
def latest(fake, asked, query):
    if fake.latest() is None:
        raise SaysNoError(404, "Not Found")
    return 200, fake.release(fake.latest())


@route("GET", "releases/tags/(.+)")
def release_of_tag(fake, asked, query, tag):
    for each in fake.releases.values():
        if each["tag_name"] == tag and not each["draft"]:
            return 200, fake.release(each["id"])
    raise SaysNoError(404, "Not Found")


@route("PATCH", r"releases/(\d+)")
def change_release(fake, asked, query, number):
    sent, release = query["sent"], fake.releases[int(number)]
    text("Release", sent)
    after, pin = release | sent, sent.get("make_latest", "legacy")
    if pin not in ("true", "false", "legacy"):
        raise invalid("Release", "make_latest", "invalid")
    if pin == "true" and (after["draft"] or after["prerelease"]):
        what = "Latest release cannot be draft or prerelease."
        raise invalid("Release", "make_latest", "custom", message=what)
    if release["draft"] and not after["draft"]:
        tag = after["tag_name"]
        others = (r for r in fake.releases.values() if not r["draft"])
        if tag in fake.burned or tag in {each["tag_name"] for each in others}:
            raise invalid("Release", "tag_name", "already_exists")
        head = fake.refs.setdefault(f"tags/{tag}", fake.resolve(after.get("target_commitish", fake.default)))
        created = fake.commits[head]["committer"]["date"]
        after |= {"created_at": created, "immutable": fake.immutable}
    if pin == "true":
        fake.pinned = release["id"]
    release |= after
    return 200, fake.release(release["id"])


@route("DELETE", r"releases/(\d+)")
def delete_release(fake, asked, query, number):
    release = fake.releases.pop(int(number), None)
    if release is None:
        raise SaysNoError(404, "Not Found")
    if release["immutable"]:
        fake.burned.add(release["tag_name"])
    fake.assets = {k: a for k, a in fake.assets.items() if a["release"] != release["id"]}
    return 204, None


@route("GET", r"releases/(\d+)/assets")
def assets(fake, asked, query, number):
    return 200, fake.release(int(number))["assets"]


@route("POST", r"releases/(\d+)/assets")
def new_asset(fake, asked, query, number):
    release, name = fake.releases[int(number)], query["name"]
    if release["immutable"]:
        raise SaysNoError(422, "Cannot upload assets to an immutable release.")
    if any((a["release"], a["name"]) == (int(number), name) for a in fake.assets.values()):
        raise invalid("ReleaseAsset", "name", "already_exists")
    asset = {"id": fake.next(), "release": int(number), "name": name, "state": "uploaded"}
    fake.assets[asset["id"]] = asset | {"content": query["sent"]}
    return 201, fake.asset(asset["id"])


@route("GET", r"releases/assets/(\d+)")
def asset(fake, asked, query, number):
    assert asked.headers["Accept"] == "application/octet-stream"
    # Another host, as far as a client can see.
    return 302, f"{fake.url.replace('127.0.0.1', 'localhost')}/store/{number}"


@route("DELETE", r"releases/assets/(\d+)")
def delete_asset(fake, asked, query, number):
    if fake.releases[fake.assets[int(number)]["release"]]["immutable"]:
        raise SaysNoError(422, "Cannot delete asset from an immutable release")
    del fake.assets[int(number)]
    return 204, None
