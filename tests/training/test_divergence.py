"""When a run has diverged, by hand; and that runs which are only wild have not."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stages.images.prepared import ImageSet
from stages.pipeline.recovery import PROGRESS
from stages.replicates import ranks
from stages.schedules.rates import Rates
from stages.training.divergence import Chance, Divergence, exploded
from stages.training.fit import fit
from stages.training.loop import Run
from stages.training.settings import Recipe

LIMIT = 23.02585  # 10 ln 10, of ten classes
TENTH = Chance(0.1, 0.03)
NAN = math.nan


@pytest.mark.parametrize(
    ("images", "accuracy", "error"),
    [
        ([10] * 10, 0.1, 0.03),  # sqrt(0.1 * 0.9 / 100)
        ([25, 75], 0.75, math.sqrt(0.75 * 0.25 / 100)),
        ([4], 1.0, 0.0),
    ],
)
def test_chance_is_what_naming_the_commonest_class_gets(images, accuracy, error):
    found = Chance.of(images)
    assert (found.accuracy, found.error) == pytest.approx((accuracy, error))


@pytest.mark.parametrize(
    ("losses", "accuracies", "epoch"),
    [
        ([2.3, 1.0, 0.5], [0.1, 0.5, 0.9], None),
        ([2.3, 2.3, 2.3], [0.1, 0.1, 0.1], None),  # it learned nothing, and nothing exploded
        ([2.3, 1e6, 1e6], [0.1, 0.1, 0.1], 2),
        ([1e6, 1e6, 1e6], [0.1, 0.1, 0.1], 1),
        ([1e6, 1e6, 2.0], [0.1, 0.1, 0.4], None),  # it came down again
        ([1e6, 2.0, 1e6], [0.1, 0.4, 0.1], 3),
        ([2.3, 1e6, 1e6], [0.1, 0.1, 0.131], None),  # above 0.1 by more than 0.03
        ([2.3, 1e6, 1e6], [0.1, 0.1, 0.129], 2),
        ([2.3, 1e6, 1e6], [0.1, 0.5, 0.1], 3),
        ([2.3, LIMIT - 1e-4], [0.1, 0.1], None),
        ([2.3, LIMIT + 1e-4], [0.1, 0.1], 2),
        ([2.3, 1e6], [NAN, NAN], 2),
        ([], [], None),
    ],
)
def test_a_run_has_exploded_where_it_ends_in_a_huge_loss_at_chance(losses, accuracies, epoch):
    chance = Chance.of([]) if accuracies and math.isnan(accuracies[0]) else TENTH
    assert exploded(losses, accuracies, 10, chance) == epoch


@pytest.mark.parametrize(
    ("divergence", "text"),
    [
        (
            Divergence(3, 100.0, None),
            "diverged in epoch 3, at learning rates up to 100 (mean loss not finite)",
        ),
        (
            Divergence(1, 0.0125, 123456.7, round=2),
            "diverged in epoch 1 of round 2, at learning rates up to 0.0125 (mean loss 1.235e+05)",
        ),
    ],
)
def test_a_divergence_says_what_happened(divergence, text):
    assert str(divergence) == text


@pytest.fixture
def hot(rates):
    """Rates that are too large for float32 in the last step of epoch 2."""
    lr = rates.lr.copy()
    lr[5] = 1e39
    return Rates(lr, rates.momentum, rates.steps_per_epoch)


def test_a_run_ends_with_the_epoch_whose_weights_are_not_finite(begin, hot, tmp_path):
    """Its losses still were: those of the steps before."""
    run, seen = begin(rates=hot), []
    history = fit(run, tmp_path, "hot", 0, lambda run: seen.append(run.epoch))
    assert history.diverged == Divergence(2, 1e39, history.diverged.loss)
    assert math.isfinite(history.diverged.loss)
    assert (run.epoch, seen) == (2, [1])
    assert history.columns()["epoch"].tolist() == [1]


def test_a_run_ends_with_the_epoch_whose_loss_is_not_finite(begin, rates, tmp_path):
    lr = rates.lr.copy()
    lr[0] = 1e39
    history = fit(begin(rates=Rates(lr, rates.momentum, 3)), tmp_path, "hot", 0)
    assert history.diverged == Divergence(1, 1e39, None)
    assert {name: len(column) for name, column in history.columns().items()} == dict.fromkeys(
        ("epoch", "lr", "momentum", "train_loss", "validation_accuracy", "test_accuracy"), 0
    )


def test_a_statistic_that_is_not_finite_counts(begin, tmp_path):
    """The loss, which uses those of the batch, does not show it."""
    run = begin()
    watched = run.watched
    run.network[1].running_var[0] = math.inf
    assert any(tensor is run.network[1].running_var for tensor in watched)
    history = fit(run, tmp_path, "statistic", 0)
    assert history.diverged == run.divergence(1, history.diverged.loss)
    assert math.isfinite(history.diverged.loss)


def test_a_mask_of_minus_infinity_does_not_count(begin, tmp_path, network):
    net = network()
    net.register_buffer("mask", torch.full((2,), -math.inf))
    assert fit(begin(network=net), tmp_path, "masked", 0).diverged is None


def test_a_run_that_ends_exploded_has_diverged_where_that_began(begin, tmp_path, monkeypatch):
    run = begin()
    losses, advance = iter([1.0, 50.0, 60.0, 70.0]), Run.advance
    monkeypatch.setattr(Run, "advance", lambda self: advance(self) * 0 + next(losses))
    monkeypatch.setattr(Run, "accuracy", lambda self, images: 0.0)
    history = fit(run, tmp_path, "exploded", 0)
    assert history.diverged == Divergence(2, float(run.rates.lr[3]), 50.0)
    assert len(history.rows) == 4


def test_the_test_images_take_no_part(begin, tmp_path, data, monkeypatch):
    run, advance = begin(), Run.advance
    monkeypatch.setattr(Run, "advance", lambda self: advance(self) * 0 + 1e6)
    monkeypatch.setattr(
        Run, "accuracy", lambda self, images: 1.0 if images is self.data.test else 0.0
    )
    assert fit(run, tmp_path, "exploded", 0).diverged.epoch == 1


@pytest.mark.parametrize("held_out", [True, False])
def test_a_huge_constant_learning_rate_diverges(held_out, begin, data, tmp_path):
    if not held_out:
        none = ImageSet(data.validation.images[:0], data.validation.labels[:0])
        data = replace(data, validation=none)
    rates = Rates(np.full(18, 1e3), np.full(18, 0.9), 3)
    history = fit(begin(rates=rates, data=data), tmp_path, "hot", 0)
    assert history.diverged.lr == 1e3


ADAMW = {"kind": "adamw", "weight_decay": 0.1}
SMOOTHING = {"kind": "label_smoothing", "smoothing": 0.2}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("peak", "recipe"),
    [
        (0.0, Recipe(batch_size=8)),
        (0.1, Recipe(batch_size=8)),
        (3.0, Recipe(batch_size=8)),
        (0.3, Recipe(batch_size=8, loss=SMOOTHING)),
        (0.05, Recipe(batch_size=8, optimizer=ADAMW)),
        (0.05, Recipe(batch_size=8, optimizer=ADAMW, loss=SMOOTHING)),
    ],
)
def test_runs_that_are_only_wild_have_not_diverged(peak, recipe, seed, begin, network, tmp_path):
    """Up to `peak` and down again, as one-cycle goes."""
    lr = peak * np.concatenate([np.linspace(0.1, 1, 6), np.linspace(1, 0, 18)])
    run = begin(network=network(seed), recipe=recipe, rates=Rates(lr, np.full(24, 0.9), 3))
    history = fit(run, tmp_path, "wild", 0)
    assert history.diverged is None
    assert len(history.rows) == 8


def test_a_run_that_diverged_diverges_again_after_a_crash(begin, hot, tmp_path, monkeypatch):
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    first = fit(begin(rates=hot), tmp_path, "hot", 0)
    assert len(list(tmp_path.glob(PROGRESS))) == 1
    again = fit(begin(rates=hot), tmp_path, "hot", 0)
    assert again.diverged == first.diverged
    assert again.rows == first.rows


@pytest.mark.parametrize("losses", ["not finite", "exploded", "fine"])
def test_all_ranks_agree(losses, begin, hot, rates, tmp_path, on_ranks, monkeypatch):
    advance = Run.advance
    if losses == "exploded":
        monkeypatch.setattr(Run, "advance", lambda self: advance(self) * 0 + 1e6)
        monkeypatch.setattr(Run, "accuracy", lambda self, images: 0.0)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))

    def task():
        run = begin(network=net, rates=hot if losses == "not finite" else rates)
        found = fit(run, tmp_path / f"{ranks.number()}", "ranks", 0).diverged
        return {"epoch": np.array(found.epoch if found else 0)}

    expected = {"not finite": 2, "exploded": 1, "fine": 0}[losses]
    assert [int(rank["epoch"]) for rank in on_ranks(task)] == [expected] * 2
