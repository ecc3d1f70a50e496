"""How deep a gradient is below the command that asks for it."""

SCRIPT = """
import runpy, sys, traceback
import torch
backward = torch.Tensor.backward
def watched(tensor):
    frames = [f"{frame.filename}:{frame.name}" for frame in traceback.extract_stack()]
    with open("frames.txt", "w") as file:
        file.write("\\n".join(name for name in frames if "/stages/" in name))
    backward(tensor)
torch.Tensor.backward = watched
sys.argv[1:] = ["--method", "l1", "--schedule", "onecycle"]
runpy.run_module("stages.retrain", run_name="__main__")
"""


def test_a_reader_follows_few_calls_from_the_command_to_the_gradient(project):
    project.set("retrain.schedules.onecycle.max_lr", 0.01)
    project.dvc("repro", "--quiet", "plan@l1")
    project.run("python", "-c", SCRIPT)
    frames = (project.folder / "frames.txt").read_text().splitlines()
    assert frames[-1].endswith("step.py:__call__")
    assert len(frames) <= 8, frames
