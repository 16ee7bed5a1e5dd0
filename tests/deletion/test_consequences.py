"""What follows from a graph and a list, as values."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.deletion import (
    BrokenTag,
    Deletion,
    Listed,
    RepositoryConsequences,
    RepositoryGraph,
    consequences_of,
)
from exporter.oci import Digest

A, B, C, D = sorted(Digest.of(letter) for letter in (b"a", b"b", b"c", b"d"))


def listed(*references: str) -> Listed:
    tags = frozenset(one for one in references if ":" not in one)
    return Listed(tags, frozenset(Digest(one) for one in references if ":" in one))


def test_a_listed_tag_takes_with_it_what_shares_its_manifest_and_breaks_what_lists_it():
    """The other tag is gone, the index stays and is broken; what has nothing to do with it is not told."""
    graph = RepositoryGraph({"old": A, "same": A, "index": C, "free": B}, {C: (B, A)})
    assert consequences_of("app", graph, listed("old")) == RepositoryConsequences(
        "app",
        kept_tags=3,
        broken_tags=(
            BrokenTag("index", C, deleted=False, lost=(A,)),
            BrokenTag("same", A, deleted=True, lost=(A,)),
        ),
        deletions=(Deletion(A, listed=("old",), tags=("old", "same"), kept_indexes=(C,)),),
    )


def test_what_an_index_lists_stays_when_it_goes():
    """So nothing breaks, also where another tag shares a child."""
    graph = RepositoryGraph({"index": C, "other": D}, {C: (A, B), D: (A,)})
    assert consequences_of("app", graph, listed("index")) == RepositoryConsequences(
        "app", kept_tags=1, deletions=(Deletion(C, ("index",), ("index",), ()),)
    )


def test_a_digest_at_any_depth():
    """Only the index right above it is one that it is a child of."""
    graph = RepositoryGraph({"deep": D, "nested": C}, {D: (C,), C: (B,), B: (A,)})
    told = consequences_of("app", graph, listed(A))
    assert [(one.tag, one.lost) for one in told.broken_tags] == [("deep", (A,)), ("nested", (A,))]
    assert told.deletions == (Deletion(A, (A,), (), (B,)),)


def test_an_index_that_goes_is_not_one_that_is_kept():
    """Whoever needs it loses it, and what it lists."""
    graph = RepositoryGraph({"deep": D}, {D: (C,), C: (A,)})
    told = consequences_of("app", graph, listed(C, A))
    assert told.broken_tags == (BrokenTag("deep", D, deleted=False, lost=tuple(sorted((A, C)))),)
    assert [(one.digest, one.kept_indexes) for one in told.deletions] == sorted([(A, ()), (C, (D,))])


def test_what_is_listed_twice_goes_once():
    """By a tag and by the digest that it resolves to; both tags are listed, so none is broken."""
    graph = RepositoryGraph({"one": A, "two": A}, {})
    told = consequences_of("app", graph, listed("two", "one", A))
    assert told == RepositoryConsequences(
        "app", kept_tags=0, deletions=(Deletion(A, ("one", "two", A), ("one", "two"), ()),)
    )


def test_what_is_not_there_breaks_nothing():
    """A missing child was missing before."""
    graph = RepositoryGraph({"index": C}, {C: (A,)}, absent=("gone", A))
    told = consequences_of("app", graph, listed("gone", A))
    assert told == RepositoryConsequences("app", kept_tags=1, not_found=("gone", A))


def test_tags_that_lead_nowhere_known_are_kept_as_well():
    """Where they are not listed."""
    graph = RepositoryGraph({"old": A, "new": B}, {}, unresolved=("torn", "gone"))
    assert consequences_of("app", graph, listed("old", "gone")).kept_tags == 2


def test_a_doubtful_digest_matters_only_where_it_is_needed():
    """Whether it is there could not be told: then nothing is said to break by it, nor that nothing does."""
    graph = RepositoryGraph(
        {"index": C, "b": B}, {C: (A,)}, doubtful={A: "no answer", B: "nor here", D: "never mind"}
    )
    told = consequences_of("app", graph, listed(A, B, D))
    assert told == RepositoryConsequences("app", kept_tags=2, undetermined=("no answer", "nor here"))


@st.composite
def graphs(draw: st.DrawFn) -> RepositoryGraph:
    """Any graph of eight manifests, circles included, though no honest registry could have them."""
    digests = [Digest.of(bytes([number])) for number in range(8)]
    below = st.lists(st.sampled_from(digests), max_size=3).map(tuple)
    children = draw(st.dictionaries(st.sampled_from(digests), below))
    roots = draw(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(digests)))
    return RepositoryGraph(roots, children)


def reaches(
    graph: RepositoryGraph, digest: Digest, wanted: set[Digest], passed: frozenset = frozenset()
) -> bool:
    """Follow every path, which is slow and plain."""
    return digest in wanted or any(
        reaches(graph, child, wanted, passed | {digest})
        for child in graph.children.get(digest, ())
        if child not in passed
    )


@given(graphs(), st.sets(st.sampled_from("abcdef")), st.sets(st.integers(0, 7)))
def test_exactly_the_kept_tags_that_reach_what_goes(
    graph: RepositoryGraph, tags: set[str], numbers: set[int]
):
    """For any graph and list, told the plain way."""
    digests = {Digest.of(bytes([number])) for number in numbers}
    told = consequences_of("app", graph, Listed(frozenset(tags), frozenset(digests)))
    going = digests | {graph.roots[tag] for tag in tags if tag in graph.roots}
    assert [one.tag for one in told.broken_tags] == sorted(
        tag for tag, root in graph.roots.items() if tag not in tags and reaches(graph, root, going)
    )
    assert {one.digest for one in told.deletions} == going
    for one in told.broken_tags:
        assert one.deleted == (one.digest in going)
        assert set(one.lost) == {digest for digest in going if reaches(graph, one.digest, {digest})}
