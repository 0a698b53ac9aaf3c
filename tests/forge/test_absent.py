"""What GitHub does not show was not deleted by anybody: nothing is decided by it."""

import pytest

from bundles.bundle import Bundle
from contracts.live_config import LIVE, parse_live, with_champion
from forge.interface import ForgeError
from forge.releases.reconciliation import agree, roll_back
from tests.forge.conftest import BUNDLES, on_github
from tests.forge.test_github_forge import A, B, everything
from tests.forge.test_terminal import NOW

pytestmark = pytest.mark.slow


@pytest.fixture
def two(github, fake):
    """A and then B became live; the same GitHub, and what it holds."""
    for name in (A, B):
        bundle = Bundle.load(BUNDLES / name)
        github.upload(bundle.version, BUNDLES / name)
        live = with_champion(parse_live(github.read(LIVE)), bundle.version, bundle.digest)
        fake.push({LIVE: live.to_toml()}, f"model {name}")
        agree(github)
    assert agree(github) is False
    return github


#: What of the API is not there for this token, or for a while -> the words that say so.
GONE = {
    "everything": ("", 404, "knows no repository"),
    "everything, as not allowed": ("", 403, "may not GET"),
    "the releases": ("/releases(\\?|$)", 404, "shows no list"),
    "the list of commits": ("/commits(\\?|$)", 404, "shows no list"),
    "an empty repository": ("/commits(\\?|$)", 409, "shows no list"),
    "the issues": ("/issues(\\?|$)", 404, "shows no list"),
    "the files": ("/contents/", 404, "differs from its newest commit|does not show"),
    "every file": ("/(contents|git/trees)/", 404, "differs from its newest commit|does not show"),
}


@pytest.mark.parametrize("what", GONE)
@pytest.mark.parametrize("new", [False, True])
def test_an_answer_that_is_not_there_is_an_error_and_changes_nothing(two, fake, what, new):
    """Of a process that has seen the repository before, and of one that has not."""
    path, status, words = GONE[what]
    before = everything(fake)
    forge = on_github(fake) if new else two
    fake.trouble(status, "GET", path, times=10**6)

    with pytest.raises(ForgeError, match=words):
        agree(forge)
    fake.faults.clear()
    assert everything(fake) == before
    assert agree(forge) is False


class Short:
    """GitHub whose list of releases lacks some of those that are there."""

    def __init__(self, forge, lacks):
        self.forge, self.lacks = forge, lacks

    def __getattr__(self, name):
        return getattr(self.forge, name)

    def releases(self):
        return [each for each in self.forge.releases() if each.version not in self.lacks]


@pytest.mark.parametrize("lacks", [{B}, {A, B}])
def test_a_list_that_is_cut_short_is_an_error_and_changes_nothing(two, fake, lacks):
    """An empty one as well: the live release is asked for by its name."""
    before = everything(fake)

    with pytest.raises(ForgeError, match="although its release exists"):
        agree(Short(two, lacks))
    assert everything(fake) == before


def test_a_release_that_was_deleted_is_still_a_rollback(two, fake):
    """The repository, the other releases and the history can be read."""
    number = next(n for n, each in fake.releases.items() if each["tag_name"] == B)
    del fake.releases[number]

    assert agree(two) is True
    assert parse_live(two.read(LIVE)).champion.version == A


def test_a_history_that_is_behind_what_main_has_is_an_error(two, fake):
    """Otherwise an older release would be made the latest, and be taken for a person's wish."""
    before = everything(fake)

    class Behind(Short):
        def history(self, path):
            return self.forge.history(path)[1:]

    with pytest.raises(ForgeError, match="differs from its newest commit"):
        agree(Behind(two, set()))
    assert everything(fake) == before


def test_a_live_file_that_was_removed_is_known_by_the_list_of_all_files(two, fake):
    """What scorers serve is still what was live before."""
    tree = {path: text for path, text in fake.files(fake.refs["heads/main"]).items() if path != LIVE}
    fake.refs["heads/main"] = fake.commit(fake.tree(tree), [fake.refs["heads/main"]], "Remove")

    assert two.history(LIVE)[0].text == ""
    roll_back(two, "", None, "odd", "", NOW)
    assert parse_live(two.read(LIVE)).champion.version == B
