"""Confirmation: nothing is reported as broken before it was asked again."""

import asyncio
from dataclasses import replace
from typing import Final, TypeVar

from exporter.integrity.finding import Reason
from exporter.integrity.graph import Breakage, Failure, RepositoryGraph, Suspect, breakages
from exporter.integrity.judge import INTACT, Judgement, past_deadline, unverified
from exporter.integrity.walk import RepositoryWalk
from exporter.oci import Digest
from exporter.registry import Deadline, Purpose

# A round can bring new suspects: a tag that was moved to an image that is broken as well.
_MOST_ROUNDS: Final = 5
_Asked = TypeVar("_Asked")


async def confirm(walk: RepositoryWalk, delay: float, deadline: Deadline | None = None) -> None:
    """Ask again for all that one answer called broken, `delay` seconds after the first asking or later.

    A tag that is gone is forgotten, one that was moved is followed to where it leads now. What cannot be
    asked again, or does not come to rest, is unverified.
    """
    for _ in range(_MOST_ROUNDS):
        suspected = await _suspected(walk)
        if not suspected:
            return
        newest = max(breakage.failure.asked_at for breakage in suspected)
        if deadline is not None and newest + delay >= deadline.end:
            deadline.missed = True
            _demote(walk.graph, past_deadline("could not be asked again before the deadline"))
            return
        await asyncio.sleep(max(0.0, newest + delay - asyncio.get_running_loop().time()))
        if walk.scope.lists_tags:
            walk.batch.add(_list_again, walk)
            await walk.batch.finished()
        if walk.listing is not INTACT:
            _demote(walk.graph, walk.listing)
            return
        suspected_tags = {tag for breakage in suspected for tag in breakage.tags}
        for tag in sorted(suspected_tags & walk.graph.tags):  # an image by digest has nothing to resolve
            walk.batch.add(walk.ask_tag, tag, Purpose.CONFIRMATION)
        await walk.batch.finished()
        # What came to light only now has its own delay before it: the next round's.
        suspected = await _suspected(walk)
        for suspect in {one.suspect for one in suspected if one.failure.asked_at <= newest}:
            _ask_again(walk, suspect)
        await walk.batch.finished()
    _demote(walk.graph, unverified(Reason.PROTOCOL, "changed whenever it was asked again"))


async def _suspected(walk: RepositoryWalk) -> list[Breakage]:
    found = await breakages(walk.graph)
    return [breakage for breakage in found.values() if breakage.failure.suspected]


async def _list_again(walk: RepositoryWalk) -> None:
    tags = await walk.list_tags(Purpose.CONFIRMATION)
    if tags is not None:
        for tag in walk.graph.tags - tags:
            walk.graph.remove_tag(tag)


def _ask_again(walk: RepositoryWalk, suspect: Suspect) -> None:
    # A tag that does not resolve was asked by GET in the step before.
    if isinstance(suspect, tuple):
        walk.batch.add(walk.confirm_blob, suspect)
    elif isinstance(suspect, Digest):
        walk.batch.add(walk.confirm_manifest, suspect)


def _demote(graph: RepositoryGraph, judgement: Judgement) -> None:
    """Judge all that is still suspected, of which a reference may have several: one for each size."""
    for digest, described in graph.misdescribed.items():
        for failure in described.values():
            if failure.suspected:
                graph.manifest_failures.setdefault(digest, failure)
    _settle(graph.tag_failures, judgement)
    _settle(graph.manifest_failures, judgement)
    _settle(graph.blob_failures, judgement)


def _settle(failures: dict[_Asked, Failure], judgement: Judgement) -> None:
    for asked, failure in failures.items():
        if failure.suspected:
            failures[asked] = replace(failure, judgement=judgement, confirmed=True)
