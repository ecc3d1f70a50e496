"""Rates in files, and learning rates that are no numbers of float32."""

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pipeline.params import parse
from stages.retraining.settings import SCHEDULE
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Rates, load_rates, save_rates, steps_per_epoch

LR = np.linspace(1, 0, 6)


@pytest.mark.parametrize(
    ("arrays", "steps", "line"),
    [
        ({"lr": LR}, 3, "holds no learning rates and momenta"),
        ({"lr": LR, "momentum": LR[:5]}, 3, "holds no learning rates and momenta"),
        ({"lr": LR[None], "momentum": LR[None]}, 3, "holds no learning rates and momenta"),
        ({"lr": LR.astype("f4"), "momentum": LR.astype("f4")}, 3, "holds no learning rates"),
        ({"lr": LR, "momentum": LR}, "3", "holds no learning rates and momenta"),
        ({"lr": LR, "momentum": LR}, 4, "6 steps at 4 per epoch are no whole epochs"),
        ({"lr": LR, "momentum": LR}, 0, "6 steps at 0 per epoch are no whole epochs"),
        ({"lr": LR[:0], "momentum": LR[:0]}, 3, "0 steps at 3 per epoch are no whole epochs"),
    ],
)
def test_a_file_of_no_rates_is_a_fault(arrays, steps, line, tmp_path):
    save_arrays(tmp_path / "a", arrays, {"steps_per_epoch": steps})
    with pytest.raises(Fault, match=f"/a: {line}"):
        load_rates(tmp_path / "a")


@pytest.mark.parametrize("lr", [5e-324, 1e-31, 1e31, float("inf"), float("nan"), 0.0, -1.0])
def test_a_peak_that_float32_has_not_is_refused(lr):
    """From 5e-324 to 1 the exponential curve was infinite."""
    with pytest.raises(Fault, match=r"max_lr is .*; it should be (greater|less)"):
        parse(SCHEDULE, {"curve": "exponential", "max_lr": lr, "final_lr": 1.0})


def test_the_widest_fall_and_rise_are_finite():
    for peak, final in ((1e-30, 1e30), (1e30, 1e-30)):
        entry = {"curve": "exponential", "max_lr": peak, "final_lr": final}
        dense = DenseRates(LR, LR, 3)
        arm = parse(SCHEDULE, entry).arm()
        assert np.isfinite(arm.rates(4, 3, dense).lr).all()


def test_rates_come_back_to_the_bit(tmp_path):
    rates = Rates(np.linspace(0.1, 1 / 3, 12), np.linspace(0.9, 0.7, 12), 4)
    save_rates(tmp_path / "rates", rates)
    back = load_rates(tmp_path / "rates")
    assert (back.lr.tobytes(), back.momentum.tobytes()) == (
        rates.lr.tobytes(),
        rates.momentum.tobytes(),
    )
    assert (back.lr.dtype, back.steps_per_epoch, back.epochs) == (np.float64, 4, 3)
    assert isinstance(back.epochs, int)


def test_the_file_names_what_it_holds(tmp_path):
    save_rates(tmp_path / "rates", Rates(np.zeros(4), np.ones(4), 2))
    assert load_arrays(tmp_path / "rates").keys() == {"lr", "momentum"}
    assert read_meta(tmp_path / "rates") == {"steps_per_epoch": 2}


def test_a_missing_file_is_a_fault_that_names_it(tmp_path):
    with pytest.raises(Fault, match="rates"):
        load_rates(tmp_path / "rates")


def test_the_short_last_batch_is_no_step():
    assert [steps_per_epoch(images, 8) for images in (7, 8, 15, 16, 83)] == [0, 1, 1, 2, 10]
