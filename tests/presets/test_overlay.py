from textwrap import dedent, indent

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stages.pipeline.fault import Fault
from stages.presets.overlay import REPLACED, overlaid, with_value

BASE = dedent("""\
    # About the whole.
    seed: 0

    data:
      # Which images.
      source: digits  # or others
      limit: 010

    train:
      # An exact number.
      decay: 1.0e-4
      schedule:
        curve: step
        # In epochs.
        milestones: [10, 15]
      # About the rest.
      rest: {}

    # About the last group.
    last:
      path:
      - a
      - b
    """)


def laid(changes):
    settings = indent(dedent(changes), "  ")
    return overlaid(BASE, f"title: x\nsettings:\n{settings}", "settings")


def test_no_settings_change_nothing():
    assert overlaid(BASE, "settings: {}\n", "settings") == BASE


def test_a_value_is_replaced_and_all_else_stays():
    expected = BASE.replace("source: digits  # or others", "source: mnist  # or others")
    assert laid("  data:\n    source: mnist\n") == expected
    assert laid("  data: {source: mnist}\n") == expected


def test_numbers_keep_their_spelling():
    text = laid("  train:\n    decay: 1.0e-05\n")
    assert text == BASE.replace("1.0e-4", "1.0e-05")
    assert "limit: 010\n" in text


def test_a_named_group_is_replaced_whole_with_the_comments_in_it():
    text = laid("""\
      train:
        schedule:
          # Another.
          curve: cosine
    """)
    assert "train.schedule" in REPLACED
    assert text == BASE.replace(
        "curve: step\n    # In epochs.\n    milestones: [10, 15]\n",
        "# Another.\n    curve: cosine\n",
    )


def test_comments_come_along_below_those_of_the_base():
    text = laid("""\
      # Of a group.
      train:
        # Of a value:
        # two lines.
        decay: 0.1
    """)
    expected = BASE.replace("\ntrain:", "\n# Of a group.\ntrain:")
    assert text == expected.replace(
        "  # An exact number.\n  decay: 1.0e-4",
        "  # An exact number.\n  # Of a value:\n  # two lines.\n  decay: 0.1",
    )


def test_a_new_key_comes_last_in_its_group():
    text = laid("""\
      new: {a: 1}
      data:
        # Images at most.
        most: 5
      last:
        more: [1,
               2]
    """)
    expected = BASE.replace("limit: 010\n", "limit: 010\n  # Images at most.\n  most: 5\n")
    assert text == expected.replace("- b\n", "- b\n  more: [1,\n         2]\nnew: {a: 1}\n")


def test_braces_and_lists_are_one_value():
    text = laid("""\
      train:
        rest:
          a: 1
      last:
        path: [c]
    """)
    expected = BASE.replace("rest: {}", "rest:\n    a: 1")
    assert text == expected.replace("path:\n  - a\n  - b\n", "path: [c]\n")


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("seed", 3, "seed: 0", "seed: 3"),
        ("data.limit", 7, "limit: 010", "limit: 7"),
        ("train.decay", 0.5, "decay: 1.0e-4", "decay: 0.5"),
    ],
)
def test_a_number_is_set_and_all_else_stays(key, value, old, new):
    assert with_value(BASE, key, value) == BASE.replace(old, new)


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("{seed: 0, seeds: 3}", "seeds", "{seed: 0, seeds: 9}"),
        ("seeds: 3  # three\n", "seeds", "seeds: 9  # three\n"),
        ("a: {b: {c: 3}}\n", "a.b.c", "a: {b: {c: 9}}\n"),
        ("a:\n  b: '3'\n", "a.b", "a:\n  b: 9\n"),
    ],
)
def test_a_number_is_set_however_it_is_written(text, key, expected):
    assert with_value(text, key, 9) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n: &n 3\na: {b: *n}\n", 9),
        ("a: {b: &n 3}\nn: *n\n", 9),
        ("n: &n {b: 3}\na: {<<: *n}\n", 9),  # a merge
        ("a:\n  b:\n", 9),
        ("a: {b: 3}\n", float("inf")),
        ("a: {c: 3}\n", 9),
    ],
)
def test_what_is_no_number_of_its_own_is_refused(text, value):
    with pytest.raises(Fault, match=r"a\.b cannot be set here; write it out as a number"):
        with_value(text, "a.b", value)


names = st.sampled_from(["a", "b", "c", "model"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text("xy #:'\n", max_size=8))
values = st.recursive(
    st.one_of(scalars, st.lists(scalars, max_size=3)),
    lambda inner: st.dictionaries(names, inner, max_size=4),
)
trees = st.dictionaries(names, values, min_size=1, max_size=4)


def merged(base, changes):
    """The same in plain data: an empty mapping is written in braces."""
    both = {
        key: merged(base[key], value)
        if isinstance(value, dict) and value and isinstance(base.get(key), dict) and base[key]
        else value
        for key, value in changes.items()
    }
    return {**base, **both}


@given(trees, trees)
@example({"a": None, "b": {"c": {}}}, {"b": {"a": "\n#", "c": {"a": None}}})  # no comment
def test_the_text_holds_the_merged_settings(base, changes):
    text = overlaid(yaml.safe_dump(base), yaml.safe_dump({"settings": changes}), "settings")
    assert yaml.safe_load(text) == merged(base, changes)
