"""Every curve with any options that its settings allow."""

import types
import typing
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.pipeline.options import own_options
from stages.pipeline.params import parse
from stages.retraining.settings import SCHEDULE
from stages.schedules.dense import DenseRates
from stages.schedules.registry import CURVES
from tests.fuzz.drawing import drawn, value_or_fault

LARGEST = 1e6
dense_runs = st.builds(
    lambda lr, momentum, per_epoch, epochs, last: DenseRates(
        np.linspace(lr, last * lr, epochs * per_epoch),
        np.full(epochs * per_epoch, momentum),
        per_epoch,
    ),
    st.floats(1e-6, 10),
    st.floats(0, 0.99),
    st.integers(1, 9),
    st.integers(1, 30),
    st.floats(0, 1),
)


def allowed(kind, low=None, high=None, above=None, below=None):
    """A strategy for the values that an option's type allows."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        bounds = {"low": low, "high": high, "above": above, "below": below}
        names = {"ge": "low", "le": "high", "gt": "above", "lt": "below"}
        for rule in (rule for note in parts[1:] for rule in getattr(note, "metadata", [note])):
            bounds |= {
                name: getattr(rule, key) for key, name in names.items() if hasattr(rule, key)
            }
        return allowed(parts[0], **bounds)
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([allowed(part) for part in parts])
    if origin is tuple:
        return st.lists(allowed(parts[0]), max_size=4, unique=True).map(sorted)
    if kind is types.NoneType:
        return st.none()
    if kind is int:
        return st.integers(low or 0, 40)
    return st.floats(
        low if above is None else above,
        LARGEST if high is None and below is None else high or below,
        exclude_min=above is not None,
        exclude_max=below is not None,
    )


def options(name):
    own = own_options(CURVES[name]).items()
    required = {key: allowed(kind) for key, (kind, default) in own if default is ...}
    optional = {key: allowed(kind) for key, (kind, default) in own if default is not ...}
    return st.fixed_dictionaries(required, optional=optional)


momenta = st.one_of(st.none(), st.just("cycled"), st.floats(0, 0.99))


@pytest.mark.parametrize("name", sorted(CURVES))
@given(st.data())
@drawn
def test_a_curve_is_finite_and_as_long_as_its_arm(name, data):
    dense = data.draw(dense_runs)
    epochs = data.draw(st.integers(1, dense.epochs if name == "replay" else 30))
    entry = {"curve": name, "momentum": data.draw(momenta), **data.draw(options(name))}
    arm = parse(SCHEDULE, entry).arm()  # no option that its type allows is refused
    with warnings.catch_warnings(action="error"):
        rates = value_or_fault(arm.rates, epochs, dense.steps_per_epoch, dense)
    if rates is None:
        return
    for column in (rates.lr, rates.momentum):
        assert column.shape == (epochs * dense.steps_per_epoch,)
        assert column.dtype == np.float64
        assert np.isfinite(column).all()
        assert column.min() >= 0
    assert rates.momentum.max() < 1
