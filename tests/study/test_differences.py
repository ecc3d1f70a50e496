from stages.study.differences import differences, readable

DEFAULT = {
    "seed": 0,
    "train": {"lr": 0.1, "schedule": {"curve": "step", "milestones": [10, 15]}},
    "methods": {"l1": {"ratio": 0.7}, "random": {"ratio": 0.7}},
    "last": None,
}


def test_equal_settings_have_no_difference():
    assert differences(DEFAULT, DEFAULT) == []
    assert differences({"a": 1.0}, {"a": 1}) == []


def test_what_differs_is_listed_by_dotted_key_in_the_order_of_the_study():
    ours = {
        "methods": {"l2": {"ratio": 0.5, "kind": "uniform"}, "l1": {"ratio": 0.6}},
        "last": False,
        "train": {"schedule": {"milestones": [80], "curve": "step"}, "lr": 1e-05},
        "seed": 0,
        "more": {},
    }
    assert differences(ours, DEFAULT) == [
        ("methods.l2", "–", "ratio: 0.5, kind: uniform"),
        ("methods.l1.ratio", "0.7", "0.6"),
        ("methods.random", "ratio: 0.7", "–"),
        ("last", "null", "false"),
        ("train.schedule.milestones", "[10, 15]", "[80]"),
        ("train.lr", "0.1", "1.0e-05"),
        ("more", "–", "{}"),
    ]


def test_a_part_of_the_settings_is_given_by_dotted_keys():
    ours = {"train.lr": 0.2, "methods": DEFAULT["methods"]}
    default = {"train.lr": 0.1, "methods": DEFAULT["methods"]}
    assert differences(ours, default) == [("train.lr", "0.1", "0.2")]


def test_a_group_in_place_of_a_value_is_a_difference():
    assert differences({"a": {"b": 1}}, {"a": 2}) == [("a", "2", "b: 1")]


def test_values_are_readable_on_one_line():
    assert readable("plain words") == "plain words"
    assert readable("yes") == "'yes'"
    assert readable(["scaled", {"a": [1, 2]}]) == "[scaled, {a: [1, 2]}]"
    assert readable({f"key{i}": "a long value – with a dash" for i in range(30)}).count("\n") == 0
