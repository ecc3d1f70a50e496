"""Which keys of their entries two arms differ in: whether one thing varies between them.

An arm is its entry of `retrain.schedules`; every key of `Schedule` counts as one, whatever it
holds, so that a new key counts too. The curve, its options and its `peak` are one key, `curve`:
they mean nothing without their curve, and one-cycle against fine-tuning is one question. Curves
with the same learning rates, and what does nothing, such as a restart where there is one round, are
no difference.

Two keys may be left to another: the momentum to the curve, the optimizer's state to the start. What
is left belongs to that other key: a published schedule is a learning rate and a momentum (one-cycle
cycles both, Le & Hua 2021), and rewound weights come with their momentum (Renda 2020). One that an
entry names stands in for it, so it is a key of its own, where the two arms then differ in it.
Entries alone are compared: a weight decay that an entry names counts, be it that of `train.recipe`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from stages.pipeline.params import parse
from stages.retraining.settings import Schedule
from stages.schedules.registry import ADAPTIVE, CURVES, complete

CURVE, PEAK, MOMENTUM = "curve", "peak", "momentum"
DEFAULT = "default"


@dataclass(frozen=True)
class Keys:
    """The keys of an arm by name, with values of JSON.

    `effects` are what some keys come to in the arm, however they are written: those that may be
    left to another, the curve, and the restart.
    """

    values: Mapping[str, Any]
    effects: Mapping[str, Any]


def keys_of(
    entry: Mapping[str, Any],
    epochs: float,
    lr: Sequence[float],
    momentum: Sequence[float],
    rounds: int,
) -> Keys:
    """Return the keys of an entry; `epochs`, and by step `lr` and `momentum`, are what it comes to.

    With the method's `rounds` of pruning. Learning rates that agree to nine digits are the same.
    """
    named = {key: value for key, value in entry.items() if key in Schedule.model_fields}
    shared: Schedule = parse(Schedule, named, "retrain.schedules")
    options = {key: value for key, value in entry.items() if key not in named}
    curve = options.pop(CURVE, "")
    whole = complete(curve, options) if curve in CURVES else options
    values = shared.model_dump(mode="json") | {"epochs": epochs}
    values["trainable"] = sorted(values["trainable"], key=json.dumps)
    start, peak = values.pop("start"), values.pop(PEAK)
    return Keys(
        {"start": start, CURVE: {"kind": curve, **whole, PEAK: peak}, **values},
        {
            CURVE: (curve in ADAPTIVE, [f"{rate:.9g}" for rate in lr]),
            MOMENTUM: tuple(momentum),
            "state": shared.keeps_state(shared.start),
            "restart": shared.restart if rounds > 1 else "per_round",
        },
    )


def differ(key: str, first: Keys, second: Keys) -> bool:
    """Whether two arms differ in a key."""
    if first.values[key] == second.values[key]:
        return False
    if key not in first.effects or first.effects[key] != second.effects[key]:
        return True
    cycled = first.effects[MOMENTUM] != second.effects[MOMENTUM]
    return key == CURVE and cycled and first.values[MOMENTUM] == second.values[MOMENTUM]


def changed(first: Keys, second: Keys) -> list[str]:
    """Return the keys that two arms differ in."""
    return [key for key in first.values if differ(key, first, second)]


def options_changed(first: Keys, second: Keys) -> list[tuple[str, ...]]:
    """Return the same, and where both have a key of one kind, the options in it: (key, option)."""
    return [
        place
        for key in changed(first, second)
        for place in _inside(key, first.values[key], second.values[key])
    ]


def name_of(place: Sequence[str]) -> str:
    """Return the name of (key,) or (key, option): an option of the curve has none before it."""
    return ".".join(place).removeprefix(f"{CURVE}.")


def value_of(entry: Mapping[str, Any], place: Sequence[str]) -> str:
    """Return what an entry says at (key,) or (key, option), as params.yaml has it, on one line.

    A curve is its name, with its options in brackets.
    """
    key, *inside = place
    shared = {CURVE, *Schedule.model_fields} - {PEAK}
    options = {k: v for k, v in entry.items() if k not in shared}
    if inside:
        found = options if key == CURVE else entry.get(key, {})
        return _said(found.get(inside[0], DEFAULT))
    if key == CURVE and options:
        return f"{entry[CURVE]} ({written(options)[1:-1]})"
    return _said(entry.get(key, DEFAULT))


def written(value: Any, *, flow: bool = True) -> str:
    """Return a value as YAML for people: on one line, or without `flow` on as many as it has."""
    text = yaml.safe_dump(
        value, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("...\n").strip()


def _said(value: Any) -> str:
    return f"{value}" if isinstance(value, float) else written(value)


def _inside(key: str, first: Any, second: Any) -> Iterator[tuple[str, ...]]:
    both = isinstance(first, Mapping) and isinstance(second, Mapping)
    if both and first.keys() == second.keys() and first.get("kind") == second.get("kind"):
        yield from ((key, option) for option in first if first[option] != second[option])
    else:
        yield (key,)
