"""Counting and watching requests: what each was for, how it went."""

from collections import Counter
from enum import StrEnum
from typing import Protocol


class Purpose(StrEnum):
    """Why a request is made. `WALK` ones make up the floor; the others come on top and are counted apart."""

    WALK = "walk"
    CONFIRMATION = "confirmation"
    RETRY = "retry"
    REDIRECT = "redirect"
    TOKEN = "token"  # noqa: S105 - a purpose, not a password
    REFETCH = "refetch"


class Tally:
    """The requests of one cycle, by purpose."""

    def __init__(self) -> None:
        self._counts: Counter[Purpose] = Counter()

    def add(self, purpose: Purpose) -> None:
        """Count one request."""
        self._counts[purpose] += 1

    @property
    def walk(self) -> int:
        """The requests that the walk itself needs."""
        return self._counts[Purpose.WALK]

    @property
    def extra(self) -> dict[Purpose, int]:
        """The requests on top, by purpose, zero included."""
        return {purpose: self._counts[purpose] for purpose in Purpose if purpose is not Purpose.WALK}


class RequestObserver(Protocol):
    """Something that is told of every request, such as metrics."""

    def requested(self, method: str, code: str, seconds: float) -> None:
        """Take note of one request on the wire; `code` is the status, or `error` when there was no answer."""

    def retried(self, reason: str) -> None:
        """Take note that a request is made again, and why."""
