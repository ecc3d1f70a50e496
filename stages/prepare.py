"""Raw images -> data/prepared: arrays, labels, the split and the training statistics."""

from pathlib import Path

import typer

from stages.cli import run
from stages.data.sources import SOURCES
from stages.data.split import holdout
from stages.data.statistics import channel_statistics
from stages.files import save_arrays, write_json
from stages.guard import guarded
from stages.params.data import DATA, Data
from stages.params.options import options_of

DOWNLOADS = Path("data/downloads")

app = typer.Typer(add_completion=False)


def prepare(data: Data, downloads: Path, folder: Path) -> None:
    """Write images.safetensors and description.json into `folder`.

    The test images take part in no choice: split and statistics see the training images alone.
    """
    read = SOURCES[data.source]
    raw = read(Path(data.root), downloads, **options_of(data, "source", Data))
    raw = raw.limited(data.train_limit, data.test_limit, data.seed)
    train, validation = holdout(raw.train_labels, data.validation, data.seed, raw.classes)
    mean, std = channel_statistics(raw.train_images, train)
    arrays = {
        "train_images": raw.train_images,
        "train_labels": raw.train_labels,
        "train_index": train,
        "validation_index": validation,
        "test_images": raw.test_images,
        "test_labels": raw.test_labels,
    }
    channels, height, width = raw.train_images.shape[1:]
    about = {
        "source": data.source,
        "classes": raw.classes,
        "channels": channels,
        "height": height,
        "width": width,
        "mean": mean,
        "std": std,
        "train": len(train),
        "validation": len(validation),
        "test": len(raw.test_labels),
    }
    save_arrays(folder / "images.safetensors", arrays)
    write_json(folder / "description.json", about)


@app.command()
def main() -> None:
    """Read the images that `data` in params.yaml names, split them, and take their statistics."""
    with guarded("prepare") as stage:
        prepare(stage.read("data", DATA), DOWNLOADS, stage.output("data/prepared"))


if __name__ == "__main__":
    run(app)
