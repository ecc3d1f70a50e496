import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from stages import retrain
from stages.evaluation.measure import measure
from stages.evaluation.moved import moved
from stages.evaluation.outcome import load_outcome
from stages.images.prepared import ImageSet
from stages.networks import compact
from stages.networks.building import build
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_json, save_arrays
from stages.pipeline.recovery import PROGRESS
from stages.retraining.plan import FILE, Plan, rewound_file, teacher_file
from stages.retraining.technique import Technique
from stages.schedules.rates import Rates
from stages.training.divergence import Divergence
from stages.training.history import History
from stages.training.loop import Run
from stages.training.settings import Recipe
from tests.retraining.conftest import COMPUTE, MASKED, SPEC


@pytest.fixture
def run(data, pruned, new_stage, monkeypatch):
    """Return a function that retrains a replicate, in a stage of its own where none is given."""
    monkeypatch.setattr("stages.retrain.load", lambda *where, **how: data)

    def start(arm, number=0, stage=None):
        stage = stage or new_stage()
        retrain.replicate(stage, arm, pruned, stage.outputs, number)
        return stage

    return start


def network(stage, name="last", number=0):
    return load_arrays(stage.outputs.networks / f"replicate_{number}" / f"{name}.safetensors")


def outcome(stage, number=0):
    return load_outcome(stage.outputs.outcomes / f"replicate_{number}.safetensors")


def test_a_result_is_two_networks_and_their_outcome(arm, run, data):
    stage = run(arm)
    name = "replicate_0"
    both = [f"nets/{name}/last.safetensors", f"nets/{name}/selected.safetensors"]
    assert sorted(stage.content()) == [*both, f"outcomes/{name}.safetensors"]
    files = {f: stage.outputs.networks / name / f"{f}.safetensors" for f in ("last", "selected")}
    assert compact.read_spec(files["last"]) == compact.read_spec(files["selected"]) == SPEC
    found, measured = outcome(stage), measure(files, data, COMPUTE)
    assert found.history["epoch"].tolist() == [1, 2, 3, 4]
    assert (found.lr_scale, found.round_macs) == (1.0, ())
    assert found.nonzero == measured.nonzero < found.parameters
    for name, splits in measured.logits.items():
        assert found.logits[name].keys() == splits.keys() == {"validation", "test"}
        assert all(np.array_equal(found.logits[name][s], logits) for s, logits in splits.items())


@pytest.fixture
def hot(arm, rates):
    """The arm with a learning rate that is too large for float32 from epoch 2 on."""
    lr = rates.lr.copy()
    lr[3:] = 1e39
    return replace(arm, plan=replace(arm.plan, rates=Rates(lr, rates.momentum, 3)))


def test_a_replicate_that_diverges_is_a_result_without_networks(hot, arm, run, capfd):
    stage = run(hot)
    where = stage.outputs.networks / "replicate_0"
    assert [path.name for path in where.iterdir()] == ["diverged.json"]
    found, whole = outcome(stage), outcome(run(arm))
    assert read_json(where / "diverged.json") == asdict(found.diverged)
    assert found.diverged == Divergence(2, 1e39, None)
    assert (found.logits, found.lr_scale) == ({}, 1.0)
    assert found.history["epoch"].tolist() == [1]
    assert found.history["train_loss"][0] == whole.history["train_loss"][0]
    sizes = ("parameters", "nonzero", "macs")
    assert [getattr(found, n) for n in sizes] == [getattr(whole, n) for n in sizes]
    assert capfd.readouterr().err == (
        "l1 onecycle, replicate 0: diverged in epoch 2, at learning rates up to 1e+39 "
        "(mean loss not finite)\n"
    )


def test_a_replicate_that_diverged_is_finished(hot, run, monkeypatch, capfd):
    stage = run(hot)
    expected = stage.content()
    shutil.rmtree(stage.folder)
    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    assert run(hot, stage=stage).content() == expected
    assert capfd.readouterr().err.count("replicate 0: diverged in epoch 2") == 2
    assert not list(stage.state.rglob(PROGRESS))


def test_the_others_finish_where_one_diverges(arm, run, monkeypatch, capfd):
    advance = Run.advance

    def broken(self):
        loss = advance(self)
        self.finite = self.seed != 6
        return loss

    monkeypatch.setattr(Run, "advance", broken)
    stage = run(arm, 0)
    run(arm, 1, stage)
    assert [bool(outcome(stage, number).diverged) for number in (0, 1)] == [False, True]
    assert "replicate 1: diverged in epoch 1" in capfd.readouterr().err
    assert (stage.outputs.networks / "replicate_0" / "last.safetensors").is_file()


def test_twice_gives_the_same_bytes(arm, run):
    first = run(arm).content()
    torch.rand(7)
    assert run(arm).content() == first


ADAMW = {"kind": "adamw", "beta2": 0.99}
OWN = [
    ({"optimizer": ADAMW}, {"optimizer": {**ADAMW, "weight_decay": 1e-3}}),
    ({"weight_decay": 0.1}, {"optimizer": {"kind": "sgd", "weight_decay": 0.1}}),
    ({"label_smoothing": 0.2}, {"loss": {"kind": "label_smoothing", "smoothing": 0.2}}),
]


@pytest.mark.parametrize(("keys", "changed"), OWN, ids=["optimizer", "decay", "smoothing"])
def test_an_arm_with_its_own_recipe_trains_as_if_it_were_the_recipe_of_all(
    keys, changed, arm, with_keys, run, recipe
):
    shared = Recipe(**{**dict(recipe), **changed})
    expected = run(replace(arm, recipe=shared)).content()
    assert run(with_keys(**keys)).content() == expected != run(arm).content()


def write_dense_run(arm):
    """Write what replicate 0 may need of it: a teacher wider than its own network, and slots."""
    wide = replace(SPEC, options={"width": 4 if arm.plan.technique.teacher else 2})
    compact.save(teacher_file(arm.folder, 0), build(wide, 3), wide)
    dense = build(SPEC, 4)
    state = {f"network/{name}": tensor.numpy() for name, tensor in dense.state_dict().items()}
    state |= {f"velocity/{k}": np.full(p.shape, 0.01, "f4") for k, p in dense.named_parameters()}
    save_arrays(rewound_file(arm.folder, 0), state)


RESUMED = {
    "teacher": {"teacher": {"weight": 0.9}},
    "ema": {"average": {"kind": "ema", "horizon": 0.4, "batchnorm": "reestimate"}},
    "swa": {"average": {"kind": "swa", "last": 0.6}},
    "repair": {"repair": "batchnorm"},
    "variance": {"repair": "variance"},
    "state": {"state": "kept"},
    "sharpness": {"sharpness": {"rho": 0.2}},
    "soup": {"average": {"kind": "soup", "members": 2, "rule": "greedy"}},
    "lora soup": {"average": {"kind": "soup", "members": 2}, "trainable": ("masked_lora",)},
    "lora": {"trainable": ({"masked_lora": 2}, "norm", "head")},
    "lora average": {"trainable": ("masked_lora",), "average": {"kind": "ema", "horizon": 0.4}},
    "objective": {"objective": {"kind": "reconstruct", "samples": 8, "passes": 2}},
    "clip": {"clip": 0.1},
}


@pytest.mark.parametrize("keys", RESUMED.values(), ids=RESUMED)
def test_an_arm_with_keys_of_its_own_goes_on_after_a_crash_to_the_same_bytes(
    keys, arm, with_keys, run, new_stage, monkeypatch
):
    def killed(self):
        if self.epoch == 2:
            raise KeyboardInterrupt
        return advance(self)

    own, advance, stage = with_keys(**keys), Run.advance, new_stage()
    write_dense_run(own)
    expected = run(own).content()
    assert expected != run(arm).content()
    with monkeypatch.context() as patched:
        patched.setattr(Run, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            run(own, stage=stage)
    trained = []
    monkeypatch.setattr(Run, "advance", lambda self: trained.append(self.epoch) or advance(self))
    assert run(own, stage=stage).content() == expected
    assert trained == [2, 3]


@pytest.mark.parametrize("keys", RESUMED.values(), ids=RESUMED)
def test_pruned_weights_stay_zero_whatever_the_keys(keys, arm, with_keys, run, pruned):
    own = with_keys(**keys)
    write_dense_run(own)
    stage = run(own)
    mask = load_arrays(pruned / "masks" / "replicate_0.safetensors")[MASKED]
    for name in ("last", "selected"):
        weight = network(stage, name)[MASKED]
        assert not weight[~mask].any()
        assert weight[mask].all()


def test_the_last_row_of_a_soup_is_the_network_that_is_kept(with_keys, run, data):
    """Its rates are those of two members: it ends after their four epochs."""
    found = outcome(run(with_keys(average={"kind": "soup", "members": 2})))
    assert found.history["epoch"].tolist() == [1, 2, 3, 4]
    said = found.logits["last"]["test"].argmax(1) == data.test.labels.numpy()
    assert found.history["test_accuracy"][-1] == said.mean()


def test_a_member_that_diverges_ends_the_soup(hot, run):
    """In epoch 2 of 4, the last of the first of two members; sizes are those of the network."""
    key = Technique(average={"kind": "soup", "members": 2})
    found = outcome(run(replace(hot, plan=replace(hot.plan, technique=key))))
    assert found.diverged == Divergence(2, 1e39, None)
    assert found.nonzero < found.parameters


def test_adapters_that_diverge_leave_the_size_of_the_network(hot, run):
    arms = [
        replace(hot, plan=replace(hot.plan, technique=Technique(trainable=parts)))
        for parts in (("all",), ("masked_lora",))
    ]
    plain, adapted = (outcome(run(each)) for each in arms)
    assert adapted.diverged
    sizes = ("parameters", "nonzero", "macs")
    assert [getattr(adapted, n) for n in sizes] == [getattr(plain, n) for n in sizes]


def test_greed_without_validation_images_is_told_before_training(with_keys, pruned, data):
    none = replace(data, validation=ImageSet(data.test.images[:0], data.test.labels[:0]))
    arm = with_keys(average={"kind": "soup", "members": 2, "rule": "greedy"})
    with pytest.raises(Fault, match=r"^average\.rule is 'greedy', but there are no validation"):
        arm.begin(pruned, 0, none, 1.0)


def test_an_objective_alone_leaves_the_network_that_it_made(arm, with_keys, run, pruned, data):
    own = with_keys(**RESUMED["objective"])
    nothing = Rates(np.empty(0), np.empty(0), 3)
    own = replace(own, plan=replace(own.plan, rates=nothing))
    write_dense_run(own)
    made = own.begin(pruned, 0, data, 1.0)
    stage = run(own)
    for name in ("last", "selected"):
        for key, array in network(stage, name).items():
            assert np.array_equal(array, made.network.state_dict()[key].numpy()), key
    found = outcome(stage)
    assert {name: len(column) for name, column in found.history.items()}["test_accuracy"] == 0
    assert found.before_macs == made.extras.before > 0
    assert found.moved.distance > 0


def test_an_objective_trains_all_blocks_whatever_the_schedule_trains(with_keys, pruned, data):
    begun = []
    for keys in ({}, {"trainable": ("head",)}):
        own = with_keys(**RESUMED["objective"], **keys)
        write_dense_run(own)
        begun.append(own.begin(pruned, 0, data, 1.0).network)
    plain, head = begun
    trained = [name for name, p in head.named_parameters() if p.requires_grad]
    assert trained == ["fc.weight", "fc.bias"]
    for name, tensor in head.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


def test_another_replicate_is_another_run(arm, run):
    stage = run(arm)
    run(arm, 1, stage)
    assert not np.array_equal(network(stage)["fc.weight"], network(stage, number=1)["fc.weight"])


def test_another_round_is_another_run(arm, pruned, data, snapshot, same):
    states = []
    for number in (1, 2, 1):
        begun = arm.begin(pruned, 0, data, 1.0, number)
        begun.advance()
        states.append(snapshot(begun))
    assert same(states[0], states[2])
    assert not same(states[0], states[1])


def test_a_replicate_is_a_seed(arm, run):
    one, other = run(arm, 1), run(replace(arm, seed=6), 0)
    for name in ("last", "selected"):
        first, second = network(one, name, 1), network(other, name, 0)
        assert all(np.array_equal(first[key], second[key]) for key in first)


def test_pruned_weights_are_zero_in_both_networks(arm, run, pruned):
    stage = run(arm)
    mask = load_arrays(pruned / "masks" / "replicate_0.safetensors")[MASKED]
    for name in ("last", "selected"):
        weight = network(stage, name)[MASKED]
        assert not weight[~mask].any()
        assert weight[mask].all()


def test_what_retraining_moved_is_told_from_the_pruned_network_to_the_last(arm, run, pruned):
    stage = run(arm)
    left = load_arrays(pruned / "networks" / "replicate_0.safetensors")
    names = [name for name, _ in build(SPEC, 0).named_parameters()]
    last = network(stage)
    found = moved({n: left[n] for n in names}, {n: last[n] for n in names})
    assert outcome(stage).moved == found
    assert found.distance > 0
    assert 0 <= found.sign_flips < 1


def test_selected_is_the_best_on_validation_and_last_is_the_last(arm, run, data, monkeypatch):
    accuracies = iter((0.1, 0.9, 0.5, 0.6))
    networks = []
    add = History.add

    def spy(self, training, loss, tested):
        networks.append(training.state()["network/fc.weight"].copy())
        training.accuracy = lambda part: next(accuracies) if part is data.validation else 0.0
        add(self, training, loss, tested)

    monkeypatch.setattr(History, "add", spy)
    stage = run(arm)
    assert np.array_equal(network(stage, "last")["fc.weight"], networks[3])
    assert np.array_equal(network(stage, "selected")["fc.weight"], networks[1])
    logits = outcome(stage).logits
    assert not np.array_equal(logits["last"]["test"], logits["selected"]["test"])


def test_an_adaptive_arm_is_scaled_replicate_by_replicate(arm, run, rates):
    adaptive = replace(arm, plan=replace(arm.plan, scale=(1.0, 0.5)))
    stage = run(adaptive)
    run(adaptive, 1, stage)
    found = [outcome(stage, number) for number in (0, 1)]
    assert [one.lr_scale for one in found] == [1.0, 0.5]
    np.testing.assert_array_equal(found[0].history["lr"], rates.lr[::3])
    np.testing.assert_allclose(found[1].history["lr"], rates.lr[::3] / 2)
    for one in found:
        np.testing.assert_array_equal(one.history["momentum"], rates.momentum[::3])


def test_arms_of_a_replicate_see_the_images_in_one_order(arm, run, rates, monkeypatch):
    import stages.training.loop as loop

    drawn, tables = [], loop.epoch_tables
    monkeypatch.setattr(loop, "epoch_tables", lambda *key: drawn.append(key[2:]) or tables(*key))
    run(arm)
    longer = Rates(np.full(15, 0.01), np.full(15, 0.9), rates.steps_per_epoch)
    run(replace(arm, plan=Plan("fresh", "constant", longer, dense_epochs=6)))
    assert drawn[:4] == drawn[4:8]
    assert len(drawn) == 9


def test_a_rewound_arm_starts_from_the_file_beside_its_plan(arm, pruned, data):
    early = build(SPEC, 9)
    state = {f"network/{name}": tensor.numpy() for name, tensor in early.state_dict().items()}
    state |= {f"velocity/{k}": np.ones(p.shape, "f4") for k, p in early.named_parameters()}
    save_arrays(rewound_file(arm.folder, 1), state)
    plan = replace(arm.plan, start="rewound", rewound_epoch=2)
    begun = replace(arm, plan=plan).begin(pruned, 1, data, 1.0)
    mask = torch.from_numpy(load_arrays(pruned / "masks" / "replicate_1.safetensors")[MASKED])
    for name, parameter in begun.network.named_parameters():
        expected = early.get_parameter(name) * (mask if name == MASKED else 1)
        assert torch.equal(parameter, expected), name


def test_progress_is_shown_under_the_name_of_the_arm(arm, run, monkeypatch):
    shown, fit = [], retrain.fit
    monkeypatch.setattr(
        retrain, "fit", lambda *how, **more: shown.append(how[2:]) or fit(*how, **more)
    )
    run(arm, 1)
    assert shown == [("l1 onecycle", 1)]


def test_of_its_plan_a_replicate_depends_on_what_it_reads(arm, run):
    adaptive = replace(arm, plan=replace(arm.plan, scale=(1.0, 0.5)))
    stage = run(adaptive, 1)
    assert stage.narrowed == [{str(arm.folder / FILE): adaptive.plan.digest_of(1)}]


def test_all_inputs_are_in_memory_when_the_stage_checks_them(arm, run, pruned, new_stage):
    """From then on no edit can reach the result, which is kept under the digest of the inputs."""
    expected = run(arm).content()

    def check():
        shutil.rmtree(pruned, ignore_errors=True)
        shutil.rmtree(arm.folder, ignore_errors=True)

    assert run(arm, stage=new_stage(check)).content() == expected
    assert not pruned.exists()


def test_an_arm_trains_nothing_on_inputs_that_have_changed(arm, run, new_stage, monkeypatch):
    def changed():
        raise Fault("changed")

    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    with pytest.raises(Fault, match="changed"):
        run(arm, stage=new_stage(changed))


def test_the_outcome_is_that_of_the_files_and_not_of_the_networks_in_memory(arm, run, monkeypatch):
    """What a damaged file would give is what is scored, so that it does not pass unseen."""
    save = compact.save

    def damaged(path, network, spec):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor.zero_()
        save(path, network, spec)

    monkeypatch.setattr(compact, "save", damaged)
    logits = outcome(run(arm)).logits
    assert not any(array.any() for splits in logits.values() for array in splits.values())


def test_an_arm_that_stopped_before_its_outcome_does_not_train_again(
    arm, run, new_stage, monkeypatch
):
    def killed(*what):
        raise KeyboardInterrupt

    expected, stage = run(arm).content(), new_stage()
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    with monkeypatch.context() as patched:
        patched.setattr("stages.retraining.run.save_outcome", killed)
        with pytest.raises(KeyboardInterrupt):
            run(arm, stage=stage)
    assert list(stage.state.rglob(PROGRESS))
    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    assert run(arm, stage=stage).content() == expected
    assert not list(stage.state.rglob(PROGRESS))
