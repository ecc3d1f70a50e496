import io
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stages.images.prepared import ImageSet
from stages.pipeline.recovery import PROGRESS
from stages.training import progress as module
from stages.training.fit import fit
from stages.training.history import History
from stages.training.progress import end


class KilledError(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(params=["saved after every epoch", "saved as it pays"])
def saving(request, monkeypatch):
    if request.param == "saved after every epoch":
        monkeypatch.setattr(module, "SAVING_SHARE", 1e9)


def killed_at(epoch):
    def after(run):
        if run.epoch == epoch:
            raise KilledError

    return after


@pytest.fixture
def undisturbed(begin, tmp_path, snapshot):
    run = begin()
    return fit(run, tmp_path / "undisturbed", "whole", 0), snapshot(run)


@pytest.mark.parametrize("epoch", range(1, 5))
def test_a_killed_run_goes_on_to_the_same_bits(
    epoch, undisturbed, begin, tmp_path, snapshot, same, saving
):
    history, state = undisturbed
    with pytest.raises(KilledError):
        fit(begin(), tmp_path, "killed", 0, killed_at(epoch))
    resumed = begin()
    again = fit(resumed, tmp_path, "resumed", 0)
    assert same(snapshot(resumed), state)
    assert again.rows == history.rows
    assert same(again.selected, history.selected)
    assert again.best == history.best
    assert same(again.columns(), history.columns())


def test_a_resumed_run_does_not_train_what_it_had_trained(begin, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    seen = []
    with pytest.raises(KilledError):
        fit(begin(), tmp_path, "killed", 0, killed_at(3))
    fit(begin(), tmp_path, "resumed", 0, lambda run: seen.append(run.epoch))
    assert seen == [3, 4]


def test_a_run_killed_after_its_last_epoch_only_hands_out_its_history(
    undisturbed, begin, tmp_path, snapshot, same, monkeypatch
):
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    fit(begin(), tmp_path, "whole", 0)
    resumed = begin()
    again = fit(resumed, tmp_path, "resumed", 0, killed_at(4))
    assert again.rows == undisturbed[0].rows
    assert same(snapshot(resumed), undisturbed[1])


def test_after_sees_the_run_at_the_end_of_every_epoch(begin, tmp_path, snapshot, same):
    states = {}
    fit(begin(), tmp_path, "whole", 0, lambda run: states.update({run.epoch: snapshot(run)}))
    run = begin()
    for epoch in (1, 2, 3, 4):
        run.advance()
        assert same(states[epoch], snapshot(run))
    assert len(states) == 4


def test_the_history_has_a_row_an_epoch(undisturbed, begin, rates):
    rows = undisturbed[0].rows
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["lr"] for row in rows] == rates.lr[::3].tolist()
    assert [row["momentum"] for row in rows] == rates.momentum[::3].tolist()
    run = begin()
    for row in rows:
        assert row["train_loss"] == run.advance()
        assert row["validation_accuracy"] == run.accuracy(run.data.validation)
        assert row["test_accuracy"] == run.accuracy(run.data.test)


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [
        ((0.2, 0.8, 0.5, 0.6), 2),
        ((0.2, 0.8, 0.5, 0.8), 4),
        ((0.0, 0.0, 0.0, 0.0), 4),
        ((0.9, 0.8, 0.7, 0.6), 1),
        ((None, None, None, None), 4),
    ],
)
def test_the_best_on_validation_is_selected_the_later_of_two(
    accuracies, chosen, begin, snapshot, same
):
    run, history = begin(), History()
    networks = {}
    for epoch, accuracy in enumerate(accuracies, 1):
        run.advance()
        answers = {id(run.data.validation): accuracy, id(run.data.test): 1 / epoch}
        run.accuracy = lambda images, answers=answers: answers[id(images)]
        history.add(run, 0.5)
        state = snapshot(run)
        networks[epoch] = {k[8:]: v for k, v in state.items() if k.startswith("network/")}
    assert same(history.selected, networks[chosen])
    assert not any(same(history.selected, networks[e]) for e in networks if e != chosen)


def test_the_test_images_select_nothing(undisturbed, begin, tmp_path, data, same):
    shuffled = ImageSet(data.test.images, data.test.labels.roll(1))
    other = begin(data=replace(data, test=shuffled))
    assert same(fit(other, tmp_path, "other", 0).selected, undisturbed[0].selected)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_columns_are_the_rows_in_float64(undisturbed):
    history = undisturbed[0]
    columns = history.columns()
    assert all(c.dtype == np.float64 and c.shape == (4,) for c in columns.values())
    for number, row in enumerate(history.rows):
        assert {name: column[number] for name, column in columns.items()} == row


@pytest.fixture
def nothing_held_out(data):
    empty = ImageSet(data.validation.images[:0], data.validation.labels[:0])
    return replace(data, validation=empty)


def test_without_validation_images_a_killed_run_goes_on_to_the_same_bits_too(
    begin, nothing_held_out, tmp_path, same, monkeypatch
):
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    data = nothing_held_out
    whole = fit(begin(data=data), tmp_path / "whole", "whole", 0)
    with pytest.raises(KilledError):
        fit(begin(data=data), tmp_path / "killed", "killed", 0, killed_at(3))
    again = fit(begin(data=data), tmp_path / "killed", "resumed", 0)
    assert same(again.columns(), whole.columns())
    assert same(again.selected, whole.selected)
    assert np.isnan(again.columns()["validation_accuracy"]).all()


def test_a_run_that_is_not_tested_is_the_same_but_for_its_test_accuracies(
    undisturbed, begin, tmp_path, snapshot, same, monkeypatch
):
    run = begin()
    tested, accuracy = [], run.accuracy
    monkeypatch.setattr(run, "accuracy", lambda part: (tested.append(part), accuracy(part))[1])
    history = fit(run, tmp_path, "dense", 0, tested=False)
    assert all(part is run.data.validation for part in tested)
    assert same(snapshot(run), undisturbed[1])
    whole = undisturbed[0].columns()
    columns = history.columns()
    assert np.isnan(columns.pop("test_accuracy")).all()
    assert same(columns, {name: whole[name] for name in columns})
    assert same(history.selected, undisturbed[0].selected)


@pytest.mark.parametrize(
    ("held_out", "tested", "part"),
    [(True, True, "validation"), (True, False, "validation"), (False, True, "test")],
)
def test_a_terminal_shows_a_line_of_progress(
    held_out, tested, part, begin, tmp_path, data, nothing_held_out, monkeypatch
):
    data = data if held_out else nothing_held_out
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("stages.training.display.REFRESH_SECONDS", 0)
    history = fit(begin(data=data), tmp_path, "l1 onecycle", 2, tested=tested)
    last = history.rows[-1]
    shown = re.escape(
        f"l1 onecycle 2: epoch 4/4, loss {last['train_loss']:.3f}, "
        f"{part} {100 * last[f'{part}_accuracy']:.1f} %, "
    )
    assert re.search(shown + r"[\d,]+ images/s, 00:00 left", sys.stderr.getvalue())


def test_a_terminal_shows_no_accuracy_where_none_is_measured(
    begin, tmp_path, nothing_held_out, monkeypatch
):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("stages.training.display.REFRESH_SECONDS", 0)
    history = fit(begin(data=nothing_held_out), tmp_path, "dense", 2, tested=False)
    shown = f"epoch 4/4, loss {history.rows[-1]['train_loss']:.3f}, "
    assert re.search(re.escape(shown) + r"[\d,]+ images/s", sys.stderr.getvalue())


def test_the_speed_shown_is_in_images_a_second(begin, tmp_path, monkeypatch):
    """Three steps of eight images in half a second by this clock."""
    ticks = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr("stages.training.fit.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("stages.training.display.REFRESH_SECONDS", 0)
    fit(begin(), tmp_path, "l1 onecycle", 0)
    assert " 48 images/s" in sys.stderr.getvalue()


def test_the_line_goes_at_the_end_and_begins_where_a_resumed_run_does(begin, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    with pytest.raises(KilledError):
        fit(begin(), tmp_path, "killed", 0, killed_at(3))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("stages.training.display.REFRESH_SECONDS", 0)
    fit(begin(), tmp_path, "resumed", 0)
    shown = sys.stderr.getvalue()
    assert "resumed 0: epoch 2/4" in shown
    assert "resumed 0: epoch 1/4" not in shown
    assert shown.endswith("\r")


def test_no_accuracy_is_nan_not_none(begin, data):
    run = begin(data=replace(data, test=ImageSet(data.test.images[:0], data.test.labels[:0])))
    history = History()
    history.add(run, run.advance())
    assert np.isnan(history.rows[0]["test_accuracy"])


def test_nothing_is_shown_without_a_terminal_in_the_first_minute(begin, tmp_path, capsys):
    fit(begin(), tmp_path, "l1 onecycle", 0)
    assert capsys.readouterr() == ("", "")


def test_ended_progress_is_gone(begin, tmp_path):
    fit(begin(), tmp_path, "whole", 0)
    assert list(tmp_path.glob(PROGRESS))
    superseded = []
    end(tmp_path, lambda without: superseded.append([path.exists() for path in without]))
    end(tmp_path, superseded.append)
    assert len(superseded[0]) >= 1
    assert all(superseded[0])
    assert superseded[1:] == [[]]
    assert list(tmp_path.iterdir()) == []


def test_the_newest_progress_and_the_one_before_are_kept(begin, tmp_path, monkeypatch):
    """A file goes only when the manifest, which `keep` writes, no longer lists it."""
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    seen = []

    def keep(without):
        names = [path.name for path in sorted(tmp_path.iterdir())]
        seen.append((names, [path.name for path in without]))

    fit(begin(), tmp_path, "whole", 0, keep=keep)
    files = [f"progress_0000000{epoch}.safetensors" for epoch in (1, 2, 3, 4)]
    assert seen == [
        (files[:1], []),
        (files[:2], []),
        (files[:3], files[:1]),
        (files[1:], files[1:2]),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == files[2:]


@pytest.mark.parametrize(("lost", "again"), [(1, [4]), (2, [1, 2, 3, 4])])
def test_without_its_newest_progress_a_run_goes_on_from_the_one_before_or_from_its_start(
    lost, again, undisturbed, begin, tmp_path, snapshot, same, monkeypatch
):
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    fit(begin(), tmp_path, "whole", 0)
    for path in sorted(tmp_path.glob(PROGRESS))[-lost:]:
        path.unlink()
    resumed, seen = begin(), []
    history = fit(resumed, tmp_path, "resumed", 0, lambda run: seen.append(run.epoch))
    assert seen == again
    assert same(snapshot(resumed), undisturbed[1])
    assert history.rows == undisturbed[0].rows


@pytest.mark.parametrize("error", [KilledError, SystemExit, KeyboardInterrupt])
def test_what_ends_a_run_saves_the_last_epoch_though_it_was_not_due(
    error, undisturbed, begin, tmp_path, snapshot, same, monkeypatch
):
    """SystemExit is what SIGTERM raises; `after` has not seen the third epoch to its end."""
    monkeypatch.setattr(module, "SAVING_SHARE", -1)

    def ended(run):
        if run.epoch == 3:
            raise error

    kept = []
    with pytest.raises(error):
        fit(begin(), tmp_path, "ended", 0, ended, keep=lambda without: kept.append(without))
    assert [path.name for path in tmp_path.glob(PROGRESS)] == ["progress_00000002.safetensors"]
    assert kept == [[]]
    resumed, seen = begin(), []
    history = fit(resumed, tmp_path, "resumed", 0, lambda run: seen.append(run.epoch))
    assert seen == [3, 4]
    assert same(snapshot(resumed), undisturbed[1])
    assert history.rows == undisturbed[0].rows


def test_an_epoch_in_the_midst_of_training_saves_the_one_before(
    undisturbed, begin, tmp_path, snapshot, same, monkeypatch
):
    monkeypatch.setattr(module, "SAVING_SHARE", -1)
    run = begin()
    step, taken = run.step, []

    def launch():
        taken.append(1)
        if len(taken) == 2 * run.rates.steps_per_epoch + 2:
            raise SystemExit(143)
        step()

    run.launch = launch
    with pytest.raises(SystemExit):
        fit(run, tmp_path, "ended", 0)
    resumed, seen = begin(), []
    fit(resumed, tmp_path, "resumed", 0, lambda run: seen.append(run.epoch))
    assert seen == [3, 4]
    assert same(snapshot(resumed), undisturbed[1])
