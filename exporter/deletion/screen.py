"""What `check-deletion` prints for people: each repository, and a last line that tells what to do."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from rich.console import Console
from rich.text import Text

from exporter.deletion.check import CheckedRegistry
from exporter.deletion.consequences import BrokenTag, Deletion, RepositoryConsequences
from exporter.logs import printable
from exporter.oci import Digest
from exporter.output import counted, print_folded

_BROKEN: Final = "bold red"
_UNDETERMINED: Final = "yellow"
_HARMLESS: Final = "green"
_MOST_SHOWN: Final = 10  # of what has no name of its own: manifests, errors
_MOST_NAMES: Final = 5


def render_consequences(checked: Iterable[CheckedRegistry], console: Console) -> None:
    """Print everything; a digest is never cut."""
    named = [
        (printable(one.names[repository.repository]), repository)
        for one in checked
        for repository in one.repositories
    ]
    for name, repository in named:
        _print_repository(name, repository, console)
        console.line()
    style, text = _conclusion(named)
    print_folded(console, Text(text, style))


def _print_repository(name: str, repository: RepositoryConsequences, console: Console) -> None:
    style, verdict = _verdict(repository)
    print_folded(console, Text.assemble((name, "bold"), ": ", (verdict, style)))
    deletions = {one.digest: one for one in repository.deletions}
    for tag in repository.broken_tags:
        _print_broken_tag(tag, deletions, console)
    for deletion in repository.deletions:
        if deletion.kept_indexes:
            _print_child(deletion, console)
    if repository.not_found:
        print_folded(console, Text(f"not found: {_names(repository.not_found)}"), indent=2)
    for detail in islice(repository.undetermined, _MOST_SHOWN):
        print_folded(console, Text(f"not determined: {printable(detail)}", _UNDETERMINED), indent=2)
    _print_more(repository.undetermined, "more that could not be determined", console)


def _verdict(repository: RepositoryConsequences) -> tuple[str, str]:
    kept = counted(repository.kept_tags, "kept tag")
    if repository.broken_tags:
        return _BROKEN, f"{len(repository.broken_tags)} of {kept} would break"
    if repository.undetermined:
        return _UNDETERMINED, f"not everything could be determined ({kept})"
    return _HARMLESS, f"no kept tag would break ({kept})"


def _print_broken_tag(tag: BrokenTag, deletions: Mapping[Digest, Deletion], console: Console) -> None:
    if tag.deleted:
        listed = _names(deletions[tag.digest].listed)
        print_folded(console, Text(f"{tag.tag}: would be deleted with {listed}", _BROKEN), indent=2)
        print_folded(console, Text(tag.digest), indent=4)
        return
    lost = counted(len(tag.lost), "manifest")
    print_folded(console, Text(f"{tag.tag}: would lose {lost} that it needs", _BROKEN), indent=2)
    for digest in islice(tag.lost, _MOST_SHOWN):
        print_folded(console, Text(digest), indent=4)
    _print_more(tag.lost, "more manifests", console, indent=4)


def _print_child(deletion: Deletion, console: Console) -> None:
    tags = _names([name for name in deletion.listed if name != deletion.digest])
    listed = f"listed as {tags}" if tags else "listed"
    print_folded(console, Text(f"{listed}, but a child of a kept index:", _BROKEN), indent=2)
    print_folded(console, Text(deletion.digest), indent=4)
    for digest in islice(deletion.kept_indexes, _MOST_SHOWN):
        print_folded(console, Text(f"in {digest}"), indent=4)
    _print_more(deletion.kept_indexes, "more indexes", console, indent=4)


def _print_more(shown: Sequence[object], what: str, console: Console, indent: int = 2) -> None:
    if len(shown) > _MOST_SHOWN:
        print_folded(console, Text(f"and {len(shown) - _MOST_SHOWN} {what}"), indent=indent)


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _conclusion(named: Sequence[tuple[str, RepositoryConsequences]]) -> tuple[str, str]:
    """Sum up in a line that tells what to do."""
    listed = sum(len(one.not_found) + sum(len(gone.listed) for gone in one.deletions) for _, one in named)
    broken = sum(len(one.broken_tags) for _, one in named)
    if broken:
        harmful = [image for name, one in named for image in _harmful(name, one)]
        more = f" (and {len(harmful) - 1} more of {listed} listed)" if len(harmful) > 1 else ""
        return _BROKEN, f"Would break: {counted(broken, 'kept tag')}. Do not delete {harmful[0]}{more}."
    if undetermined := [name for name, one in named if one.undetermined]:
        more = f" (and {len(undetermined) - 1} more of {len(named)} repositories)" if undetermined[1:] else ""
        advice = "delete nothing of it before everything can be read."
        return _UNDETERMINED, f"Not determined: {undetermined[0]}{more}: {advice}"
    if not named:
        return _HARMLESS, "Nothing is listed."
    kept = counted(sum(one.kept_tags for _, one in named), "kept tag")
    return _HARMLESS, f"Nothing would break: {listed} listed, {kept}. They can be deleted."


def _harmful(name: str, repository: RepositoryConsequences) -> Iterable[str]:
    """Tell the listed names of what a kept tag would lose."""
    lost = {digest for tag in repository.broken_tags for digest in tag.lost}
    for deletion in repository.deletions:
        if deletion.digest in lost:
            for listed in deletion.listed:
                yield f"{name}@{listed}" if listed == deletion.digest else f"{name}:{listed}"
