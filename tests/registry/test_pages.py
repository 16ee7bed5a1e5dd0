"""Listings in pages: what is taken from each, and where the next is."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.registry import ProtocolError
from exporter.registry.addresses import origin
from exporter.registry.messages import AnswerHeaders
from exporter.registry.pages import Listing
from exporter.registry.transport import Answer, Question

HERE = "http://registry.example:5000/v2/_catalog?n=1000"


def page(names: object, link: str | None = None, field: str = "repositories") -> Answer:
    headers = AnswerHeaders([] if link is None else [(b"Link", link.encode("latin-1"))])
    body = json.dumps({field: names}).encode()
    return Answer(Question("GET", HERE, ""), 200, headers, body)


def trouble(listing: Listing, answer: Answer, url: str = HERE) -> str:
    with pytest.raises(ProtocolError) as caught:
        listing.add(answer, url)
    return str(caught.value)


def test_names_of_all_pages_are_kept_once_in_order():
    """A registry that changes between two pages may list a name again."""
    listing = Listing("repositories")
    following = [
        listing.add(page(["b", "a"], '</v2/_catalog?n=1000&last=a>; rel="next"'), HERE),
        listing.add(page(["a", "c", "b"]), f"{HERE}&last=a"),
    ]
    assert (following, listing.names) == ([f"{HERE}&last=a", None], ("b", "a", "c"))


@pytest.mark.parametrize(
    ("link", "following"),
    [
        (None, None),
        ("", None),
        ('</v2/_catalog?last=a>; rel="next"', "http://registry.example:5000/v2/_catalog?last=a"),
        ("</v2/_catalog?last=a>; rel=next", "http://registry.example:5000/v2/_catalog?last=a"),
        ('<_catalog?last=a>;rel="next"', "http://registry.example:5000/v2/_catalog?last=a"),
        ('<?last=a>; rel="next"', "http://registry.example:5000/v2/_catalog?last=a"),
        (
            '<http://registry.example:5000/x?last=a%2Fb>; rel="next"',
            "http://registry.example:5000/x?last=a%2Fb",
        ),
        ('<http://REGISTRY.example:5000/x>; rel="next"', "http://registry.example:5000/x"),
        ('<//registry.example:5000/x>; rel="next"', "http://registry.example:5000/x"),
        ('</first>; rel="first", </x>; rel="next"', "http://registry.example:5000/x"),
        ('</x>; rel="prev"', None),
        ("</x>", None),
        ("nonsense", None),
        ('<>; rel="next"', None),
    ],
)
def test_next_page_is_where_the_link_leads(link: str | None, following: str | None):
    """Relative or absolute, on the same origin; a link that is none ends the listing."""
    assert Listing("repositories").add(page(["a"], link), HERE) == following


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("<http://elsewhere.example:5000/x>", "links to a next page on another origin"),
        ("<http://registry.example/x>", "links to a next page on another origin"),
        ("<https://registry.example:5000/x>", "links to a next page on another origin"),
        ("<//elsewhere.example/x>", "links to a next page on another origin"),
        ("<file:///etc/passwd>", "links to a next page on another origin"),
        ("<http://[::1/x>", "links to a next page that is no address"),
        ("<http://registry.example:99999/x>", "links to a next page on another origin"),
        ("</v2/\x01>", "links to a next page that is no address"),
        (f"</v2/{'x' * 70_000}>", "links to a next page that is no address"),
        (f"</v2/{chr(0xE4) * 30_000}>", "links to a next page that is no address"),
        (f"<{HERE}>", "lists repositories without end"),
        ("</v2/_catalog?n=1000>", "lists repositories without end"),
    ],
)
def test_link_that_leads_astray_is_refused(link: str, message: str):
    """To another origin, to nowhere, or back to the page itself."""
    answer = page(["a"], f'{link}; rel="next"')
    assert trouble(Listing("repositories"), answer) == f"GET /v2/_catalog {message}"


def test_link_to_an_earlier_page_is_refused():
    """Two pages that lead to each other would never end."""
    listing = Listing("repositories")
    second = listing.add(page(["a"], '</v2/_catalog?last=a>; rel="next"'), HERE)
    assert second is not None
    back = page(["b"], '</v2/_catalog?n=1000>; rel="next"')
    assert trouble(listing, back, second) == "GET /v2/_catalog lists repositories without end"


def test_link_that_leaves_out_the_path_of_the_registry_stays_below_it():
    """A proxy that takes `/registry` away leaves it out of the links of who is behind it, too."""
    here = "https://host.example/registry/v2/team/app/tags/list?n=1000"
    for link, following in {
        "/v2/team/app/tags/list?n=1000&last=b": f"{here}&last=b",
        "/registry/v2/team/app/tags/list?n=1000&last=c": f"{here}&last=c",
        "/v2/other/app/tags/list?last=d": "https://host.example/v2/other/app/tags/list?last=d",
    }.items():
        assert Listing("tags").add(page(["a"], f'<{link}>; rel="next"', field="tags"), here) == following


def test_ten_pages_in_a_row_may_bring_nothing_new():
    """All of their names may be denied to us, or gone; the eleventh is one too many."""
    listing = Listing("repositories")
    for number in range(10):
        assert listing.add(page([], f'</v2/_catalog?last={number}>; rel="next"'), f"{HERE}&{number}")
    eleventh = page([], '</v2/_catalog?last=10>; rel="next"')
    assert trouble(listing, eleventh) == "GET /v2/_catalog lists repositories without end"


def test_page_with_a_new_name_starts_the_count_again():
    """Twenty idle pages, ten before and ten after."""
    listing = Listing("repositories")
    pages = [[], *[[]] * 9, ["a"], *[[]] * 10]
    for number, names in enumerate(pages):
        assert listing.add(page(names, f'</v2/_catalog?last={number}>; rel="next"'), f"{HERE}&{number}")
    assert listing.names == ("a",)


def test_half_a_million_names_are_enough(monkeypatch: pytest.MonkeyPatch):
    """A listing that brings new names for ever does not end either; the limit is lowered here."""
    monkeypatch.setattr("exporter.registry.pages.MOST_NAMES", 3)
    listing = Listing("repositories")
    assert listing.add(page(["a", "b", "c"], '</v2/_catalog?last=c>; rel="next"'), HERE)
    more = page(["d"], '</v2/_catalog?last=d>; rel="next"')
    assert trouble(listing, more, f"{HERE}&last=c") == "GET /v2/_catalog lists repositories without end"


@pytest.mark.parametrize(
    ("limit", "value"),
    [("_MOST_PAGES", 3), ("_MOST_BYTES", 3 * 50), ("_MOST_VALUES", 1)],
    ids=["pages", "bytes", "values of a page"],
)
def test_there_are_other_limits_that_no_listing_reaches(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
):
    """A few names a page, or long ones, or what are no names, may go on for ever as well."""
    monkeypatch.setattr(f"exporter.registry.pages.{limit}", value)
    listing = Listing("repositories")
    following = '</v2/_catalog?last={}>; rel="next"'
    few = 0 if limit == "_MOST_VALUES" else 2
    for number in range(few):
        assert listing.add(page([f"{number}"], following.format(number)), f"{HERE}&{number}")
    more = page(["more"], following.format(few))
    assert trouble(listing, more, f"{HERE}&{few}") == "GET /v2/_catalog lists repositories without end"


def test_null_is_an_empty_list():
    """As distribution writes the tags of a repository that has none."""
    listing = Listing("repositories")
    assert (listing.add(page(None), HERE), listing.names) == (None, ())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "answered with what is not JSON"),
        (b"<html>", "answered with what is not JSON"),
        (b"\xff", "answered with what is not JSON"),
        (b'{"repositories":' + b"[" * 100_000, "answered with what is not JSON"),
        (b'{"repositories":' + b"9" * 5000 + b"}", "answered with what is not JSON"),
        (b"[]", "answered without repositories"),
        (b"null", "answered without repositories"),
        (b"{}", "answered without repositories"),
        (b'{"tags":[]}', "answered without repositories"),
        (b'{"repositories":{}}', "answered with repositories that are no list of names"),
        (b'{"repositories":"app"}', "answered with repositories that are no list of names"),
        (b'{"repositories":0}', "answered with repositories that are no list of names"),
        (b'{"repositories":["a",1]}', "answered with repositories that are no list of names"),
        (b'{"repositories":[null]}', "answered with repositories that are no list of names"),
    ],
    ids=range(14),
)
def test_page_that_is_no_list_of_names_is_refused(body: bytes, message: str):
    """Nothing of a hostile body is in the message."""
    answer = Answer(Question("GET", HERE, ""), 200, AnswerHeaders(), body)
    assert trouble(Listing("repositories"), answer) == f"GET /v2/_catalog {message}"


links = st.text(st.characters(max_codepoint=0xFF)) | st.builds(
    '<{}{}>; rel="next"'.format,
    st.sampled_from(["", "/", "//", "http://registry.example:5000/", "http://", "?", "%", "[", "\\", "@"]),
    st.text(st.characters(max_codepoint=0xFF), max_size=20),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(links)
def test_any_link_leads_to_the_same_origin_or_is_refused(link: str):
    """And can be asked for."""
    headers = AnswerHeaders([(b"Link", link.encode("latin-1"))])
    answer = Answer(Question("GET", HERE, ""), 200, headers, b'{"repositories":["a"]}')
    try:
        following = Listing("repositories").add(answer, HERE)
    except ProtocolError:
        return
    if following is not None:
        assert origin(httpx.URL(following)) == ("http", "registry.example", 5000)


@settings(deadline=None)
@given(st.binary())
def test_any_body_is_a_page_or_refused(body: bytes):
    """Nothing but a refusal is raised."""
    listing = Listing("repositories")
    try:
        listing.add(Answer(Question("GET", HERE, ""), 200, AnswerHeaders(), body), HERE)
    except ProtocolError:
        assert listing.names == ()
