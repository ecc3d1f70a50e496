"""latency: how long the dense network and that of one method take to predict."""

from pathlib import Path

import pandas as pd
import typer

from stages.evaluation.latency import latencies
from stages.evaluation.settings import Timing
from stages.networks.compact import load
from stages.pipeline.command import MethodName, command_line
from stages.pipeline.files import read_json, write_text
from stages.pipeline.guard import guarded
from stages.replicates.environment import activate, describe
from stages.replicates.precision import placed
from stages.replicates.settings import Compute

app = typer.Typer(add_completion=False)
FIRST = "replicate_0.safetensors"


@app.command()
def main(method: MethodName) -> None:
    """Time the networks of the first replicate, dense and pruned, in turns; write a table."""
    with guarded("latency", method=method) as stage:
        compute = stage.read("compute", Compute)
        device = activate(compute)
        about = read_json("data/prepared/description.json")
        files = {
            "dense": Path("models/dense/final", FIRST),
            method: Path(f"models/pruned/{method}/networks", FIRST),
        }
        networks = {name: placed(load(file), device, compute) for name, file in files.items()}
        shape = about["channels"], about["height"], about["width"]
        timing = stage.read(f"latency.{method}", Timing)
        found = latencies(networks, shape, timing.batches, device, compute.threads)
        rows = pd.DataFrame(found)
        here = describe(compute, device)
        for key in ("device", "instructions", "threads", "torch"):
            rows[key] = here[key]
        text = rows.to_csv(index=False, float_format="%.4g", lineterminator="\n")
        write_text(stage.output(f"reports/latency/{method}.csv"), text)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
