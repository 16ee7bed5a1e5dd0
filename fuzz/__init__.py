"""Fuzzing of everything that parses what another side has written."""

from collections.abc import Callable, Mapping

Targets = Mapping[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]]
"""The targets by name: what takes the bytes, and some to begin with."""
