"""What a disk does to the files of a replicate never reaches the outputs."""

import shutil
from pathlib import Path

import pytest

from stages.training.loop import Run
from tests.training.test_edits import project, train

__all__ = ["project"]
EPOCHS, KILLED_AFTER = 4, 3
MANIFEST = "manifest.json"
FINAL = "networks/final/replicate_0.safetensors"
CHECKPOINT = "networks/checkpoints/replicate_0/epoch_0001.safetensors"
OUTCOME = "outcomes/replicate_0.safetensors"
NEWEST, BEFORE = (f"progress_0000000{epoch}.safetensors" for epoch in (3, 2))


def flip(part, bit):
    """Return what flips a bit of the byte at a part of the file: 0 the first, 1 the last."""

    def damage(path):
        content = bytearray(path.read_bytes())
        content[round(part * (len(content) - 1))] ^= 1 << bit
        path.write_bytes(content)

    return damage


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    **{f"bit {bit} at {part}": flip(part, bit) for part, bit in [(0, 0), (0.3, 7), (1, 3)]},
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"0"),
    "empty": lambda path: path.write_bytes(b""),
    "of zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "missing": Path.unlink,
    "a folder": replace_by_folder,
}
damaged = pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)


class KilledError(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture
def trained(monkeypatch):
    """The number of epochs behind a run at each epoch that it trains."""
    epochs, advance = [], Run.advance
    monkeypatch.setattr(Run, "advance", lambda run: epochs.append(run.epoch) or advance(run))
    return epochs


def outputs():
    files = (path for path in Path("models").rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def state(suffix=""):
    (folder,) = (path for path in Path(".state").iterdir() if path.is_dir())
    assert folder.suffix == suffix
    return folder


@pytest.fixture
def expected(monkeypatch):
    """The outputs of an undisturbed run, which leaves a finished replicate."""
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    train(epochs=EPOCHS)
    return outputs()


@pytest.fixture
def killed(expected, monkeypatch):
    """The folder of a replicate that was killed after its third epoch of four."""
    shutil.rmtree(".state")
    advance = Run.advance

    def kill(run):
        if run.epoch == KILLED_AFTER:
            raise KilledError
        return advance(run)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "advance", kill)
        with pytest.raises(KilledError):
            train(epochs=EPOCHS)
    return state(".partial")


def again(expected, trained, capfd):
    """Train, and train once more; return the epochs trained, and what was said, the first time."""
    del trained[:]
    shutil.rmtree("models")
    train(epochs=EPOCHS)
    assert outputs() == expected
    epochs, said = [*trained], capfd.readouterr().err.splitlines()
    train(epochs=EPOCHS)
    assert outputs() == expected
    assert (trained, capfd.readouterr().err) == (epochs, "")
    state()
    return epochs, said


def test_a_finished_replicate_is_taken_as_it_is(expected, trained, capfd):
    assert again(expected, trained, capfd) == ([], [])


@damaged
@pytest.mark.parametrize("file", [FINAL, CHECKPOINT, OUTCOME, MANIFEST])
def test_a_damaged_result_is_computed_again(file, damage, expected, trained, capfd):
    damage(state() / file)
    epochs, said = again(expected, trained, capfd)
    assert epochs == [0, 1, 2, 3]
    (line,) = said
    assert ("missing" if damage is Path.unlink else "damaged") in line
    assert file in line
    assert line.endswith("; it is computed again")


def test_a_link_in_place_of_a_file_is_damage(expected, trained, capfd):
    path = state() / FINAL
    path.rename("moved")
    path.symlink_to(Path("moved").absolute())
    assert again(expected, trained, capfd)[0] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["notes.txt", "networks/final/other.safetensors", "outcomes/.tmp"])
def test_a_result_with_a_foreign_file_is_computed_again(name, expected, trained, capfd):
    (state() / name).write_text("foreign")
    folder = state()
    epochs, said = again(expected, trained, capfd)
    assert epochs == [0, 1, 2, 3]
    assert said == [f"{folder.absolute()}: {name} is foreign; it is computed again"]


@pytest.fixture
def other(expected):
    """The folder of a result of other settings, and what gives the first ones back."""
    mine, params = state(), Path("params.yaml")
    text = params.read_text()
    params.write_text(text.replace("seed: 0", "seed: 1"))
    train(epochs=2)
    (folder,) = (path for path in Path(".state").iterdir() if path.is_dir() and path != mine)
    params.write_text(text)
    return folder


def test_the_whole_result_of_other_settings_is_not_taken(other, expected, trained, capfd):
    (folder,) = (path for path in Path(".state").iterdir() if path.is_dir() and path != other)
    shutil.rmtree(folder)
    other.rename(folder)
    assert again(expected, trained, capfd)[0] == [0, 1, 2, 3]


def test_a_file_in_place_of_a_result_is_dropped(expected, trained, capfd):
    folder = state()
    shutil.rmtree(folder)
    folder.write_text("")
    assert again(expected, trained, capfd)[0] == [0, 1, 2, 3]


def test_a_killed_replicate_goes_on(killed, expected, trained, capfd):
    assert again(expected, trained, capfd) == ([3], [])


@damaged
@pytest.mark.parametrize(
    ("files", "epochs"),
    [
        ([NEWEST], [2, 3]),
        ([BEFORE], [3]),
        ([NEWEST, BEFORE], [0, 1, 2, 3]),
        ([CHECKPOINT], [0, 1, 2, 3]),
        ([MANIFEST], [0, 1, 2, 3]),
    ],
    ids=lambda value: "" if isinstance(value[0], int) else Path(value[0]).stem,
)
def test_damaged_progress_is_not_used(files, epochs, damage, killed, expected, trained, capfd):
    for file in files:
        damage(killed / file)
    trained_again, said = again(expected, trained, capfd)
    assert trained_again == epochs
    (line,) = said
    assert ("missing" if damage is Path.unlink else "damaged") in line
    start = CHECKPOINT in files or MANIFEST in files
    then = "it is computed from the start" if start else "it goes on from what was kept before"
    assert line.endswith(f"; {then}")


def test_what_came_after_the_last_progress_is_dropped(killed, expected, trained, capfd):
    """What a killed process had written and not listed, whole or not."""
    for name in ("progress_00000004.safetensors", ".progress.99.tmp", FINAL, "networks/other"):
        (killed / name).parent.mkdir(exist_ok=True)
        (killed / name).write_text("half")
    assert again(expected, trained, capfd) == ([3], [])
    assert sorted(path.name for path in state().iterdir()) == [MANIFEST, "networks", "outcomes"]


def test_work_without_a_manifest_is_computed_from_the_start(killed, expected, trained, capfd):
    (killed / NEWEST).rename(killed / "progress.safetensors")
    (killed / MANIFEST).unlink()
    assert again(expected, trained, capfd)[0] == [0, 1, 2, 3]
