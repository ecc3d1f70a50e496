from tests.benchmarks.noop import bare_stages, producers


def stage(deps, outs):
    return {"deps": [{"path": path} for path in deps], "outs": [{"path": path} for path in outs]}


LOCK = {
    "prepare": stage(["stages/prepare.py"], ["data/prepared"]),
    "train": stage(["data/prepared/images", "stages/train.py"], ["models/dense"]),
    "evaluate@l1": stage(["models/dense", "data/prepared"], ["reports/arms/l1.json"]),
    "compare": stage(["reports/arms"], ["reports/README.md"]),
}


def test_a_stage_depends_on_what_is_inside_an_output_or_holds_it():
    assert producers(LOCK) == {
        "prepare": [],
        "train": ["prepare"],
        "evaluate@l1": ["prepare", "train"],
        "compare": ["evaluate@l1"],
    }


def test_the_bare_stages_have_the_same_edges():
    bare = bare_stages(LOCK)
    assert list(bare) == ["prepare", "train", "evaluate-l1", "compare"]
    assert bare["evaluate-l1"] == {
        "cmd": "echo evaluate-l1 > outs/evaluate-l1",
        "deps": ["deps/evaluate-l1", "outs/prepare", "outs/train"],
        "outs": ["outs/evaluate-l1"],
    }
