"""What registries write into `WWW-Authenticate`, read as RFC 9110 means it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.registry.challenges import Challenge, parse_challenges

HUB = (
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/alpine:pull"'
)


def read(*headers: str) -> list[tuple[str, dict[str, str]]]:
    return [(challenge.scheme, dict(challenge.parameters)) for challenge in parse_challenges(headers)]


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        (
            HUB,
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:library/alpine:pull",
                    },
                )
            ],
        ),
        ('Basic realm="Registry Realm"', [("basic", {"realm": "Registry Realm"})]),
        ('BEARER Realm="a", SERVICE="b"', [("bearer", {"realm": "a", "service": "b"})]),
        ('bearer   realm = "a" ,service= "b"', [("bearer", {"realm": "a", "service": "b"})]),
        (
            'Bearer scope="repository:a:pull,push",realm="r"',
            [("bearer", {"scope": "repository:a:pull,push", "realm": "r"})],
        ),
        (
            'Basic realm="x, Bearer realm=y", Bearer realm="z"',
            [("basic", {"realm": "x, Bearer realm=y"}), ("bearer", {"realm": "z"})],
        ),
        (
            r'Basic realm="a \"quoted\" word and a \\", charset="UTF-8"',
            [("basic", {"realm": 'a "quoted" word and a \\', "charset": "UTF-8"})],
        ),
        ("Bearer realm=token-form,service=b", [("bearer", {"realm": "token-form", "service": "b"})]),
        (
            'Negotiate, NTLM, Basic realm="r"',
            [("negotiate", {}), ("ntlm", {}), ("basic", {"realm": "r"})],
        ),
        (
            'Negotiate YWJjZA==, Basic realm="r"',
            [("negotiate", {}), ("basic", {"realm": "r"})],
        ),
        (
            'Digest qop="auth", nonce="n", Bearer realm="r"',
            [("digest", {"qop": "auth", "nonce": "n"}), ("bearer", {"realm": "r"})],
        ),
        (', ,Basic realm="r",, ,', [("basic", {"realm": "r"})]),
        ("Basic", [("basic", {})]),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        ('Bearer realm="", service="b"', [("bearer", {"realm": "", "service": "b"})]),
        ("", []),
        ('realm="without a scheme"', []),
        ('=, ==, ""', []),
    ],
)
def test_challenges_are_read_in_order(header: str, challenges: list[tuple[str, dict[str, str]]]):
    """Several schemes, commas and quotes within quotes, any case, and what is no challenge left out."""
    assert read(header) == challenges


def test_several_headers_are_read_one_after_the_other():
    """A parameter at the start of a header does not belong to the scheme of the last one."""
    assert read('Bearer realm="a"', 'service="b"', 'Basic realm="c"') == [
        ("bearer", {"realm": "a"}),
        ("basic", {"realm": "c"}),
    ]


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="never closed, Basic realm=x',
        'Bearer realm="closed too late\\"',
        "Bearer realm=https://no/quotes, service=b",
    ],
)
def test_broken_quoting_makes_no_realm_of_what_follows(header: str):
    """What cannot be read is left out rather than guessed."""
    assert [challenge.parameters.get("realm") for challenge in parse_challenges([header])][:1] == [None]


@given(st.text(max_size=300) | st.text(alphabet='aB=", \\\t-', max_size=300))
@example('"' * 300)
@example('\\"' * 300)
@example("a " * 300)
@example("a=" * 300)
def test_any_header_is_read(header: str):
    """Whatever a registry sends is no error, and what comes out is in the grammar."""
    for challenge in parse_challenges([header]):
        assert challenge.scheme == challenge.scheme.lower() != ""


def test_very_long_header_is_read_quickly_and_cut():
    """Sixteen kibibytes is more than anyone needs, and no text makes the reading slow."""
    for text in ('a="', '\\"', "a ", "a=b,", "!", ",", 'x="\\', " "):
        assert len(parse_challenges([text * 1_000_000])) <= 16 * 1024


values = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
challenge_lists = st.lists(
    st.builds(
        Challenge, st.sampled_from(["basic", "bearer", "digest"]), st.dictionaries(names, values, max_size=4)
    ),
    min_size=1,
    max_size=4,
)


@given(challenge_lists, st.booleans())
def test_what_is_written_is_read_back(challenges: list[Challenge], in_one_header: bool):
    """One header or several, any printable value."""
    headers = [_written(challenge) for challenge in challenges]
    assert parse_challenges([", ".join(headers)] if in_one_header else headers) == tuple(challenges)


def _written(challenge: Challenge) -> str:
    pairs = [
        f'{name}="{value}"'
        for name, value in (
            (name, value.replace("\\", "\\\\").replace('"', '\\"'))
            for name, value in challenge.parameters.items()
        )
    ]
    return f"{challenge.scheme.title()} {', '.join(pairs)}".rstrip()
