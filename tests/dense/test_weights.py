import pickle

import pytest
import torch
from safetensors.torch import save_file

from stages.dense.given import Given
from stages.dense.run import DenseRun, go_to, save_trained
from stages.dense.weights import load_weights, read_weights, take
from stages.evaluation.outcome import load_outcome
from stages.networks import compact
from stages.networks.building import Spec, build
from stages.networks.settings import Model
from stages.pipeline.fault import Fault
from stages.pipeline.manifest import Manifest
from stages.pipeline.recovery import Work
from stages.replicates.replicate import Replicate
from stages.replicates.settings import Compute

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 2}, 3, 1)


@pytest.fixture
def state():
    return build(SPEC, 3).state_dict()


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        ("a.pt", lambda state: state),
        ("a.pth", lambda state: {"epoch": 3, "state_dict": state}),
        ("a.pt", lambda state: {"model": state, "optimizer": {"lr": 0.1}}),
        ("a.pt", lambda state: {f"module.{name}": tensor for name, tensor in state.items()}),
    ],
)
def test_a_state_dict_is_read_as_scripts_save_it(name, wrap, state, tmp_path):
    torch.save(wrap(state), tmp_path / name)
    network = build(SPEC, 4)
    load_weights(network, tmp_path / name)
    assert equal(network.state_dict(), state)


def test_safetensors_are_read_of_any_precision_and_of_data_parallel(state, tmp_path):
    save_file({f"module.{k}": t.bfloat16() for k, t in state.items()}, tmp_path / "a.safetensors")
    network = build(SPEC, 4)
    load_weights(network, tmp_path / "a.safetensors")
    assert equal(network.state_dict(), {k: t.bfloat16().to(t.dtype) for k, t in state.items()})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fc.bias", lambda t: t * float("nan")),
        ("fc.bias", lambda t: t / 0),
        ("fc.bias", lambda t: t.to(torch.complex64)),
        ("bn1.running_var", lambda t: -t),
    ],
)
def test_numbers_that_no_network_can_have_are_refused(name, change, state, tmp_path):
    torch.save({**state, name: change(state[name])}, tmp_path / "a.pt")
    with pytest.raises(Fault, match=rf"a\.pt: {name} has numbers that are not finite and real, or"):
        load_weights(build(SPEC, 4), tmp_path / "a.pt")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize("content", [{"a": Bomb()}, [1, 2], {"a": 3}])
def test_what_is_no_state_dict_is_refused_and_runs_nothing(content, tmp_path):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(Fault, match=r"a\.pt: (no weights that can be read|it should hold)"):
        read_weights(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [b"", b"\x00" * 99, pickle.dumps(Bomb())])
def test_a_damaged_file_is_a_line(content, tmp_path):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(Fault, match=r"^[^\n]*a\.pt: no weights that can be read [^\n]*$"):
        read_weights(tmp_path / "a.pt")


def test_numbers_of_other_precision_are_taken_as_the_networks_own(state, tmp_path):
    halves = {k: t.half() if t.is_floating_point() else t for k, t in state.items()}
    torch.save(halves, tmp_path / "a.pt")
    network = build(SPEC, 4)
    load_weights(network, tmp_path / "a.pt")
    taken = network.state_dict()
    assert all(taken[k].dtype == state[k].dtype for k in state)
    assert all(torch.equal(taken[k], halves[k].to(state[k].dtype)) for k in state)


def test_counts_of_batches_may_be_missing(state, tmp_path):
    torch.save({k: t for k, t in state.items() if "num_batches" not in k}, tmp_path / "a.pt")
    network = build(SPEC, 4)
    load_weights(network, tmp_path / "a.pt")
    assert equal(network.state_dict(), state)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda state: state.pop("fc.weight"), r"lacks: fc\.weight; it should fit model\.factory"),
        (lambda state: state.update(head=torch.ones(1)), "has unknown: head;"),
        (lambda state: state.update({"fc.bias": torch.ones(9)}), r"has other sizes: fc\.bias;"),
        (lambda state: state.clear(), r"lacks: .*, .*, .* and \d+ more;"),
    ],
)
def test_tensors_that_do_not_fit_are_named(change, line, state, tmp_path):
    state = dict(state)
    change(state)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(Fault, match=rf"a\.pt {line}"):
        load_weights(build(SPEC, 4), tmp_path / "a.pt")


@pytest.fixture
def dense(recipe, rates):
    model = Model(code="stages/models/resnet.py", factory="resnet8", options={"width": 2})
    return DenseRun(model, recipe, rates, Compute(device="cpu"), seed=5)


@pytest.fixture
def files(dense, data, tmp_path):
    """Weights of the end of the dense run and of epoch 1, drawn from other seeds."""
    spec = dense.spec(data)
    paths = []
    for seed, name in ((8, "final.pt"), (9, "epoch_1.pt")):
        torch.save(build(spec, seed).state_dict(), tmp_path / name)
        paths.append(tmp_path / name)
    return Given(paths[0], {1: paths[1]})


def test_a_run_that_takes_weights_trains_nothing_and_has_no_history(dense, data, files, tmp_path):
    this = Replicate(0, data.mean.device, Work(Manifest(tmp_path / "w"), False, lambda: None))
    run = dense.begin(0, data)
    history = take(run, files, tmp_path / "kept")
    save_trained(this, run, dense.spec(data), history)
    final = compact.load(this.networks / "final/replicate_0.safetensors")
    assert equal(final.state_dict(), read_weights(files.final))
    outcome = load_outcome(this.outcome)
    assert outcome.history == {}
    assert outcome.logits["final"]["test"].shape == (len(data.test.labels), data.classes)


def test_its_checkpoints_are_the_given_ones_without_momentum(dense, data, files, tmp_path):
    take(dense.begin(0, data), files, tmp_path / "kept")
    last = dense.rates.epochs
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert names == ["epoch_0001.safetensors", f"epoch_{last:04d}.safetensors"]
    run = dense.begin(0, data)
    go_to(run, 1, tmp_path / "kept")
    assert equal(run.network.state_dict(), read_weights(files.checkpoints[1]))
    assert all(not slot.any() for slot in run.optimizer.state().values())


def test_a_checkpoint_after_the_end_is_refused(dense, data, files, tmp_path):
    later = Given(files.final, {99: files.final})
    with pytest.raises(Fault, match=r"train\.epochs is \d+; it should be 99 or more"):
        take(dense.begin(0, data), later, tmp_path / "kept")
