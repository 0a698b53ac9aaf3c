"""live.toml: what is written is read back, and every mistake is named at once."""

from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.live_config import (
    Change,
    Live,
    LiveError,
    Slot,
    champion_at,
    digests_of,
    parse_live,
    restored_by,
    usable,
    with_champion,
    withdrawn_by,
)
from contracts.live_tables import MODES, Online

VERSIONS = st.from_regex(r"20[0-9]{6}T[0-9]{4}-([0-9a-f]{7}|[0-9a-f]{12})", fullmatch=True)
DIGESTS = st.integers(0, 16**64 - 1).map(lambda number: f"sha256:{number:064x}")
PLAIN = st.builds(Slot, VERSIONS, DIGESTS)
SALTS = st.none() | st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", fullmatch=True)

ONLINE = st.builds(
    Online,
    st.sampled_from(MODES),
    st.floats(0, 10, exclude_min=True),
    st.floats(0, 1, exclude_min=True),
    st.floats(0, 365, exclude_min=True),
)


@st.composite
def lives(draw):
    """Whatever live.toml can say."""
    shares = st.none() | st.floats(0, 1)
    most = draw(shares)
    rest = draw(st.none() | st.floats(0, 1 - (most or 0)))
    assume((most or 0) + (rest or 0) <= 1)
    challenger = st.builds(Slot, VERSIONS, DIGESTS, st.just(most)) | st.builds(
        Slot, VERSIONS, DIGESTS, mode=st.just("shadow")
    )
    anchor = st.builds(Slot, VERSIONS, DIGESTS, st.just(rest))
    return Live(
        draw(st.none() | PLAIN),
        draw(st.none() | challenger),
        draw(st.none() | anchor),
        draw(SALTS),
        online=draw(ONLINE),
    )


LIVES = lives()


@given(LIVES)
def test_what_is_written_is_read_back(live):
    """Whatever the roles."""
    assert parse_live(live.to_toml()) == live


@given(LIVES, PLAIN)
def test_a_new_champion_leaves_all_else(live, slot):
    """A retrain does not end an A/B test."""
    after = with_champion(live, slot.version, slot.digest)

    first = live.champion is None and live.anchor is None
    assert (after.anchor, after.salt) == (slot if first else live.anchor, live.salt)
    assert after.online == live.online
    assert after.champion == slot
    if live.challenger and live.challenger.version != slot.version:
        assert after.challenger == live.challenger


@pytest.mark.parametrize("extra", [{"share": 0.2}, {"mode": "shadow"}, {}])
def test_a_challenger_that_becomes_champion_leaves_its_place(extra):
    """Nobody challenges itself; the holdback and the salt stay."""
    digest = "sha256:" + "a" * 64
    live = Live(Slot("v1", digest), Slot("v2", digest, **extra), Slot("v0", digest, 0.05), salt="s-1")

    assert with_champion(live, "v2", digest) == Live(Slot("v2", digest), None, Slot("v0", digest, 0.05), "s-1")


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
            "[challenger]\nversion = 7\nshare = 2\nmode = 'canary'\nweight = 1\n"
            "[split]\nsalt = 'a b'\nseed = 1\n"
        )

    for words in (
        "[champian] is not a role; roles are champion, challenger, anchor",
        "[split] has the salt",
        "champion.colour is not known; keys are version, digest",
        "champion.version is '../up'; expected one such as 20261123T0317-a1b2c3d4e5f6",
        "champion.digest is 'md5:1'; expected sha256: and 64 hexadecimal digits",
        "challenger.version is 7",
        "challenger.digest is None",
        "challenger.share is 2; expected a number from 0 to 1",
        "challenger.mode is 'canary'; expected \"shadow\", or a share instead",
        "challenger.weight is not known; keys are version, digest, share, mode",
        "split.seed is not known; the only key is salt",
        "split.salt is 'a b'; expected at most 64 letters, digits, '.', '_' and '-'",
    ):
        assert words in str(caught.value)


SOME = f'version = "v"\ndigest = "sha256:{"a" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"[challenger]\n{SOME}share = 0.7\n[anchor]\n{SOME}share = 0.31\n",
            "the shares of challenger (0.7) and anchor (0.31) sum to 1.01; expected at most 1",
        ),
        (
            f'[challenger]\n{SOME}share = 0.7\nmode = "shadow"\n',
            "challenger has a share and a mode; expected one of them, a shadow answers no request",
        ),
        (
            f"[champion]\n{SOME}share = 0.7\n",
            "champion.share is not allowed; the champion gets the rest of the traffic",
        ),
        (f'[anchor]\n{SOME}mode = "shadow"\n', "anchor.mode is not known; keys are"),
        (f"[anchor]\n{SOME}share = true\n", "anchor.share is True; expected a number from 0 to 1"),
        (f"[anchor]\n{SOME}share = nan\n", "anchor.share is nan; expected a number from 0 to 1"),
        ("split = 3\n", "split is 3; expected a table [split]"),
    ],
)
def test_arms_that_make_no_sense_are_refused_in_a_sentence(text, words):
    """It says what would make sense."""
    with pytest.raises(LiveError) as caught:
        parse_live(text)

    assert words in str(caught.value)


@pytest.mark.parametrize("tenths", range(11))
def test_shares_that_are_written_to_sum_to_one_do(tenths):
    """0.1 and 0.9 are no sum that a float can spoil."""
    text = "".join(
        f"[{role}]\n{SOME}share = {share / 10}\n" for role, share in (("challenger", tenths), ("anchor", 10 - tenths))
    )

    assert parse_live(text).challenger.share == tenths / 10


@pytest.mark.parametrize("text", ["champion = 3", "[champion", "[champion]\nversion = true"])
def test_a_broken_file_is_no_live_file(text):
    """Neither is a role that is no table."""
    with pytest.raises(LiveError):
        parse_live(text)


@pytest.mark.parametrize(
    ("champions", "withdrawn", "restored"),
    [
        ([], {}, set()),
        (["a"], {}, set()),
        (["a", "b", "c"], {}, set()),
        (["a", "b", "a"], {"b": "b"}, set()),
        (["a", "b", "a", "b"], {}, {"b"}),
        (["a", "b", ""], {"b": "b"}, set()),
        (["a", "b", "", "b"], {}, {"b"}),
        (["a", "b", "a", "c"], {"b": "b"}, set()),
        (["a", "b", "c", "b", "a"], {"b": "b", "c": "c"}, set()),
        # By two: the one in the middle is withdrawn with the bad one, and comes back with it.
        (["a", "b", "c", "a"], {"b": "c", "c": "c"}, set()),
        (["a", "b", "c", "a", "c"], {}, {"b", "c"}),
        (["a", "b", "c", "a", "b"], {"c": "c"}, {"b"}),
        (["a", "b", "c", "b", "a", "c"], {"b": "b"}, {"c"}),
        # An experiment ends: the champion stays.
        (["a", "b", "b"], {}, set()),
        (["a", "b", "b", "a", "a"], {"b": "b"}, set()),
        # Of two that were made in one minute, the one that was live first is the older.
        (["1-b", "1-a", "1-b"], {"1-a": "1-a"}, set()),
        # A challenger that is older than the champion wins, or a person lands an older candidate: no rollback.
        (["1-a", "3-c", "2-b"], {}, set()),
        (["1-a", "3-c", "2-b", "3-c"], {"2-b": "2-b"}, set()),
    ],
)
def test_a_move_to_an_earlier_champion_withdraws_all_that_came_after_it(champions, withdrawn, restored):
    """Until that rollback is undone."""
    assert withdrawn_by(champions) == withdrawn
    assert restored_by(champions) == restored


@given(st.lists(st.sampled_from(["", "1-a", "1-b", "2-c", "3-d"]), min_size=1))
def test_what_is_live_is_never_withdrawn(champions):
    """However it came to be live; and of two facts about a version, one holds."""
    withdrawn, restored = withdrawn_by(champions), restored_by(champions)

    assert champions[-1] not in withdrawn
    assert withdrawn.keys() | {*withdrawn.values()} | restored <= set(champions)
    assert not withdrawn.keys() & restored
    assert "" not in {*withdrawn, *restored}


def change(at, live, commit="c"):
    return Change(commit, at, f"commit at {at}", live if isinstance(live, str) else live.to_toml())


def test_the_digests_to_trust_are_those_of_mains_history():
    """Of every role, and of each version all that it was ever given."""
    one, two, three = (f"sha256:{each * 64}" for each in "123")
    history = [
        change("3", Live(Slot("b", two), anchor=Slot("a", three))),
        change("2", "[champian]"),
        change("1", Live(Slot("a", one), Slot("c", three, 0.5))),
        change("0", Live()),
    ]

    assert digests_of(history) == {"a": {one, three}, "b": {two}, "c": {three}}


@pytest.mark.parametrize(
    ("when", "expected"), [("03:00:00", ""), ("03:00:01", "a"), ("04:00:00", "a"), ("04:00:01", "b"), ("09:00:00", "b")]
)
def test_what_was_live_at_a_time_is_in_the_history(when, expected):
    """A change of the same second came after: a comment is not about what it did not see."""
    digest = f"sha256:{'1' * 64}"
    history = [
        change("2026-01-01T04:00:00Z", Live(Slot("b", digest))),
        change("2026-01-01T03:00:00Z", Live(Slot("a", digest))),
    ]

    assert champion_at(history, datetime.fromisoformat(f"2026-01-01T{when}+00:00")) == expected


def test_a_file_without_a_table_has_corrections_in_shadow_mode():
    """Nothing new reaches users by default."""
    assert parse_live("").online == Online("shadow", 1.0, 0.5, 3.0)
    assert parse_live('[online]\nmode = "on"\nmax_shift = 0.5\n').online == Online("on", 0.5)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("online = 1", "online is 1; expected a table [online]"),
        ('[online]\nmode = "yes"', "online.mode is 'yes'; expected"),
        ("[online]\nmode = true", "online.mode is True"),
        ("[online]\nmode = []", "online.mode is []"),
        ("[online]\nmax_shift = 0", "online.max_shift is 0; expected a number above 0, at most 10"),
        ("[online]\nmax_shift = inf", "online.max_shift is inf"),
        ("[online]\nmax_flips = nan", "online.max_flips is nan"),
        ("[online]\nmax_flips = 1.5", "online.max_flips is 1.5; expected a number above 0, at most 1"),
        ("[online]\nhalf_life = true", "online.half_life is True"),
        ('[online]\nhalf_life = "3d"', "online.half_life is '3d'"),
        ("[online]\nmod = 1", "online.mod is not known; keys are mode, max_shift, max_flips, half_life"),
    ],
)
def test_a_wrong_table_corrects_nothing_and_the_champion_is_served(table, problem):
    """A mistake in the limits must not stop a rollback."""
    champion = Slot("20260301T0000-abcdef012345", "sha256:" + "a" * 64)
    texts = [Live(champion).to_toml(), table]
    text = "\n".join(reversed(texts) if table.startswith("online") else texts)

    live, problems = usable(text)

    assert (live.champion, live.online.mode) == (champion, "off")
    assert len(problems) == 1
    assert problem in problems[0]


def test_all_mistakes_of_the_table_are_named_at_once():
    """With those of the slots."""
    with pytest.raises(LiveError) as error:
        parse_live('[online]\nmode = "x"\nmax_shift = -1\nrate = 2\n[champion]\nversion = "v"\n')
    for words in ("online.mode", "online.max_shift", "online.rate", "champion.digest"):
        assert words in str(error.value)
