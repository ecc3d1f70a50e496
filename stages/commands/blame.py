"""Why DVC cannot read dvc.yaml: params.yaml, which its templates are filled in from."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settings_blamed() -> Iterator[None]:
    """Tell what is wrong with params.yaml where the block fails for that reason.

    DVC fills all templates in before anything runs, so that `validate` cannot come first: an absent
    section or a null is an error of DVC's, which names no key.
    """
    try:
        yield
    except Exception:
        from stages.pipeline.params import parse, read_yaml
        from stages.study.settings import Study  # a third of a second

        parse(Study, read_yaml())
        raise
