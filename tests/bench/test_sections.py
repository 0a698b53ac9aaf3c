"""Each benchmark owns its part of BENCHMARKS.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sections import SECTIONS, put

WORDS = st.text(st.characters(blacklist_characters="<\r", codec="utf-8"), min_size=1).map(lambda words: f"## x{words}x")


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), WORDS), min_size=1, max_size=8))
def test_a_section_is_replaced_and_the_others_stay(tmp_path_factory, puts):
    """Whatever the order in which they are written, they stand in one order."""
    path = tmp_path_factory.mktemp("sections") / "B.md"
    for name, words in puts:
        put(path, name, words)
    text = path.read_text(encoding="utf-8")
    wanted = dict(puts)

    for name, words in wanted.items():
        assert f"<!-- {name} -->\n{words.strip(chr(10))}\n<!-- /{name} -->" in text
    assert [each for each in SECTIONS if f"<!-- {each} -->" in text] == [each for each in SECTIONS if each in wanted]
    assert text.startswith("# Benchmarks\n")


def test_a_name_of_no_section_is_refused(tmp_path):
    """Rather than written where nobody finds it."""
    with pytest.raises(ValueError, match="sections are scorer, before, gate, decision, speed"):
        put(tmp_path / "B.md", "scoerr", "")
