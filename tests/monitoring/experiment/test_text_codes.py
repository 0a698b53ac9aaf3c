"""Texts as numbers: quick where it can be, and never another answer than comparing the texts."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.experiment.text_codes import TextIndex, texts_only

#: Two texts that become the same number.
ALIKE = ("visitor1DA00BBAA", "azztufexYZLccxnr")
TEXT = st.one_of(st.sampled_from(["", "a", "a\0", "é", "x" * 8, "x" * 9, "x" * 65, *ALIKE]), st.text(max_size=20))
COLUMNS = st.lists(st.one_of(TEXT, st.none()), max_size=12)


def column(texts):
    return pd.Series(texts, dtype=object if any(map(odd, texts)) else "str")


def odd(text):
    """Whether no Arrow array can hold it."""
    return text is not None and any("\ud800" <= sign <= "\udfff" for sign in text)


@given(st.lists(TEXT, max_size=12, unique=True), COLUMNS)
def test_a_text_is_found_where_it_is_and_nowhere_else(known, texts):
    """Whatever number it becomes, of however many bytes it is."""
    places = {text: place for place, text in enumerate(known)}

    assert TextIndex(column(known))(column(texts)).tolist() == [places.get(each, -1) for each in texts]


@pytest.mark.parametrize("known", [ALIKE, ALIKE[:1]])
def test_texts_that_become_the_same_number_stay_two(known):
    """They are compared, then."""
    both = column(list(ALIKE))

    assert TextIndex(column(list(known)))(both).tolist() == [0, 1 if len(known) == 2 else -1]


def test_what_is_no_text_is_missing():
    """A column of JSON has anything in it."""
    assert texts_only(pd.Series(["a", 1, None, ["b"]], dtype=object)).notna().tolist() == [True, False, False, False]
