"""live.toml: what is written is read back, and every mistake is named at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge.live import Live, LiveError, Slot, parse_live, with_champion, withdrawn_by

VERSIONS = st.from_regex(r"20[0-9]{6}T[0-9]{4}-[0-9a-f]{7}", fullmatch=True)
SLOTS = st.builds(
    Slot,
    VERSIONS,
    st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True),
    st.none() | st.floats(0, 1),
)
LIVES = st.builds(Live, st.none() | SLOTS, st.none() | SLOTS, st.none() | SLOTS)


@given(LIVES)
def test_what_is_written_is_read_back(live):
    """Whatever the roles."""
    assert parse_live(live.to_toml()) == live


@given(LIVES, SLOTS)
def test_a_new_champion_leaves_the_other_roles(live, slot):
    """A retrain does not end an A/B test."""
    after = with_champion(live, slot.version, slot.digest)

    assert (after.challenger, after.anchor) == (live.challenger, live.anchor)
    assert after.champion == Slot(slot.version, slot.digest)


@given(st.text())
def test_text_is_understood_or_refused_in_words(text):
    """Nothing else comes out of it, whatever somebody typed."""
    try:
        assert isinstance(parse_live(text), Live)
    except LiveError as error:
        assert str(error).startswith("live.toml")


def test_every_mistake_is_named_at_once():
    """One look at the message is enough to put it right."""
    with pytest.raises(LiveError) as caught:
        parse_live(
            '[champian]\nversion = "x"\n[champion]\nversion = "../up"\ndigest = "md5:1"\ncolour = 3\n'
            "[challenger]\nversion = 7\nshare = 2\n"
        )

    for words in (
        "[champian] is not a role; roles are champion, challenger, anchor",
        "champion.colour is not known; keys are version, digest, share",
        "champion.version is '../up'; expected one such as 20261123T0317-a1b2c3d",
        "champion.digest is 'md5:1'; expected sha256: and 64 hexadecimal digits",
        "challenger.version is 7",
        "challenger.digest is None",
        "challenger.share is 2; expected a number from 0 to 1",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("text", ["champion = 3", "[champion", "[champion]\nversion = true"])
def test_a_broken_file_is_no_live_file(text):
    """Neither is a role that is no table."""
    with pytest.raises(LiveError):
        parse_live(text)


@pytest.mark.parametrize(
    ("champions", "withdrawn"),
    [
        ([], set()),
        (["a"], set()),
        (["a", "b", "c"], set()),
        (["a", "b", "a"], {"b"}),
        (["a", "b", "c", "a"], {"c"}),
        (["a", "b", "a", "b"], set()),
        (["a", "b", ""], {"b"}),
        (["a", "b", "a", "c"], {"b"}),
        (["a", "b", "c", "b", "a"], {"b", "c"}),
        # Two that were made in one minute: the one that was live first is the older.
        (["1-b", "1-a"], set()),
        (["1-b", "1-a", "1-b"], {"1-a"}),
        (["1-a", "1-b", "1-a"], {"1-b"}),
        # One that was never live, made before the champion: a person went back to it.
        (["2-a", "1-b"], {"2-a"}),
    ],
)
def test_a_move_to_an_older_version_withdraws_the_newer(champions, withdrawn):
    """Unless that becomes champion again."""
    assert withdrawn_by(champions) == withdrawn


@given(st.lists(st.sampled_from(["", "1-a", "1-b", "2-c", "3-d"]), min_size=1))
def test_what_is_live_is_never_withdrawn(champions):
    """However it came to be live."""
    withdrawn = withdrawn_by(champions)

    assert champions[-1] not in withdrawn
    assert withdrawn <= set(champions)
