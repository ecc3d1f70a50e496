"""Command lines that cannot be read or followed: stages, `afterprune`, benchmarks."""

import os
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import app as benchmarks
from tests.mistakes.edits import edit
from tests.mistakes.harness import afterprune, call, check, nothing_done

WHOLE = "unable to parse string as an integer"
NAME = "a name should match [a-z][a-z0-9_]{0,63}"
ARM = ("--method", "l1", "--schedule", "onecycle")
OUTPUTS = {
    "mine": "mine is a folder; it should be a file, or not there yet",
    "mine/folder": "mine/folder is a folder; it should be a file, or not there yet",
    "params.yaml/x": "params.yaml/x is below params.yaml, which is a file; it should",
    "params.yaml/x/y": "params.yaml/x/y is below params.yaml, which is a file; it should",
    "mine/pipe": "mine/pipe is no ordinary file; it should be a file, or not there yet",
    "mine/device": "mine/device is no ordinary file; it should be a file, or not there yet",
    "/dev/null": "/dev/null is no ordinary file; it should be a file, or not there yet",
    "/dev/null/x": "/dev/null/x is below null, which is a file; it should be below a folder",
    "x" * 300: "File name too long",
}

STAGES: list[tuple[str, str]] = [
    ("validate x", "validate x: Got unexpected extra argument"),
    ("validate --method l1", "validate --method l1: no option --method; valid: --help; see"),
    ("code --force", "code --force: no option --force; valid:"),
    ("prepare data", "prepare data: Got unexpected extra argument"),
    ("rehearse --methods l1", "no option --methods; valid:"),
    ("dense_curve -x", "no option -x; valid:"),
    ("train --seed 1", "no option --seed; valid:"),
    ("train --help-me", "no option --help-me"),
    ("prune", "prune: Missing option '--method'; see prune --help"),
    ("prune --method", "Option '--method' requires an argument"),
    ("prune l1", "prune l1: "),
    ("prune --metod l1", "no option --metod; did you mean '--method'? valid: --method"),
    ("prune --method l11", "--method is 'l11'; did you mean 'l1'? valid: l1, random"),
    ("prune --method ''", "--method is ''; valid: l1, random"),
    ("prune --method ../l1", "--method is '../l1'; valid: l1, random"),
    ("prune --method 'l1;touch pwned'", "--method is 'l1;touch pwned'; valid: l1, random"),
    ("prune --method 'l1\nrandom'", "--method is 'l1\\nrandom'; "),
    (f"prune --method {'l' * 300}", "…; valid: l1, random"),
    ("plan --method randon", "--method is 'randon'; did you mean 'random'? valid: l1, random"),
    ("retrain --method l1", "Missing option '--schedule'; see retrain --help"),
    ("retrain --schedule onecycle", "Missing option '--method'; see retrain --help"),
    ("retrain --method l1 --schedule one", "--schedule is 'one'; valid: finetune,"),
    ("retrain --method l2 --schedule scaled", "--method is 'l2'; valid: l1, random"),
    ("retrain --method l1 --schedul scaled", "no option --schedul; did you mean '--schedule'?"),
    ("retrain --method l1 --schedule scaled 3", "Got unexpected extra argument"),
    ("iterate --method l1 --schedule scaled", "--method is 'l1'; valid: "),
    (
        "evaluate --method l1 --schedule ''",
        "--schedule is ''; valid: finetune, finetune_tuned, lr_rewind,",
    ),
    ("evaluate_pruned --method dense", "--method is 'dense'; valid: l1, random"),
    ("evaluate_dense --metric x", "no option --metric; valid:"),
    ("headline l1", "headline l1: Got unexpected extra argument"),
    ("compare --baseline x", "no option --baseline; valid:"),
]

COMMANDS: list[tuple[str, str]] = [
    ("curve", "no command 'curve'; did you mean 'curves'? valid: clean, curves, dag, explain,"),
    ("''", "no command ''; valid: clean, curves,"),
    ("--version", "no command '--version'; valid: clean, curves,"),
    ("studies --chek", "no option --chek; did you mean '--check'? valid: --"),
    ("studies --check budgets", "--check is about all studies as they are; give nothing beside it"),
    ("RUN", "no command 'RUN'; valid: clean, curves,"),
    ("curves --epochs", "afterprune curves --epochs: Option '--epochs' requires an argument"),
    ("curves --epochs many", "curves --epochs many: Invalid value for '--epochs': "),
    (
        "curves --epochs 0",
        "Invalid value for '--epochs': Input should be greater",
    ),
    ("curves --epochs 1000000000000", "Input should be less than or equal to 100000"),
    ("curves --epochs 1.5", "Invalid value for '--epochs'"),
    ("curves --steps-per-epoch 0", "Invalid value for '--steps-per-epoch'"),
    ("curves --steps-per-epoch 99999999", "Input should be less than or equal to 1000000"),
    (
        "curves --schedule scaled --epochs 100000 --steps-per-epoch 1000",
        "scaled: 100000000 steps at 1000 per epoch; allowed: 1 or more, in all up to 50000000",
    ),
    ("curves --flops-ratio 0.5", "Invalid value for '--flops-ratio'"),
    ("curves --schedul scaled", "no option --schedul; did you mean '--schedule'? valid: --csv,"),
    ("curves --schedule scale", "--schedule is 'scale'; did you mean 'scaled'? valid: finetune,"),
    ("curves --schedule ''", "--schedule is ''; valid: finetune,"),
    ("curves scaled", "afterprune curves scaled: Got unexpected extra argument"),
    ("curves --csv", "--csv takes one --schedule of finetune, finetune_tuned, weight_rewind"),
    ("curves --params nope.yaml", "nope.yaml: no such file; run from the project's folder"),
    ("curves --params data", "data: Is a directory; it should be a YAML file"),
    ("curves --params README.md", "README.md: not valid YAML: line "),
    ("curves --params params.yaml/x", "params.yaml/x: Not a directory; it should be a YAML file"),
    ("curves --params build/code.json", "build/code.json: train is missing"),
    ("curves --plot x.gif", "--plot is x.gif; it should end in .pdf, .png, .svg"),
    ("curves --plot x", "--plot is x; it should end in .pdf, .png, .svg"),
    ("curves --plot data", "--plot is data; it should end in .pdf, .png, .svg"),
    ("curves --plot /dev/null", "--plot is /dev/null; it should end in .pdf, .png, .svg"),
    ("curves --plot mine/folder.svg", "mine/folder.svg is a folder; it should be a file"),
    ("curves --plot mine/pipe.svg", "mine/pipe.svg is no ordinary file; it should be a file"),
    ("curves --plot mine/device.svg", "mine/device.svg is no ordinary file; it should be a file"),
    ("curves --plot params.yaml/x.svg", "params.yaml/x.svg is below params.yaml, which is a file"),
    ("curves --plot /proc/x.svg", "/proc/.x.svg."),
    (f"curves --plot {'x' * 300}.svg", "File name too long"),
    ("sizes --csv x", "Got unexpected extra argument"),
    ("sizes --params data", "data: Is a directory; it should be a YAML file"),
    ("sizes --cvs", "no option --cvs; did you mean '--csv'? valid: --csv, --params"),
    ("preset nothing", "no preset 'nothing'; valid: ablation_onecycle_scaled,"),
    ("preset digit", "no preset 'digit'; did you mean 'digits'? valid: "),
    ("preset ../default", "no preset '../default'; "),
    ("preset a b", "afterprune preset a b: Got unexpected extra argument"),
    (
        "preset digits --shw",
        "no option --shw; did you mean '--show'? valid: --diff, --force,",
    ),
    ("dag --mermaid", "no option --mermaid; valid:"),
    ("dag x", "Got unexpected extra argument"),
    ("keep", "afterprune keep: Missing argument"),
    ("keep Name", "the study's name is 'Name'; it should match [a-z][a-z0-9_]{0,63}"),
    ("keep ../x", "the study's name is '../x'; it should match"),
    ("keep 'a\nb'", "the study's name is 'a\\nb'; it should match"),
    (f"keep {'k' * 300}", "…; it should match [a-z][a-z0-9_]{0,63}"),
    ("studies ../x --rerun", "no study '../x' in reports/studies; `afterprune keep NAME` adds"),
    ("studies --again", "no option --again; valid: --check, --rerun"),
    ("export", "Missing option '--method'; see afterprune export --help"),
    ("export --method l1", "Missing option '--schedule'"),
    ("export --method l1 --schedule scaled --format tflite", "'tflite' is not one of 'onnx',"),
    ("export --method l1 --schedule scaled --replicate -1", "Invalid value for '--replicate'"),
    ("export --method l1 --schedule scaled", "models/retrained/l1/scaled/replicate_0/last.safeten"),
    ("export --method ../x --schedule scaled", "--method is '../x'; valid: l1, random"),
    ("export --method l1 --schedule onecycl", "--schedule is 'onecycl'; did you mean 'onecycle'?"),
    (
        "run --workers 0",
        "Invalid value for '--workers': Input should be greater",
    ),
    ("run --workers many", "Invalid value for '--workers'"),
    ("run --wrokers 2", "no option --wrokers; did you mean '--workers'? valid: --cold, --dry,"),
    ("run --per-gpu 0", "Invalid value for '--per-gpu'"),
    ("run --gpus 77", "--gpus is '77'; it should be all, none, or some of these, each once: "),
    ("run --gpus x", "--gpus is 'x'; it should be all, none, or some of these, each once: "),
    ("run --ray auto --workers 2", "--ray auto shares all that the cluster has; leave out"),
    ("recommend --search", "--search needs --max-drop, the points that the network may lose"),
    ("recommend --search --max-drop -1", "Invalid value for '--max-drop'"),
    ("recommend --search --max-drop 1 --kept 40", "--kept 40.0: --search does not take it"),
    ("recommend --search --max-drop 1 --epochs 3", "--epochs 3: --search does not take it"),
    ("recommend --search --max-drop 1 --step 0", "Invalid value for '--step': Input should be"),
    ("recommend --search --max-drop 1 --step 0.9", "Invalid value for '--step': Input should be"),
    ("recommend --search --max-drop 1 --method l11", "--method is 'l11'; did you mean 'l1'?"),
    ("recommend --search --max-drop 1 --schedule onecycl", "did you mean 'onecycle'? valid:"),
    ("recommend --search --max-drop 1", "reports/dense.json, "),
    ("recommend --schedule onecycle", "--schedule onecycle is an option of --search; add that"),
    ("recommend --step 0.1", "--step 0.1 is an option of --search; add that, or leave it out"),
    ("run --until-decided", "params.yaml: compare.looks is empty; --until-decided needs the"),
    ("run --until-decided --pairs headlin", "--pairs is 'headlin'; did you mean 'headline'? valid"),
    ("run --until-decided --pairs", "Option '--pairs' requires an argument"),
    ("run --until-decided --dry", "--until-decided runs the whole study; leave out targets and"),
    ("run --until-decided retrain", "--until-decided runs the whole study; leave out targets and"),
    ("run --pairs all", "--pairs all says what --until-decided decides; add that"),
    ("run trian", "'trian' not found inside 'dvc.yaml' file; did you mean 'train'?"),
    ("run prune@l11", "did you mean 'prune@l1'?"),
    ("explain trian", "; did you mean 'train'?"),
    ("explain --al", "no option --al"),
]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("line", "told"), STAGES)
def test_a_stage_tells_what_it_cannot_do(line, told):
    name, *rest = shlex.split(line)
    app = import_module(f"stages.{name}").app
    with nothing_done(Path()):
        check(call(app, *rest, name=name), told)


@pytest.mark.parametrize(("line", "told"), COMMANDS)
def test_a_command_tells_what_it_cannot_do(project, line, told):
    mine = project / "mine"
    (mine / "folder.svg").mkdir(parents=True)
    os.mkfifo(mine / "pipe.svg")
    (mine / "device.svg").symlink_to("/dev/null")
    with nothing_done(Path()):
        check(afterprune(*shlex.split(line)), told)


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_export_replaces_files_alone(project, output):
    network = project / "models/retrained/l1/onecycle/replicate_0/last.safetensors"
    network.parent.mkdir(parents=True, exist_ok=True)
    network.touch()
    (project / "mine/folder").mkdir(parents=True)
    os.mkfifo(project / "mine/pipe")
    (project / "mine/device").symlink_to("/dev/null")
    with nothing_done(project):
        words = ("export", *ARM, "--format", "state_dict", "--output", output)
        check(afterprune(*words), OUTPUTS[output])


NULLS = {
    "data": "data is None; it should be",
    "data.root": "data.root is None; it should be a valid string",
    "model": "model",
    "model.code": "model.code is None; it should be a valid string",
    "prune": "prune is None; it should be a mapping",
    "prune.methods": "prune.methods is None; it should be a mapping",
    "prune.iterative": "prune.iterative is None; it should be a mapping",
    "retrain.schedules": "retrain.schedules is None; it should be a mapping",
}


@pytest.mark.parametrize("key", NULLS)
@pytest.mark.parametrize("command", ["run", "explain"])
def test_what_dvc_cannot_fill_in_is_told_by_its_key(project, command, key):
    """DVC itself calls most of these an unexpected error."""
    edit({key: "null"})
    with nothing_done(project):
        check(afterprune(command), ("params.yaml: ", NULLS[key]))


BENCHMARKS = [
    ("nothing", "no case 'nothing' on cpu; valid: "),
    ("--rounds 0", "Invalid value for '--rounds'"),
    ("--device tpu", "'tpu' is not one of 'cpu', 'cuda'"),
    ("--csv mine/folder.svg", "mine/folder.svg is a folder; it should be a file, or not there yet"),
    ("--csv params.yaml/x.csv", "params.yaml/x.csv is below params.yaml, which is a file"),
    ("--lst", "no option --lst; did you mean '--list'? valid: --csv, --device, --list, --rounds"),
]


@pytest.mark.parametrize(("line", "told"), BENCHMARKS)
def test_the_benchmarks_tell_what_they_cannot_do(project, line, told):
    (project / "mine/folder.svg").mkdir(parents=True)
    with nothing_done(project):
        check(call(benchmarks, *shlex.split(line), name="benchmarks"), told)
