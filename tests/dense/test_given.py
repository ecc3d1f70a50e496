import pytest

from stages.dense.given import given_weights
from stages.pipeline.fault import Fault


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes a folder of empty files."""

    def make(*names):
        for name in names:
            (tmp_path / name).touch()
        return tmp_path

    return make


def test_the_file_called_none_gives_nothing(folder):
    assert given_weights(folder("none", "final.pt") / "none") is None


@pytest.mark.parametrize("name", ["net.safetensors", "model.pt", "best.pth"])
def test_a_file_is_the_final_network(name, folder):
    given = given_weights(folder(name) / name)
    assert (given.final.name, given.checkpoints) == (name, {})


def test_a_folder_has_the_final_network_and_earlier_epochs(folder):
    given = given_weights(folder("final.pt", "epoch_12.pt", "epoch_0003.safetensors"))
    assert given.final.name == "final.pt"
    names = {epoch: file.name for epoch, file in given.checkpoints.items()}
    assert names == {3: "epoch_0003.safetensors", 12: "epoch_12.pt"}


def test_an_epoch_without_weights_is_named(folder):
    given = given_weights(folder("final.pt", "epoch_12.pt"))
    given.check([12])
    with pytest.raises(Fault, match=r"of epoch 3, .* add epoch_0003\.safetensors"):
        given.check([12, 3])


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("best.pt",), r"best\.pt is neither final\.pt nor epoch_N\.pt; rename it"),
        (("final.pt", "final.pth"), "holds two files of one epoch"),
        (("final.pt", "epoch_1.pt", "epoch_0001.pt"), "holds two files of one epoch"),
        (("epoch_1.pt",), r"holds no final\.\*"),
        (("none", "README.md"), r"holds no final\.\*; put the weights there, or use data/"),
    ],
)
def test_other_folders_are_refused(names, line, folder):
    with pytest.raises(Fault, match=line):
        given_weights(folder(*names))


@pytest.mark.parametrize("name", ["absent.pt", "net.onnx"])
def test_other_paths_are_refused(name, folder):
    folder("net.onnx")
    with pytest.raises(Fault, match=r"it should be a file that ends in .*, or data/weights/none"):
        given_weights(folder() / name)
