"""Downloads by torchvision, which knows the addresses and the checksums."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

from stages.pipeline.fault import Fault


def download(dataset: str, downloads: Path, advice: str) -> None:
    """Download one of torchvision's data sets; a Fault that ends in `advice` when that fails."""
    from torchvision import datasets

    try:
        with redirect_stdout(sys.stderr):
            getattr(datasets, dataset)(downloads, download=True)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Fault(f"{dataset}: the download failed ({reason}); {advice}") from None
