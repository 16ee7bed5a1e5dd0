"""The registry that is measured, told beforehand: what it holds and what a walk of it asks."""

from collections import Counter

import pytest

from bench.shape import PAGE_SIZE, RequestKind, Shape


@pytest.mark.parametrize("shape", [Shape(1, 1, 1), Shape(3, 2, 2), Shape(2, 3, 1)], ids=str)
def test_floor_is_what_a_walk_asks(shape: Shape):
    """Reckoned from the shape, and counted from the content: the same."""
    counted = Counter(request.kind for request in shape.requests())
    assert {kind: count for kind, count in shape.floor.items() if count} == counted


def test_no_request_is_asked_twice():
    """But for the pages of the catalog, of which the first stands for all."""
    asked = [request.path for request in Shape(3, 2, 2).requests()]
    assert len(asked) == len(set(asked))


def test_what_repositories_share_is_proved_once():
    """The others' requests for it are `HEAD`."""
    requests = list(Shape(3, 1, 2).requests())
    links = [request for request in requests if request.kind is RequestKind.LINK]
    last_bytes = [request for request in requests if request.kind is RequestKind.LAST_BYTE]
    digests = [request.path.rpartition("/")[2] for request in last_bytes]
    assert len(digests) == len(set(digests))
    assert {request.path.rpartition("/")[2] for request in links} <= set(digests)
    assert {request.method for request in links} == {"HEAD"}
    assert all(request.position is not None for request in last_bytes)


def test_references_are_counted_in_each_repository():
    """A tag, two children, and for each of these a config, a layer of its own and five shared ones."""
    assert Shape(10, 1, 2).references == 10 * (1 + 2 + 2 * (1 + 1 + 5))


def test_listings_have_pages():
    """Of so many names each; an empty one has a page too."""
    shape = Shape(PAGE_SIZE + 1, 1, 1)
    assert shape.floor[RequestKind.PAGE] == 2 + shape.repositories
    assert Shape(0, 1, 1).floor[RequestKind.PAGE] == 1


def test_more_platforms_than_there_are_names_for_are_refused():
    """Not silently fewer."""
    with pytest.raises(ValueError, match="no more than 8 platforms"):
        Shape(platforms=9)
