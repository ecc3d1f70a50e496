import json
import re
import sys
from dataclasses import asdict

import pytest
import torch

from stages.models import resnet
from stages.networks.building import Spec, build, check_output, load_code
from stages.pipeline.fault import Fault

RESNET8 = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 10, 3)

OWN = """
import torch

class Tiny(torch.nn.Linear):
    def __init__(self, num_classes, in_channels, scale=1.0):
        super().__init__(in_channels, num_classes)
        self.scale = scale

def nothing(num_classes, in_channels):
    return None
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "own.py").write_text(OWN)
    (tmp_path / "nets" / "empty.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def states_equal(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_equal_seeds_give_equal_weights_whatever_the_global_state():
    torch.manual_seed(1)
    first = build(RESNET8, seed=7)
    torch.manual_seed(2)
    assert states_equal(first, build(RESNET8, seed=7))
    assert not states_equal(first, build(RESNET8, seed=8))


@pytest.mark.parametrize("seed", [None, 7])
def test_building_leaves_the_global_generator_as_it_was(seed):
    before = torch.get_rng_state()
    build(RESNET8, seed)
    assert torch.equal(torch.get_rng_state(), before)


IMAGE = torch.full((3, 8, 8), 200, dtype=torch.uint8)


def test_a_network_whose_output_is_a_number_a_class_stays_as_it_was():
    network, twin = build(RESNET8, 7), build(RESNET8, 7)
    before = torch.get_rng_state()
    check_output(network, RESNET8, IMAGE)
    assert states_equal(network, twin)
    assert network.training
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (lambda image: torch.zeros(1, 11), r"\[1, 11\]"),
        (lambda image: torch.zeros(1, 9), r"\[1, 9\]"),
        (lambda image: torch.zeros(10), r"\[10\]"),
        (lambda image: torch.zeros(1, 10, 1), r"\[1, 10, 1\]"),
        (lambda image: (torch.zeros(1, 10),), "tuple"),
        (lambda image: {"logits": torch.zeros(1, 10)}, "dict"),
        (lambda image: None, "NoneType"),
    ],
)
def test_a_network_of_other_classes_than_the_data_is_a_fault(output, shown):
    network = build(RESNET8, 0)
    network.forward = output
    with pytest.raises(Fault) as fault:
        check_output(network, RESNET8, IMAGE)
    line = (
        rf"^model\.factory: resnet8 of stages/models/resnet\.py returns {shown} for one image; it "
        r"should be \[1, 10\], a number for each class of the data$"
    )
    assert re.search(line, str(fault.value))


def test_options_reach_the_factory():
    network = build(RESNET8, 0)
    assert isinstance(network, resnet.ResNet)
    assert network.conv1.out_channels == 4


def test_spec_survives_json():
    assert Spec(**json.loads(json.dumps(asdict(RESNET8)))) == RESNET8


def test_package_files_are_the_normal_modules():
    assert load_code("stages/models/resnet.py") is resnet
    assert load_code("./stages/models/resnet.py") is resnet


def test_a_file_of_the_project_is_a_module_of_its_own(project):
    network = build(Spec("nets/own.py", "Tiny", {"scale": 2.0}, 3, 5), 0)
    assert (network.scale, network.weight.shape) == (2.0, (3, 5))
    assert load_code("nets/own.py") is load_code("nets/../nets/own.py")
    assert "own" not in sys.modules
    old = load_code("nets/own.py")
    (project / "nets" / "own.py").write_text(OWN + "new = True\n")
    assert load_code("nets/own.py").new
    assert not hasattr(old, "new")


def test_a_file_that_fails_to_import_is_not_remembered(project):
    (project / "broken.py").write_text("import nowhere_to_be_found\n")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            load_code("broken.py")
    with pytest.raises(Fault, match=r"^broken\.py: line 1: importing it fails: ModuleNotFound"):
        build(Spec("broken.py", "x", {}, 10, 3))


def test_a_link_to_code_outside_is_not_run(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside").resolve() / "own.py"
    outside.write_text("raise SystemExit")
    (project / "linked.py").symlink_to(outside)
    (project / "folder").symlink_to(outside.parent)
    for code in ("linked.py", "folder/own.py"):
        line = f"model.code: {code} is a link to {outside}, outside the project"
        with pytest.raises(Fault, match=f"^{line}$"):
            load_code(code)


def test_a_link_to_a_file_of_the_project_is_followed(project):
    (project / "linked.py").symlink_to("nets/own.py")
    assert load_code("linked.py").Tiny


@pytest.mark.parametrize("name", [300 * "x" + ".py", "a\0.py"], ids=["long", "null"])
def test_a_name_that_no_file_can_have_is_no_file(name):
    with pytest.raises(Fault, match="no such Python file"):
        load_code(name)


@pytest.mark.parametrize(
    ("code", "factory", "options", "line"),
    [
        ("nets/none.py", "Tiny", {}, "model.code: nets/none.py: no such Python file"),
        ("stages/models/none.py", "x", {}, "model.code: stages/models/none.py: no such"),
        ("nets", "Tiny", {}, "model.code: nets: no such Python file"),
        ("../own.py", "Tiny", {}, "model.code: ../own.py is outside the project"),
        ("/own.py", "Tiny", {}, "model.code: /own.py is outside the project"),
        ("nets/own.py", "tiny", {}, "nets/own.py has no factory 'tiny'; did you mean Tiny"),
        ("nets/empty.py", "x", {}, "empty.py has no factory 'x'; it holds no"),
        ("stages/models/resnet.py", "resnet65", {}, "did you mean resnet56"),
        (
            "nets/own.py",
            "nothing",
            {},
            "model.factory: nothing of nets/own.py returns no nn.Module",
        ),
        (RESNET8.code, "resnet8", {"widht": 4}, "width: int = 16.*refuses.*argument 'widht'"),
        (RESNET8.code, "resnet8", {"width": -1}, "refuses {'width': -1}"),
        (RESNET8.code, "resnet8", {"width": "x"}, "refuses {'width': 'x'}"),
        (RESNET8.code, "resnet8", {"width": 0}, "leaves conv1.weight without weights"),
        (RESNET8.code, "resnet8", {"num_classes": 2, "size": 1}, "'size'"),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.usefixtures("project")
def test_faults(code, factory, options, line):
    with pytest.raises(Fault, match=line) as caught:
        build(Spec(code, factory, options, 10, 3))
    assert "\n" not in str(caught.value)
