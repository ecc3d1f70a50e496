from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch

from stages import iterate
from stages.evaluation.cost import cost
from stages.evaluation.moved import Moved, moved
from stages.evaluation.outcome import load_outcome, save_outcome
from stages.images.prepared import ImageSet, Prepared
from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_json, save_arrays
from stages.pipeline.manifest import Manifest
from stages.pipeline.recovery import PROGRESS
from stages.pruning.method import Allocation, Method
from stages.pruning.settings import Calibration
from stages.replicates.seeds import RETRAIN
from stages.replicates.settings import Compute
from stages.retraining.plan import FILE, Plan, rewound_file, teacher_file
from stages.retraining.rounds import Round, Rounds, left_of
from stages.retraining.run import ArmRun
from stages.retraining.slots import SLOTS
from stages.retraining.technique import Technique
from stages.schedules.rates import Rates
from stages.training.divergence import Divergence
from stages.training.loop import Run
from stages.training.settings import Recipe

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 8}, 3, 1)
SHAPE = (1, 8, 8)
RECIPE = Recipe(batch_size=8, optimizer={"kind": "sgd", "weight_decay": 0.01})
RATES = Rates(np.full(4, 0.05), np.full(4, 0.9), 2)
PLAN = Plan("final", "constant", RATES, dense_epochs=4)
FILTERS = Method("filter", "l1", Allocation("uniform", {"ratio": 0.5}))
WEIGHTS = [
    Method("weight", "magnitude", Allocation("global", {"sparsity": s})) for s in (0.3, 0.51)
]


@pytest.fixture
def data():
    chance = np.random.default_rng(0)

    def draw(count):
        images = chance.integers(0, 256, (count, *SHAPE), dtype=np.uint8)
        return ImageSet(torch.from_numpy(images), torch.from_numpy(chance.integers(0, 3, count)))

    return Prepared(draw(16), draw(8), draw(8), torch.tensor([0.5]), torch.tensor([0.3]), 3)


@pytest.fixture
def run(tmp_path, monkeypatch, data, new_stage):
    """Return a function that iterates a replicate, in a stage of its own where none is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.iterate.load", lambda *where, **how: data)
    for number in (0, 1):
        file = f"models/dense/final/replicate_{number}.safetensors"
        compact.save(file, build(SPEC, number), SPEC)

    def start(methods=(FILTERS, FILTERS), plan=PLAN, stage=None, number=0):
        stage = stage or new_stage()
        arm = ArmRun(Path("models/plans/m/s"), plan, RECIPE, Compute(device="cpu"), seed=0)
        rounds = Rounds(methods, Calibration(), arm)
        iterate.replicate(stage, rounds, stage.outputs, number)
        return stage

    return start


def nets(stage, number=0):
    return stage.outputs.networks / f"replicate_{number}"


def outcome(stage, number=0):
    return load_outcome(stage.outputs.outcomes / f"replicate_{number}.safetensors")


def sizes(stage):
    return [read_json(nets(stage) / f"round_{k}" / "sizes.json") for k in (1, 2)]


def test_filters_leave_round_by_round_and_the_last_network_is_the_smallest(run):
    stage = run()
    parts = sizes(stage)
    assert [part["widths"]["layer1.0.conv1"] for part in parts] == [4, 2]
    last = compact.load(nets(stage) / "last.safetensors")
    assert last.get_parameter("layer1.0.conv1.weight").shape == (2, 8, 3, 3)
    assert cost(last, SHAPE).parameters == parts[1]["parameters"] < parts[0]["parameters"]


def test_weights_once_pruned_stay_so_and_the_sparsity_is_exact(run):
    stage = run(WEIGHTS)
    first, last = (compact.load(nets(stage) / f"round_{k}" / "last.safetensors") for k in (1, 2))
    name = "layer2.0.conv1.weight"
    gone = first.get_parameter(name) == 0
    assert gone.any()
    assert (last.get_parameter(name)[gone] == 0).all()
    weights = [m.weight for m in last.modules() if isinstance(m, torch.nn.Conv2d)]
    total = sum(w.numel() for w in weights)
    assert sum(int((w == 0).sum()) for w in weights) == round(0.51 * total)


def test_the_result_is_that_of_the_last_round_with_the_macs_of_every_round(run):
    stage = run()
    rounds = [load_outcome(nets(stage) / f"round_{k}" / "outcome.safetensors") for k in (1, 2)]
    found = outcome(stage)
    assert found.round_macs == tuple(part["macs"] for part in sizes(stage))
    assert found.round_macs[0] > found.round_macs[1] == found.macs
    assert (found.parameters, found.nonzero) == (rounds[1].parameters, rounds[1].nonzero)
    for name in ("last", "selected"):
        file = f"{name}.safetensors"
        whole = (nets(stage) / file).read_bytes()
        assert whole == (nets(stage) / "round_2" / file).read_bytes()
        for split, logits in rounds[1].logits[name].items():
            assert np.array_equal(found.logits[name][split], logits)
            assert not np.array_equal(rounds[0].logits[name][split], logits)
    for column, values in rounds[1].history.items():
        assert np.array_equal(found.history[column], values)


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS])
def test_a_round_that_diverges_is_the_last(last, methods, run, monkeypatch, capfd):
    whole, advance = run(methods), Run.advance

    def broken(self):
        loss = advance(self)
        self.finite = self.stream - RETRAIN + 1 < last or self.epoch < 2
        return loss

    monkeypatch.setattr(Run, "advance", broken)
    stage = run(methods)
    found, undisturbed = outcome(stage), outcome(whole)
    assert found.diverged == Divergence(2, 0.05, found.diverged.loss, round=last)
    assert found.round_macs == undisturbed.round_macs[:last]
    assert found.history["epoch"].tolist() == [1]
    assert read_json(nets(stage) / "diverged.json")["round"] == last
    kept = {path.parent.name for path in nets(stage).rglob("last.safetensors")}
    assert kept == {f"round_{number}" for number in range(1, last)}
    place = "epoch 2" + (" of round 2" if last == 2 else "")
    assert f"m s, replicate 0: diverged in {place}, at" in capfd.readouterr().err
    if last == 2:
        assert (found.parameters, found.nonzero) == (undisturbed.parameters, undisturbed.nonzero)
    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    assert run(methods, stage=stage).content() == stage.content()


def test_a_round_that_diverged_is_the_last_after_a_kill_too(run, new_stage, monkeypatch):
    """Killed when its files are listed and not yet published."""
    advance, stage = Run.advance, new_stage()

    def broken(self):
        loss = advance(self)
        self.finite = False
        return loss

    def killed(self, part, target):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Run, "advance", broken)
        patched.setattr("stages.pipeline.manifest.Manifest.publish", killed)
        with pytest.raises(KilledError):
            run(stage=stage)
    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    assert outcome(run(stage=stage)).diverged.round == 1


def test_each_round_trains_in_an_order_of_its_own_from_one_network_to_the_next(run, monkeypatch):
    begun, begin = [], ArmRun.begin

    def spy(*how):
        begun.append(begin(*how))
        return begun[-1]

    monkeypatch.setattr(ArmRun, "begin", spy)
    run()
    assert [(one.seed, one.stream) for one in begun] == [(0, 2), (0, 3)]


def test_a_replicate_is_a_seed(run):
    stage = run()
    run(stage=stage, number=1)
    weights = [load_arrays(nets(stage, i) / "last.safetensors")["fc.weight"] for i in (0, 1)]
    assert not np.array_equal(*weights)


def test_rewinding_goes_back_to_the_same_dense_weights_in_every_round(run):
    """At a learning rate of 0 a rewound network is the checkpoint, cut twice."""
    still = Rates(np.zeros(4), np.full(4, 0.9), 2)
    plan = Plan("rewound", "replay", still, dense_epochs=4, rewound_epoch=2)
    early = build(SPEC, 7)
    state = {f"network/{k}": v.numpy() for k, v in early.state_dict().items()}
    state |= {f"velocity/{k}": np.zeros(p.shape, "f4") for k, p in early.named_parameters()}
    save_arrays(rewound_file(Path("models/plans/m/s"), 0), state)
    stage = run(plan=plan)
    kept = compact.nested(
        load_arrays(nets(stage) / "round_2" / "masks" / "replicate_0.safetensors")
    )
    expected = compact.cut(early.state_dict(), kept)
    last = compact.load(nets(stage) / "last.safetensors")
    for name, parameter in last.named_parameters():
        assert torch.equal(parameter, expected[name]), name


def test_an_adaptive_arm_is_scaled_by_the_pruning_of_each_round(run):
    """The scale of the plan is that of round 1 of what `prune` saw; later rounds take their own."""
    plan = replace(PLAN, dense_epochs=40, scale=(0.123, 0.456))
    stage = run(plan=plan)
    scales = [min(p["distance"] / sqrt(p["fraction_pruned"]), 1.0) for p in sizes(stage)]
    assert min(scales) > 2 / 40
    assert scales[0] != scales[1]
    for k, scale in enumerate(scales, 1):
        found = load_outcome(nets(stage) / f"round_{k}" / "outcome.safetensors")
        assert found.lr_scale == scale
        assert found.history["lr"].tolist() == [0.05 * scale] * 2
    assert outcome(stage).lr_scale == scales[1]


SHARED = replace(PLAN, rates=Rates(np.linspace(0.06, 0.01, 6), np.full(6, 0.9), 2), rounds=(1, 2))


def test_rounds_that_share_a_budget_train_for_their_part_of_it(run):
    stage = run(plan=SHARED)
    lr = [
        load_outcome(nets(stage) / f"round_{k}" / "outcome.safetensors").history["lr"].tolist()
        for k in (1, 2)
    ]
    assert lr == [[SHARED.rates.lr[0]], [SHARED.rates.lr[2], SHARED.rates.lr[4]]]


def test_a_round_of_a_shared_budget_is_scaled_by_its_own_epochs(run):
    """Of 3 dense epochs rounds of 1 and 2 are a third and two thirds: their least scales."""
    stage = run([WEIGHTS[0]] * 2, plan=replace(SHARED, scale=(0.5, 0.5), dense_epochs=3))
    files = [nets(stage) / f"round_{k}" / "outcome.safetensors" for k in (1, 2)]
    scales = [load_outcome(file).lr_scale for file in files]
    d, s = sizes(stage)[0]["distance"], sizes(stage)[0]["fraction_pruned"]
    assert scales[0] == pytest.approx(min(max(d / sqrt(s), 1 / 3), 1))
    assert scales[1] >= 2 / 3


@pytest.mark.parametrize("keys", [{}, {"average": {"kind": "swa", "last": 1.0}}])
def test_a_shared_budget_goes_on_to_the_same_bits(keys, run, new_stage, monkeypatch):
    plan = replace(SHARED, technique=Technique(**keys))
    whole, stage = run(plan=plan).content(), new_stage()
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    with monkeypatch.context() as patched:
        kill_at(patched, 2)
        with pytest.raises(KilledError):
            run(plan=plan, stage=stage)
    trained = kill_at(monkeypatch, -1)
    assert run(plan=plan, stage=stage).content() == whole
    assert trained == [1]


GRADUAL = replace(SHARED, technique=Technique(restart="never"))


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS], ids=["filters", "weights"])
def test_without_a_restart_momentum_goes_on_without_what_is_pruned(kind, methods, run, monkeypatch):
    ended, begun, begin, finish = [], [], ArmRun.begin, Round.finish

    def spy(*how):
        found = begin(*how)
        begun.append({name: slot.clone() for name, slot in found.optimizer.state().items()})
        return found

    def end(self, history):
        ended.append({name: slot.clone() for name, slot in self.run.optimizer.state().items()})
        finish(self, history)

    monkeypatch.setattr(ArmRun, "begin", spy)
    monkeypatch.setattr(Round, "finish", end)
    own = Technique(restart="never", optimizer={"kind": kind, "weight_decay": 0.01})
    stage = run(methods, replace(GRADUAL, technique=own))
    assert not any(slot.any() for slot in begun[0].values())
    masks = load_arrays(nets(stage) / "round_2/masks/replicate_0.safetensors")
    first = load_arrays(nets(stage) / "round_1/masks/replicate_0.safetensors")
    for key, slot in begun[1].items():
        name, expected = key.partition("/")[2], ended[0][key]
        if methods is WEIGHTS and name in masks:
            expected = expected * torch.from_numpy(masks[name])
        elif methods is not WEIGHTS and name:
            before, now = (compact.nested(arrays).get(name, {}) for arrays in (first, masks))
            for dim, index in now.items():
                places = [before[dim].tolist().index(each) for each in index]
                expected = expected.index_select(dim, torch.tensor(places))
        assert torch.equal(slot, expected), key
        assert slot.any(), key
    assert not (nets(stage) / "round_2" / SLOTS).exists()


@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS], ids=["filters", "weights"])
@pytest.mark.parametrize(("epoch", "again"), [(1, [0, 1]), (2, [1])])
def test_gradual_pruning_that_stopped_goes_on_to_the_same_bits(
    epoch, again, methods, run, new_stage, monkeypatch
):
    whole, stage = run(methods, GRADUAL).content(), new_stage()
    assert whole.keys() > run(methods, SHARED).content().keys()
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    with monkeypatch.context() as patched:
        kill_at(patched, epoch)
        with pytest.raises(KilledError):
            run(methods, GRADUAL, stage=stage)
    trained = kill_at(monkeypatch, -1)
    assert run(methods, GRADUAL, stage=stage).content() == whole
    assert trained == again


def test_of_its_plan_a_replicate_depends_on_what_it_reads(run):
    plan = replace(PLAN, scale=(0.5, 0.6))
    stage = run(plan=plan, number=1)
    assert stage.narrowed == [{str(Path("models/plans/m/s") / FILE): plan.digest_of(1)}]


def test_inputs_are_checked_in_every_round_before_it_trains(run, new_stage, monkeypatch):
    checks = []
    trained, advance = [], Run.advance
    monkeypatch.setattr(Run, "advance", lambda self: trained.append(len(checks)) or advance(self))
    run(stage=new_stage(lambda: checks.append("checked")))
    assert trained == [1, 1, 2, 2]


def test_nothing_is_trained_on_inputs_that_have_changed(run, new_stage, monkeypatch):
    def changed():
        raise Fault("changed")

    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    with pytest.raises(Fault, match="changed"):
        run(stage=new_stage(changed))


class KilledError(Exception):
    """Stands for whatever ends a process."""


def kill_at(patched, epoch):
    """End the process when it would train one more after so many epochs of all rounds."""
    trained, advance = [], Run.advance

    def train(self):
        if len(trained) == epoch:
            raise KilledError
        trained.append(self.epoch)
        return advance(self)

    patched.setattr(Run, "advance", train)
    return trained


@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS], ids=["filters", "weights"])
@pytest.mark.parametrize(
    ("epoch", "again"), [(1, 3), (2, 2), (3, 1)], ids=["in round 1", "between", "in round 2"]
)
def test_a_run_that_stopped_goes_on_to_the_same_bits(
    epoch, again, methods, run, new_stage, monkeypatch
):
    """What was trained and saved, a round or an epoch of one, is not trained again."""
    whole, stage = run(methods).content(), new_stage()
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    with monkeypatch.context() as patched:
        kill_at(patched, epoch)
        with pytest.raises(KilledError):
            run(methods, stage=stage)
    trained = kill_at(monkeypatch, -1)
    assert run(methods, stage=stage).content() == whole
    assert len(trained) == again


def test_a_round_that_stopped_right_after_its_outcome_leaves_no_progress(
    run, new_stage, monkeypatch
):
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    whole, stage = run().content(), new_stage()

    def killed(path, outcome):
        save_outcome(path, outcome)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr("stages.retraining.run.save_outcome", killed)
        with pytest.raises(KilledError):
            run(stage=stage)
    assert run(stage=stage).content() == whole
    assert not list(stage.folder.rglob(PROGRESS))
    assert not list(stage.state.rglob(PROGRESS))


@pytest.mark.parametrize(("place", "name"), [(Rounds, "finish"), (Manifest, "publish")])
def test_a_run_that_stopped_when_all_rounds_were_done_trains_nothing(
    place, name, run, new_stage, monkeypatch
):
    """When it publishes, the manifest has made files of the same content one, by a link."""
    whole, stage = run().content(), new_stage()

    def killed(self, *others):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed)
        with pytest.raises(KilledError):
            run(stage=stage)
    assert kill_at(monkeypatch, 0) == []
    assert run(stage=stage).content() == whole


@pytest.mark.parametrize("file", ["round_1/last", "round_1/outcome", "round_2/masks/replicate_0"])
def test_a_damaged_file_of_a_round_is_not_gone_on_from(file, run, new_stage, monkeypatch, capfd):
    whole, stage = run().content(), new_stage()
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    with monkeypatch.context() as patched:
        kill_at(patched, 3)
        with pytest.raises(KilledError):
            run(stage=stage)
    (path,) = stage.state.glob(f"*.partial/networks/*/{file}.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    trained = kill_at(monkeypatch, -1)
    assert run(stage=stage).content() == whole
    assert len(trained) == 4
    line = capfd.readouterr().err.splitlines()[-1]
    assert f"{file}.safetensors is damaged" in line  # and what is the same file, by a link
    assert line.endswith("; it is computed from the start")


@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS], ids=["filters", "weights"])
def test_two_rounds_at_no_learning_rate_leave_the_dense_weights_where_they_were(run, methods):
    stage = run(methods, replace(PLAN, rates=Rates(np.zeros(4), np.full(4, 0.9), 2)))
    assert outcome(stage).moved == Moved(0.0, 0.0)


@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS], ids=["filters", "weights"])
def test_what_two_rounds_moved_is_told_against_the_dense_network(run, methods):
    stage = run(methods)
    dense = Path("models/dense/final/replicate_0.safetensors")
    names = [name for name, _ in compact.load(dense).named_parameters()]
    left = left_of(dense, nets(stage) / "round_2", "replicate_0")
    last = load_arrays(nets(stage) / "last.safetensors")
    found = moved({n: left[n] for n in names}, {n: last[n] for n in names})
    assert outcome(stage).moved == found
    assert found.distance > 0


KEYS = {
    "trainable": {"trainable": ("norm", "head")},
    "teacher": {"teacher": {}},
    "average": {"average": {"kind": "swa", "last": 0.5, "batchnorm": "reestimate"}},
    "repair": {"repair": "batchnorm"},
    "sharpness": {"sharpness": {}},
    "objective": {"objective": {"kind": "reconstruct", "samples": 8, "passes": 1}},
    "clip": {"clip": 0.1},
    "optimizer": {"optimizer": {"kind": "adamw"}, "label_smoothing": 0.1},
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("methods", [(FILTERS, FILTERS), WEIGHTS], ids=["filters", "weights"])
def test_every_round_has_the_keys_of_the_arm_and_keeps_what_is_pruned(keys, methods, run):
    plain, plan = run(methods), replace(PLAN, technique=Technique(**keys))
    teacher = teacher_file(Path("models/plans/m/s"), 0)
    compact.save(teacher, build(SPEC, 5), SPEC)
    stage = run(methods, plan)
    for k in (1, 2):
        found = nets(stage) / f"round_{k}"
        mask = load_arrays(found / "masks/replicate_0.safetensors")
        network = compact.load(found / "last.safetensors")
        before = compact.load(nets(plain) / f"round_{k}" / "last.safetensors").state_dict()
        assert any(not torch.equal(t, before[name]) for name, t in network.state_dict().items())
        for name, kept in mask.items() if methods is WEIGHTS else ():
            assert not network.get_parameter(name)[~torch.from_numpy(kept)].any()
