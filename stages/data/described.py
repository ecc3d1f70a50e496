"""What data/prepared says that it holds, held against the data that a study asks for."""

from pathlib import Path
from typing import Any

from stages.data.settings import Data
from stages.data.sources.raw import Form
from stages.data.sources.registry import SOURCES
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json


def described(data: Data, description: Path) -> dict[str, Any]:
    """Return the description of the prepared images; a Fault where there are none, or others."""
    if not description.is_file():
        raise Fault(f"{description}: no such file; run `afterprune run prepare`")
    about: dict[str, Any] = read_json(description)
    if not describes(about, data):
        raise Fault(
            f"{description.parent} holds {_held(about)}, and the study asks for {_asked(data)}; "
            "`afterprune run prepare` prepares what params.yaml asks for"
        )
    return about


def describes(about: dict[str, Any], data: Data) -> bool:
    """Whether a description may be that of this data: source, form, and no more than its limits."""
    form = SOURCES[data.source].form
    return (
        about["source"] == data.source
        and form in (None, form_of(about))
        and _trained(about) <= (data.train_limit or _trained(about))
        and about["test"] <= (data.test_limit or about["test"])
    )


def form_of(about: dict[str, Any]) -> Form:
    """Return the form of the images of a description."""
    return Form(about["channels"], about["height"], about["width"], len(about["classes"]))


def _trained(about: dict[str, Any]) -> int:
    """Return the number of images that train or are held out, of which data.train_limit speaks."""
    return int(about["train"] + about["validation"])


def _held(about: dict[str, Any]) -> str:
    numbers = f"{_trained(about)} and {about['test']} images"
    return f"{about['source']} ({_in_words(form_of(about))}, {numbers})"


def _asked(data: Data) -> str:
    form = SOURCES[data.source].form
    limits = {"train_limit": data.train_limit, "test_limit": data.test_limit}
    said = [_in_words(form)] if form else []
    said += [f"{name} {limit}" for name, limit in limits.items() if limit]
    return f"{data.source} ({', '.join(said)})" if said else data.source


def _in_words(form: Form) -> str:
    return f"{form.channels}x{form.height}x{form.width}, {form.classes} classes"
