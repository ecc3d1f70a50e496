"""The loss with a teacher: by hand, by its definition, and in the step."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stages.retraining.technique import Teaching
from stages.training.distillation import Teacher
from stages.training.extras import Extras

STUDENT = torch.tensor([[math.log(3), 0.0]])
TEACHER = torch.tensor([[0.0, math.log(3)]])
"""Probabilities 3/4, 1/4 and 1/4, 3/4; at temperature 1/2 they are 9/10, 1/10 and 1/10, 9/10."""


def teacher(weight=0.5, temperature=1.0, squared=True, network=None):
    return Teacher(network or nn.Identity(), weight, temperature, squared)


@pytest.mark.parametrize(
    ("temperature", "squared", "divergence"),
    [
        (1.0, True, 0.5 * math.log(3)),
        (1.0, False, 0.5 * math.log(3)),
        (0.5, False, 0.8 * math.log(9)),
        (0.5, True, 0.8 * math.log(9) / 4),
    ],
)
@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_the_loss_by_hand(weight, temperature, squared, divergence):
    """KL is 1/4 ln(1/3) + 3/4 ln 3 at temperature 1, and 1/10 ln(1/9) + 9/10 ln 9 at 1/2."""
    task = torch.tensor(2.0)
    loss = teacher(weight, temperature, squared).loss(task, STUDENT, TEACHER)
    assert loss.item() == pytest.approx((1 - weight) * 2 + weight * divergence, rel=1e-6)


READINGS = {
    "sparseml": ({}, lambda ce, kl: 0.5 * ce + 0.5 * 2**2 * kl(2)),
    "modelopt": ({"temperature": 1.0}, lambda ce, kl: 0.5 * ce + 0.5 * kl(1)),
    "ice": (
        {"weight": 1.0, "task": 1.0, "temperature": 2.0, "scale": "none"},
        lambda ce, kl: ce + kl(2),
    ),
}
"""What their code computes, from the cross-entropy and the mean divergence at a temperature."""


@pytest.mark.parametrize(("keys", "expected"), READINGS.values(), ids=READINGS)
def test_the_readings_of_tools_are_entries_of_the_key(keys, expected):
    chance = np.random.default_rng(1)
    student, told = (chance.normal(0, 3, (7, 5)) for _ in range(2))

    def divergence(temperature):
        p, q = softmax(told / temperature), softmax(student / temperature)
        return (p * np.log(p / q)).sum(1).mean()

    key = Teaching(**keys)
    squared = key.scale == "temperature_squared"
    found = Teacher(nn.Identity(), key.weight, key.temperature, squared, key.task).loss(
        torch.tensor(1.25, dtype=torch.float64), *map(torch.from_numpy, (student, told))
    )
    assert found.item() == pytest.approx(expected(1.25, divergence), rel=1e-12)


def softmax(x):
    exponentials = np.exp(x)
    return exponentials / exponentials.sum(1, keepdims=True)


def test_the_divergence_is_the_mean_over_the_batch_of_its_definition():
    chance = np.random.default_rng(0)
    student, told = (chance.normal(0, 3, (7, 5)) for _ in range(2))
    p, q = softmax(told / 4), softmax(student / 4)
    expected = 16 * (p * np.log(p / q)).sum(1).mean()
    found = teacher(1.0, 4.0).loss(torch.tensor(9.0), *map(torch.from_numpy, (student, told)))
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_it_is_least_where_the_student_says_what_the_teacher_says():
    student = TEACHER.clone().requires_grad_()
    loss = teacher(1.0, 3.0).loss(torch.tensor(1.0), student, TEACHER)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-7)
    assert student.grad.abs().max() < 1e-7


@pytest.fixture
def taught(begin, network):
    """Return a function that begins a run with a teacher, of another network than its own."""
    return lambda weight=0.5, **parts: begin(
        network=network(0, dropout=0),
        extras=Extras(teacher(weight, 2.0, network=network(7))),
        **parts,
    )


def test_the_teacher_sees_the_images_of_the_step_in_evaluation_mode_and_stays_as_it_is(taught):
    run = taught()
    its, students = run.extras.teacher.network, []
    before = {name: tensor.clone() for name, tensor in its.state_dict().items()}
    seen = []
    its.register_forward_hook(lambda module, args, out: seen.append((module.training, args[0])))
    run.network.register_forward_hook(lambda module, args, out: students.append(args[0]))
    run.advance()
    assert [training for training, _ in seen] == [False] * 3
    assert all(torch.equal(images, own) for (_, images), own in zip(seen, students, strict=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in its.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in its.parameters())


def test_a_teacher_changes_what_is_learnt_and_weight_0_is_none(begin, network, taught):
    alone, nothing, whole = begin(network=network(0, dropout=0)), taught(0.0), taught(1.0)
    losses = [run.advance() for run in (alone, nothing, whole)]
    assert losses[0] == losses[1] != losses[2]
