"""From a registry of functions to the typed entries of params.yaml that name them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import Field, create_model

from stages.pipeline.section import Section


def own_options(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Return a function's options: its keyword-only parameters, with types and defaults.

    A type is a string where the function's file postpones its annotations.
    """
    return {
        name: (option.annotation, ... if option.default is option.empty else option.default)
        for name, option in inspect.signature(function).parameters.items()
        if option.kind is option.KEYWORD_ONLY
    }


def entry(
    name: str,
    function: Callable[..., Any],
    tag: str,
    base: type[Section] = Section,
    fields: Mapping[str, tuple[Any, Any]] | None = None,
) -> type[Section]:
    """Return the type of an entry: its key `tag` names the function, its other keys the options.

    Types written as strings are looked up in the function's file, those of options alone: its other
    parameters may have types that only a type checker imports.
    """
    own: dict[str, Any] = {tag: (Literal[name], ...), **own_options(function), **(fields or {})}
    return create_model(name, __base__=base, __module__=function.__module__, **own)


def union(models: list[type[Section]], tag: str) -> Any:
    """Return the type that picks among entry types by the value of `tag`."""
    return Annotated[Union[tuple(models)], Field(discriminator=tag)]  # noqa: UP007


def options_of(section: Section, tag: str, base: type[Section] = Section) -> dict[str, Any]:
    """Return an entry's own options as keyword arguments for the function it names."""
    shared = {tag, *base.model_fields}
    return {k: getattr(section, k) for k in type(section).model_fields if k not in shared}
