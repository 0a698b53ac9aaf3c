"""Whatever is written by others, a page on GitHub stays ours."""

import re

from hypothesis import given
from hypothesis import strategies as st

from reporting.markdown import Section, code, page, text

SIGNS = st.text(st.sampled_from("a1 <!->@#`~|*_[]()\\$&;:/.\n\rGHw\u202e\x00\ud800"), max_size=60)


@given(st.one_of(st.text(), SIGNS))
def test_nothing_that_github_acts_on_is_left(value):
    """No HTML, no fence, no mention, no link of GitHub's own making, and one line."""
    words = text(value)

    assert not re.search(r"[<>@`|*~\[\]$\\\n\r]|://|(?<!&)#|www\.|gh-\d", words, re.IGNORECASE)
    assert re.sub(r"&(amp|lt|gt|#\d+);", "", words).count("&") == 0
    words.encode()


def test_what_is_harmless_is_left_as_it_is():
    """The report is read in a terminal too."""
    assert text("log_loss is -0.04 (95%: +0.1), {'a': 1}") == "log_loss is -0.04 (95%: +0.1), {'a': 1}"
    assert text("see #12, GH-12 and @me") == ("see &#35;&#8203;12, GH&#8203;-12 and &#64;&#8203;me")
    assert text("_all_") == "&#95;all&#95;"


def test_text_is_cut_and_on_one_line():
    """A message of a crash may be a page long."""
    assert text("a\n b\t c") == "a b c"
    assert len(text("x" * 10_000)) == 400
    assert text("x" * 10_000).endswith("x…")
    assert len(code("x" * 10_000)) == 120 + len("<code></code>")


def test_a_page_that_is_too_long_loses_its_largest_folded_section_first():
    """Then the largest of the others; never one that is kept; and it is said."""
    sections = [
        Section("verdict", "v" * 50, kept=True),
        Section("metrics", "m" * 60),
        Section("empty", ""),
        Section("slices", "s" * 100, folded=True),
        Section("charts", "c" * 300, folded=True),
    ]
    left = {
        longest: [name for name in "vmsc" if name * 50 in page(sections, longest)] for longest in (900, 500, 230, 150)
    }

    assert left == {900: [*"vmsc"], 500: [*"vms"], 230: [*"vm"], 150: [*"v"]}
    assert page(sections, 500).endswith("Left out, to fit here: charts; verdict.json has all of it.\n")
    assert "empty" not in page(sections, 150)
    assert page([sections[0]], 10).startswith("v" * 50)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=8), st.integers(200, 2_000))
def test_no_fold_and_no_fence_stays_open(parts, longest):
    """Sections go as a whole."""
    fenced = [Section("s", f"```mermaid\n{'x' * n}\n```", folded) for n, folded in parts]
    words = page(fenced, longest)

    assert words.count("<details>") == words.count("</details>")
    assert words.count("```") % 2 == 0
    assert len(words) <= longest or len(words) < 200
