"""The weights that an arm starts from."""

from typing import Literal

Start = Literal["final", "rewound", "fresh"]
"""Trained weights (Han 2015), those of an earlier epoch (Renda 2020), or new ones (Liu 2019)."""
