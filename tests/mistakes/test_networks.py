"""Network files that cannot be used: `rehearse` names file, line and remedy before any training."""

from pathlib import Path

import pytest

from stages import rehearse
from stages.pipeline.digests import code_digests
from stages.pipeline.files import write_json
from tests.mistakes.edits import edit
from tests.mistakes.harness import call, check, nothing_done

FILE = "mine/net.py"
HEAD = "import torch\nfrom torch import nn\n\n"
PLAIN = """
def net(num_classes, in_channels):
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3), nn.Flatten(), nn.Linear(288, num_classes))
"""
LAST = "the network fails"
TRAINING = "in training mode"


def returned(*layers, before=""):
    """A file whose network is these layers in a row."""
    body = f"    return nn.Sequential({', '.join(layers)})\n"
    return f"def net(num_classes, in_channels):\n{before}{body}"


def forward(*lines, init="self.fc = nn.Linear(64, num_classes)"):
    """A file whose network has a forward of its own; its first line is line 10 of the file."""
    body = "".join(f"        {line}\n" for line in lines)
    return (
        "class net(nn.Module):\n    def __init__(self, num_classes, in_channels):\n"
        f"        super().__init__()\n        {init}\n\n    def forward(self, x):\n{body}"
    )


FLAT, FC = "nn.Flatten()", "nn.Linear(64, num_classes)"

FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    # where the file is imported
    "a package that is missing": (
        "import no_such_package\n" + PLAIN,
        ("line 4: importing it fails: ModuleNotFoundError: No module named 'no_such_package'",),
    ),
    "a name that its package lacks": (
        "from torch.nn import Conv5d\n" + PLAIN,
        ("line 4: importing it fails: ImportError: cannot import name 'Conv5d'",),
    ),
    "a name that is not defined": (
        "layers = nnn.Linear\n" + PLAIN,
        ("line 4: importing it fails: NameError: name 'nnn' is not defined",),
    ),
    "sys.exit": (
        "import sys\n" + PLAIN + "\nsys.exit(0)\n",
        ("line 9: importing it fails: SystemExit: 0",),
    ),
    "an error of its own": (
        PLAIN + "\nraise RuntimeError('two\\nlines')\n",
        ("line 8: importing it fails: RuntimeError: two lines",),
    ),
    "an assertion": (PLAIN + "\nassert 1 == 2\n", ("line 8: importing it fails: AssertionError;",)),
    "a key that is missing": (
        "SIZES = {'a': 1}\nSIZE = SIZES['b']\n" + PLAIN,
        ("line 5: importing it fails: KeyError: 'b'",),
    ),
    "a file that is missing": (
        "open('mine/weights.txt')\n" + PLAIN,
        ("line 4: importing it fails: FileNotFoundError",),
    ),
    "endless recursion": (
        "def again():\n    again()\n\nagain()\n" + PLAIN,
        ("line 5: importing it fails: RecursionError",),
    ),
    # what is no factory
    "no function": ("x = 1\n", ("has no factory 'net'; it holds no function with `num_classes`",)),
    "another name": (
        PLAIN.replace("net(", "nets("),
        ("has no factory 'net'; did you mean nets?",),
    ),
    "no in_channels": (
        PLAIN.replace(", in_channels)", ")").replace("in_channels", "1"),
        ("has no factory 'net'",),
    ),
    "an option without a default": (
        PLAIN.replace("in_channels)", "in_channels, width)"),
        ("net(num_classes, in_channels, width) refuses {}", "'width'", "see model.options"),
    ),
    # what the factory does
    "a factory that raises": (
        "def net(num_classes, in_channels):\n    return {}['x']\n",
        ("line 5: net(num_classes, in_channels) refuses {}: KeyError: 'x'",),
    ),
    "a factory that asserts": (
        "def net(num_classes, in_channels):\n    assert in_channels == 3, 'RGB alone'\n",
        ("line 5: net(", "AssertionError: RGB alone"),
    ),
    "a factory that exits": (
        "import sys\ndef net(num_classes, in_channels):\n    sys.exit('no')\n",
        ("line 6: net(", "SystemExit: no"),
    ),
    "nothing returned": (
        "def net(num_classes, in_channels):\n    pass\n",
        ("net of mine/net.py returns no nn.Module",),
    ),
    "a class returned": (
        "def net(num_classes, in_channels):\n    return nn.Linear\n",
        ("net of mine/net.py returns no nn.Module",),
    ),
    "no super().__init__()": (
        "class net(nn.Module):\n    def __init__(self, num_classes, in_channels):\n"
        "        self.fc = nn.Linear(64, num_classes)\n",
        ("line 6: net(", "AttributeError: cannot assign module before"),
    ),
    "an attribute that torch lacks": (
        "def net(num_classes, in_channels):\n    return nn.Cnov2d(in_channels, 8, 3)\n",
        ("line 5: net(", "AttributeError: module 'torch.nn' has no attribute 'Cnov2d'"),
    ),
    # its parameters
    "no parameters": (returned(FLAT), ("without parameters; there is nothing to train",)),
    "no weights": (
        returned(FLAT, "nn.Linear(64, 0)", "nn.Linear(0, num_classes)"),
        ("leaves 1.weight without weights",),
    ),
    "lazy layers": (
        returned(FLAT, "nn.LazyLinear(num_classes)"),
        ("returns a lazy 1.weight; give its layer the number of inputs",),
    ),
    "all frozen": (
        PLAIN.replace("return ", "n = ") + "    return n.requires_grad_(False)\n",
        ("whose parameters are all frozen; set requires_grad of some",),
    ),
    "float64": (
        returned(FLAT, f"{FC}.double()"),
        ("whose 1.weight is float64; it should be float32",),
    ),
    "half": (returned(FLAT, f"{FC}.half()"), ("whose 1.weight is float16; it should be float32",)),
    "a parameter that nothing uses": (
        forward(
            "return self.fc(x.flatten(1))",
            init="self.fc, self.b = nn.Linear(64, num_classes), nn.Linear(2, 2)",
        ),
        ("the loss does not depend on b.weight; use it, leave it out or freeze it",),
    ),
    # its input
    "three channels": (
        returned("nn.Conv2d(3, 8, 3)", FLAT, "nn.Linear(288, num_classes)"),
        ("mine/net.py: the network fails: RuntimeError", "expected input[1, 1, 8, 8] to have 3"),
    ),
    "another image size": (
        returned(FLAT, "nn.Linear(784, num_classes)"),
        ("mine/net.py: the network fails: RuntimeError", "it should run on images [1, 1, 8, 8]"),
    ),
    "images that shrink to nothing": (
        returned("nn.Conv2d(in_channels, 4, 9)", FLAT, "nn.Linear(4, num_classes)"),
        ("mine/net.py: the network fails: RuntimeError", "Kernel size can't be greater"),
    ),
    # its output
    "too few classes": (
        returned(FLAT, "nn.Linear(64, 9)"),
        ("returns [1, 9] for one image; it should be [1, 10], a number for each class",),
    ),
    "too many classes": (
        returned(FLAT, "nn.Linear(64, 1000)"),
        ("returns [1, 1000] for one image; it should be [1, 10]",),
    ),
    "three dimensions": (
        returned("nn.Flatten(2)", FC),
        ("returns [1, 1, 10] for one image; it should be [1, 10]",),
    ),
    "four dimensions": (
        returned("nn.Conv2d(in_channels, num_classes, 8)"),
        ("returns [1, 10, 1, 1] for one image; it should be [1, 10]",),
    ),
    "a tuple": (forward("return (self.fc(x.flatten(1)),)"), ("returns tuple for one image",)),
    "a list": (forward("return [self.fc(x.flatten(1))]"), ("returns list for one image",)),
    "a dict": (forward("return {'out': self.fc(x.flatten(1))}"), ("returns dict for one image",)),
    "nothing": (forward("self.fc(x.flatten(1))"), ("returns NoneType for one image",)),
    "a tuple in training alone": (
        forward("y = self.fc(x.flatten(1))", "return (y, y) if self.training else y"),
        ("in training mode net of mine/net.py returns tuple for two images",),
    ),
    "no gradient": (
        forward("return self.fc(x.flatten(1)).detach()"),
        ("in training mode the network fails: RuntimeError: element 0 of tensors does not",),
    ),
    "classes instead of logits": (
        forward("return self.fc(x.flatten(1)).argmax(1)"),
        ("returns [1] for one image; it should be [1, 10]",),
    ),
    "whole numbers": (
        forward("return self.fc(x.flatten(1)).long()"),
        ("returns int64; it should be float32",),
    ),
    "wide numbers": (
        forward("return self.fc(x.flatten(1)).double()"),
        ("returns float64; it should be float32",),
    ),
    "NaN": (
        forward("return self.fc(x.flatten(1)) / 0"),
        ("logits whose loss is nan untrained; change its weights",),
    ),
    # its forward
    "no forward": (
        "class net(nn.Module):\n    def __init__(self, num_classes, in_channels):\n"
        "        super().__init__()\n        self.fc = nn.Linear(64, num_classes)\n",
        ("mine/net.py: the network fails: NotImplementedError", '"forward"'),
    ),
    "a forward that raises": (
        forward("raise ValueError('not today')"),
        ("mine/net.py: line 10: the network fails: ValueError: not today; it should run on",),
    ),
    "a forward with a slip": (
        forward("y = x.flatten(1)", "return self.fcc(y)"),
        ("mine/net.py: line 11: the network fails: AttributeError", "'fcc'"),
    ),
    "a forward that raises in training": (
        forward("assert not self.training", "return self.fc(x.flatten(1))"),
        ("mine/net.py: line 10: in training mode the network fails: AssertionError",),
    ),
    "a forward that takes two": (
        forward("return self.fc(x.flatten(1))").replace("(self, x)", "(self, x, y)"),
        ("the network fails: TypeError", "missing 1 required positional argument: 'y'"),
    ),
    "a forward that exits": (
        forward("exit(3)"),
        ("mine/net.py: line 10: the network fails: SystemExit: 3",),
    ),
    # what pruning cannot do
    "no convolution": (
        returned(FLAT, FC),
        ("prune.methods.l1: scope: 'blocks' admits no convolution of Sequential: it has none",),
    ),
    "linear layers alone": (
        returned(FLAT, "nn.Linear(64, 8)", "nn.ReLU()", "nn.Linear(8, num_classes)"),
        (
            "prune.methods.l1: scope: 'blocks' admits no convolution of Sequential: it has none; "
            "units: [neurons] would admit others",
        ),
    ),
    "weights that are computed": (
        returned(
            "torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(in_channels, 8, 3))",
            *(FLAT, "nn.Linear(288, num_classes)"),
        ),
        ("prune.methods.l1: prune: 0.weight is computed from other parameters, as by weight_norm",),
    ),
}


def use(text: str) -> None:
    """Make this the network of the project, and digest the code, as `code` would."""
    Path(FILE).parent.mkdir()
    Path(FILE).write_text(HEAD + text)
    edit({"model": f"{{code: {FILE}, factory: net}}"})
    write_json("build/code.json", code_digests(FILE))


@pytest.mark.parametrize("what", FILES)
def test_a_network_that_cannot_be_used_is_a_line(project, what):
    text, parts = FILES[what]
    use(text)
    both = any("prune.methods" in part for part in parts)
    with nothing_done(project):
        ended = call(rehearse.app)
    check(ended, *([parts, "prune.methods.random: "] if both else [parts]))
    assert all(FILE in line or "params.yaml: prune" in line for line in ended.err)


GAIN = forward(
    "return self.fc(x.flatten(1)) * self.gain",
    init="self.fc, self.gain = nn.Linear(64, num_classes), nn.Parameter(torch.ones(1))",
)
FRESH = {
    "a parameter of its own": (GAIN, ("start: fresh cannot re-initialise gain; give that file a",)),
    "an initialise that fails": (
        GAIN + "\ndef initialise(network):\n    network.gains.fill_(1)\n",
        ("line 13: start: fresh cannot re-initialise it: AttributeError", "see its `initialise`"),
    ),
}


@pytest.fixture
def fresh(project):
    """The project with an arm that starts fresh, as `validate` says."""
    write_json("build/starts.json", {"fresh": True, "trainable": {}})
    yield project
    write_json("build/starts.json", {"fresh": False, "trainable": {}})


@pytest.mark.parametrize("what", FRESH)
def test_a_network_that_cannot_start_fresh_is_a_line_where_an_arm_does(fresh, what):
    text, parts = FRESH[what]
    use(text)
    with nothing_done(fresh):
        ended = call(rehearse.app)
    check(ended, (FILE, *parts))


def test_a_network_that_cannot_start_fresh_will_do_where_no_arm_does(project):
    use(GAIN)
    ended = call(rehearse.app)
    assert not any("fresh" in line for line in ended.err)


METHODS = {
    "{granularity: filter, criterion: l1, allocation: {kind: per_stage, ratios: [0.5]}}": (
        "allocation.ratios: 1 ratios; the network has 3 stages"
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: widths, widths: [4]}}": (
        "allocation.widths: 1 widths; the network has 3 layers"
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: widths, widths: {conv9: 4}}}": (
        "allocation.widths: conv9 is no prunable layer; allowed: "
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: widths, widths: [99, 1, 1]}}": (
        "filters, it cannot keep 99"
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: plan, name: ResNet-56-A}}": (
        "ResNet-56-A is for a network of 27 prunable convolutions, this one has 3"
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: target, parameters: 10}}": (
        "allocation.parameters: 10; the smallest network has"
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: target}}": (
        "a target is either `parameters` or `macs`"
    ),
    "{granularity: filter, criterion: l1, allocation: {kind: uniform, ratio: 0.5, skip: [x]}}": (
        "allocation.skip"
    ),
    "{granularity: filter, criterion: l1, units: [heads], allocation: {kind: uniform, ratio: 0}}": (
        "scope: 'blocks' admits no heads of ResNet: it has none; "
        "units: [channels] would admit others"
    ),
    "{granularity: weight, criterion: magnitude, allocation: {kind: n_m, n: 4, m: 2}}": (
        "allocation.n: 4 of every 2 weights; n is at most m"
    ),
    "{granularity: weight, criterion: magnitude, allocation: {kind: n_m, n: 2, m: 7}}": (
        "allocation.m: 7 divides the inputs of no layer"
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_does_not_fit_the_network_is_a_line(project, method):
    edit({"prune.methods.mine": method})
    with nothing_done(project):
        ended = call(rehearse.app)
    check(ended, ("params.yaml: prune.methods.mine: ", METHODS[method]))


OWN = {
    "vit, vit_tiny, {}": "image is [28, 28], the data's are [8, 8]",
    "vit, vit_tiny, {image: [8, 8], patch: [3, 3]}": "patches of [3, 3] do not tile images of",
    "vit, vit_tiny, {image: 8}": "image is 8; it must be [height, width] in pixels",
    "vit, vit_tiny, {image: [8, 8], heads: 3}": "heads is 3; it must divide width, 64",
    "vit, vit_tiny, {image: [8, 8], width: wide}": "width is 'wide'; it should be a whole number",
    "vit, vit_tiny, {image: [8, 8], mlp_ratio: 0}": "leaves blocks.0.fc1.weight without weights",
    "convnext, convnext_tiny, {depths: [1]}": "depths is [1]; it must be a list of 3",
    "timm, create_model, {name: resnet10}": "name is 'resnet10', no network of timm; did you mean",
    "timm, create_model, {}": ("create_model(", "missing", "'name'"),
    "imagenet, vit_b_16, {image_size: 8}": ("vit_b_16(", "refuses", "'image_size': 8"),
}


@pytest.mark.parametrize("model", OWN)
def test_options_that_a_network_of_the_project_refuses_are_a_line(project, model):
    name, factory, options = model.split(", ", 2)
    if name == "timm":
        pytest.importorskip("timm")
    code = f"stages/models/{name}.py"
    edit({"model": f"{{code: {code}, factory: {factory}, options: {options}}}"})
    with nothing_done(project):
        ended = call(rehearse.app)
    check(ended, OWN[model])


def test_slimming_needs_a_batchnorm(project):
    use(PLAIN)
    entry = "{granularity: filter, criterion: slimming, allocation: {kind: uniform, ratio: 0.5}}"
    edit({"prune.methods.mine": entry})
    with nothing_done(project):
        ended = call(rehearse.app)
    check(ended, "params.yaml: prune.methods.mine: criterion: it has no score for the filters of 0")


def test_a_part_that_the_network_lacks_is_not_trained_alone(project):
    before = Path("build/starts.json").read_text()
    write_json("build/starts.json", {"fresh": False, "trainable": {"mine": [{"blocks": 99}]}})
    with nothing_done(project):
        ended = call(rehearse.app)
    Path("build/starts.json").write_text(before)
    check(ended, "params.yaml: retrain.schedules.mine.trainable.blocks is 99; the network has 6")


def test_every_fault_of_every_method_has_its_line(project):
    faults = list(METHODS)[:3]
    edit({f"prune.methods.mine{i}": method for i, method in enumerate(faults)})
    ended = call(rehearse.app)
    check(ended, *(METHODS[method] for method in faults))


def test_a_network_that_can_be_used_is_said_to_be(project):
    with pytest.raises(AssertionError), nothing_done(project):
        ended = call(rehearse.app)
    assert ended == (0, [], [])
    assert Path("build/network.ok").read_text() == "ok\n"
    Path("build/network.ok").unlink()
