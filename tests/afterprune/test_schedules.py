"""Schedulers for other trainers follow the pipeline's curves to the bit."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import afterprune
from stages.schedules.arm import Arm
from stages.schedules.registry import BY_EPOCH, CURVES

EPOCHS, STEPS = 6, 7
TOTAL = EPOCHS * STEPS
NEEDED = {"step": {"milestones": (2, 4)}}
DENSE = afterprune.dense_rates("step", 20, STEPS, lr=0.1, milestones=[10, 15])


def optimizer_of(kind="sgd", lr=0.1):
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": lr / 2}]
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=0.9)
    return {"adamw": torch.optim.AdamW, "adagrad": torch.optim.Adagrad}[kind](groups, lr=lr)


def followed(optimizer, scheduler, steps):
    """Return the learning rates of both groups and the momentum of the first at every step."""
    rows = []
    for _ in range(steps):
        first, second = optimizer.param_groups
        momentum = first["betas"][0] if "betas" in first else first.get("momentum")
        rows.append((first["lr"], second["lr"], momentum))
        optimizer.step()
        scheduler.step()
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_is_that_of_the_pipeline(curve):
    options = NEEDED.get(curve, {})
    rates = Arm("final", curve, options).rates(EPOCHS, STEPS, DENSE)
    optimizer = optimizer_of()
    scheduler = afterprune.schedule(
        curve, optimizer, TOTAL, steps_per_epoch=STEPS, dense=DENSE, **options
    )
    lr, half, momentum = followed(optimizer, scheduler, TOTAL)
    assert lr == rates.lr.tolist()
    assert half == (rates.lr * 0.5).tolist()
    assert momentum == rates.momentum.tolist()


@pytest.mark.parametrize("curve", sorted(set(CURVES) - BY_EPOCH))
def test_other_curves_need_no_steps_of_an_epoch(curve):
    rates = [Arm("final", curve).at(TOTAL, steps, DENSE).lr for steps in (1, STEPS, TOTAL)]
    assert all(np.array_equal(rates[0], other) for other in rates[1:])


def test_without_a_dense_run_the_peak_is_the_optimizers_rate():
    optimizer = optimizer_of(lr=0.3)
    lr, _, momentum = followed(optimizer, afterprune.schedule("onecycle", optimizer, 100), 100)
    assert (lr[0], max(lr), lr[-1]) == (pytest.approx(0.003), 0.3, pytest.approx(0.3 / 1e4))
    assert lr.index(0.3) == 9
    assert (momentum[0], momentum[9], momentum[-1]) == (0.95, pytest.approx(0.85), 0.95)


def test_adams_first_beta_is_cycled_and_the_second_stays():
    optimizer = optimizer_of("adamw", lr=1e-3)
    scheduler = afterprune.schedule("onecycle", optimizer, 20)
    _, _, momentum = followed(optimizer, scheduler, 20)
    assert (min(momentum), momentum[-1]) == (0.85, 0.95)
    assert optimizer.param_groups[0]["betas"][1] == 0.999


def test_an_optimizer_without_momentum_is_left_without():
    optimizer = optimizer_of("adagrad")
    followed(optimizer, afterprune.schedule("onecycle", optimizer, 10), 10)
    assert "momentum" not in optimizer.param_groups[0]


def test_momentum_and_scale_can_be_given():
    optimizer = optimizer_of()
    scheduler = afterprune.schedule("adaptive_linear", optimizer, 40, momentum=0.5, scale=0.25)
    lr, _, momentum = followed(optimizer, scheduler, 40)
    assert max(lr) == 0.025
    assert set(momentum) == {0.5}


def test_the_last_rate_stays_after_the_end():
    optimizer = optimizer_of()
    scheduler = afterprune.schedule("linear", optimizer, 10, max_lr=0.9)
    followed(optimizer, scheduler, 15)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_it_goes_on_from_a_checkpoint_of_numbers_alone(tmp_path):
    optimizer = optimizer_of()
    scheduler = afterprune.schedule("onecycle", optimizer, 30)
    followed(optimizer, scheduler, 12)
    state = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    torch.save(state, tmp_path / "state.pt")
    whole = followed(optimizer, scheduler, 18)
    other = optimizer_of()
    again = afterprune.schedule("onecycle", other, 30)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    other.load_state_dict(state["optimizer"])
    again.load_state_dict(state["scheduler"])
    assert followed(other, again, 18) == whole


@pytest.mark.parametrize("position", [0, 1, 12, 30, 40])
def test_a_schedule_made_after_the_optimizer_was_loaded_goes_on_too(position, recwarn):
    optimizer = optimizer_of()
    scheduler = afterprune.schedule("onecycle", optimizer, 30)
    followed(optimizer, scheduler, position)
    state, then = (optimizer.state_dict(), scheduler.state_dict()), scheduler.get_last_lr()
    whole = followed(optimizer, scheduler, 5)
    other = optimizer_of()
    other.load_state_dict(state[0])
    again = afterprune.schedule("onecycle", other, 30)
    again.load_state_dict(state[1])
    assert again.get_last_lr() == then
    assert again.state_dict() == state[1]
    assert followed(other, again, 5) == whole
    assert not recwarn


def test_it_goes_to_any_step():
    optimizer = optimizer_of()
    scheduler = afterprune.schedule("onecycle", optimizer, 30)
    whole = list(zip(scheduler.lr, scheduler.momentum, strict=True))
    for step in (7, 3, 29):
        scheduler.go_to(step)
        group = optimizer.param_groups[0]
        assert (group["lr"], group["momentum"]) == whole[step]
    with pytest.raises(afterprune.Fault, match="schedule: step is -1; it should be 0 or more"):
        scheduler.go_to(-1)


@pytest.mark.parametrize(
    ("curve", "options", "expected"),
    [
        ("cosine", {}, [0.9, 0.5]),
        ("cosine", {"momentum": 0.7}, [0.7, 0.7]),
        ("onecycle", {}, [0.95, 0.95]),
    ],
)
def test_every_group_keeps_its_momentum_where_the_curve_holds_it(curve, options, expected):
    optimizer = optimizer_of()
    optimizer.param_groups[1]["momentum"] = 0.5
    afterprune.schedule(curve, optimizer, 20, **options)
    assert [group["momentum"] for group in optimizer.param_groups] == expected


def test_a_second_schedule_starts_from_the_rate_that_the_optimizer_was_given():
    optimizer = optimizer_of()
    followed(optimizer, afterprune.schedule("cosine", optimizer, 10), 10)
    lr, half, _ = followed(optimizer, afterprune.schedule("onecycle", optimizer, 10), 10)
    assert (max(lr), max(half)) == (0.1, 0.05)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"curve": "onecyle"}, "schedule: curve is 'onecyle'; did you mean 'onecycle'? valid: "),
        ({"curve": "onecycle", "max_lr": -1}, "schedule: max_lr is -1; it should be greater than"),
        ({"curve": "onecycle", "peak": 1}, "schedule: peak is no known key; valid: curve, div"),
        ({"curve": "onecycle", "epochs": 3}, "schedule: epochs is no known key; valid: curve"),
        ({"curve": "onecycle", "momentum": 2}, "schedule: momentum is 2; it should be less than"),
        ({"curve": "onecycle", "total_steps": 0}, "onecycle: 0 steps at 1 per epoch; allowed"),
        ({"curve": "onecycle", "total_steps": 10.5}, "schedule: total_steps is 10.5; it should be"),
        ({"curve": "nni", "steps_per_epoch": 2.0}, "schedule: steps_per_epoch is 2.0; it should"),
        ({"curve": "linear", "scale": -1}, "schedule: scale is -1; it should be a number above 0"),
        ({"curve": "linear", "scale": float("nan")}, "schedule: scale is nan; it should be a"),
        ({"curve": "step", "milestones": [3]}, "schedule: step counts in epochs; give steps_per"),
        ({"curve": "constant"}, "schedule: lr is 'last', which the dense run has; give it or"),
        ({"curve": "scaled"}, "schedule: initial_lr is 'last', which the dense run has; give"),
        ({"curve": "stretch"}, "schedule: stretch follows the dense run; give dense, from dense"),
        ({"curve": "onecycle", "variant": "zimmer"}, "schedule: onecycle follows the dense run;"),
        (
            {"curve": "replay", "steps_per_epoch": 9, "dense": DENSE},
            "replay: 9 steps per epoch, but the dense run has 7",
        ),
    ],
)
def test_one_line_says_what_is_wrong(given, line):
    with pytest.raises(afterprune.Fault) as found:
        afterprune.schedule(**{"optimizer": optimizer_of(), "total_steps": 10, **given})
    assert str(found.value).startswith(line)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("dense", [DENSE, None])
def test_a_first_group_without_a_rate_is_a_line(dense):
    optimizer = optimizer_of()
    optimizer.param_groups[0]["lr"] = 0.0
    with pytest.raises(afterprune.Fault, match="first parameter group has learning rate 0; it"):
        afterprune.schedule("cosine", optimizer, 10, dense=dense)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"momentum": 2}, "dense_rates: momentum is 2; it should be less than 1"),
        ({"lr": -0.1}, "dense_rates: lr is -0.1; it should be a number above 0"),
        ({"epochs": 3.0}, "dense_rates: epochs is 3.0; it should be a whole number"),
    ],
)
def test_a_dense_run_that_cannot_be_is_a_line(given, line):
    with pytest.raises(afterprune.Fault, match=line):
        afterprune.dense_rates("cosine", **{"epochs": 3, "steps_per_epoch": 4, "lr": 0.1, **given})


def test_the_momentum_of_the_dense_run_may_be_cycled():
    cycled = afterprune.dense_rates("cosine", 5, 4, lr=0.2, momentum="cycled")
    assert cycled.momentum.min() == pytest.approx(0.85, abs=1e-3)
    assert cycled.momentum[-1] == 0.95
    own = afterprune.dense_rates("onecycle", 5, 4, lr=0.2, momentum=0.8)
    assert own.momentum[0] == 0.95  # the curve's own


def test_the_dense_run_is_described_as_in_params_yaml():
    cosine = afterprune.dense_rates("cosine", 3, 4, lr=0.2, momentum=0.8)
    assert (cosine.max, len(cosine.lr), set(cosine.momentum)) == (0.2, 12, {0.8})
    with pytest.raises(afterprune.Fault, match="dense_rates: milestones is missing"):
        afterprune.dense_rates("step", 3, 4, lr=0.2)


def test_a_schedule_loads_torch_and_no_more_of_the_pipeline():
    script = "import sys, afterprune; afterprune.schedule, afterprune.load; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
    heavy = {"dvc", "pandas", "matplotlib", "torchvision", "scipy", "sklearn", "typer"}
    assert "torch" in loaded.split()
    assert heavy.isdisjoint(loaded.split())


def test_importing_it_alone_loads_nothing():
    script = "import sys, afterprune; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
    assert "afterprune" in loaded.split()
    assert {"torch", "numpy", "pandas"}.isdisjoint(loaded.split())
