"""The stages, and the rooms that they call."""

from stages.pipeline.machine import check_address_space

check_address_space()  # here, since every module of a stage imports torch first
