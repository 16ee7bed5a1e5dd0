"""Names of images, repositories, tags and hosts."""

import pytest

from exporter.oci import Digest, ImageName, check_host, check_repository, check_tag
from tests.oci.refusal import refusal

HEX = "0123456789abcdef" * 4
DIGEST = Digest(f"sha256:{HEX}")


@pytest.mark.parametrize(
    ("text", "name", "written"),
    [
        ("nginx", ("docker.io", "library/nginx", "latest", None), "docker.io/library/nginx:latest"),
        ("nginx:1.27", ("docker.io", "library/nginx", "1.27", None), "docker.io/library/nginx:1.27"),
        ("grafana/loki", ("docker.io", "grafana/loki", "latest", None), "docker.io/grafana/loki:latest"),
        ("docker.io/nginx", ("docker.io", "library/nginx", "latest", None), "docker.io/library/nginx:latest"),
        ("index.docker.io/a/b:c", ("docker.io", "a/b", "c", None), "docker.io/a/b:c"),
        ("registry-1.docker.io/a", ("docker.io", "library/a", "latest", None), "docker.io/library/a:latest"),
        ("registry.hub.docker.com/a/b", ("docker.io", "a/b", "latest", None), "docker.io/a/b:latest"),
        ("quay.io/team/app", ("quay.io", "team/app", "latest", None), "quay.io/team/app:latest"),
        ("registry.example/app:v1", ("registry.example", "app", "v1", None), "registry.example/app:v1"),
        (
            "registry.example./app",
            ("registry.example.", "app", "latest", None),
            "registry.example./app:latest",
        ),
        ("localhost/app", ("localhost", "app", "latest", None), "localhost/app:latest"),
        ("localhost:5000/app:v1", ("localhost:5000", "app", "v1", None), "localhost:5000/app:v1"),
        ("builder:443/a/b/c:x", ("builder:443", "a/b/c", "x", None), "builder:443/a/b/c:x"),
        ("Builder/app", ("Builder", "app", "latest", None), "Builder/app:latest"),
        ("127.0.0.1:5000/app", ("127.0.0.1:5000", "app", "latest", None), "127.0.0.1:5000/app:latest"),
        ("[::1]/app", ("[::1]", "app", "latest", None), "[::1]/app:latest"),
        ("[2001:DB8::1]:5000/a:v", ("[2001:DB8::1]:5000", "a", "v", None), "[2001:DB8::1]:5000/a:v"),
        (
            f"registry.example/app@{DIGEST}",
            ("registry.example", "app", None, DIGEST),
            f"registry.example/app@{DIGEST}",
        ),
        (
            f"registry.example:1/app:v1@{DIGEST}",
            ("registry.example:1", "app", "v1", DIGEST),
            f"registry.example:1/app:v1@{DIGEST}",
        ),
        (
            f"nginx@{DIGEST}",
            ("docker.io", "library/nginx", None, DIGEST),
            f"docker.io/library/nginx@{DIGEST}",
        ),
        # Without a slash there is no host, whatever it looks like: as Docker reads it.
        (
            "localhost:5000",
            ("docker.io", "library/localhost", "5000", None),
            "docker.io/library/localhost:5000",
        ),
        ("a.b", ("docker.io", "library/a.b", "latest", None), "docker.io/library/a.b:latest"),
    ],
)
def test_image_name_is_read_as_container_runtimes_read_it(
    text: str, name: tuple[str, str, str | None, Digest | None], written: str
):
    """Docker Hub's host, `library/` and `latest` are defaults; what is written names it whole."""
    parsed = ImageName.parse(text)
    assert (parsed, str(parsed)) == (ImageName(*name), written)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not the name of a repository"),
        ("Nginx", "'Nginx' is not the name of a repository"),
        ("a" * 248, f"'library/{'a' * 67}...' is not the name of a repository"),
        ("registry.example/", "'' is not the name of a repository"),
        ("registry.example/App", "'App' is not the name of a repository"),
        ("registry.example/a//b", "'a//b' is not the name of a repository"),
        ("registry.example//a", "'/a' is not the name of a repository"),
        ("registry.example/a/", "'a/' is not the name of a repository"),
        ("registry.example/../a", "'../a' is not the name of a repository"),
        ("registry.example/a%2fb", "'a%2fb' is not the name of a repository"),
        ("registry.example/a\n", r"'a\n' is not the name of a repository"),
        ("https://registry.example/app", "'https:' is not a host"),
        ("_.b/app", "'_.b' is not a host"),
        ("registry.example:/app", "'registry.example:' is not a host"),
        ("registry.example:65536/app", "'registry.example:65536' is not a host"),
        ("registry.example:99999999999/app", "'registry.example:99999999999' is not a host"),
        ("registry.example:http/app", "'registry.example:http' is not a host"),
        ("-a.example/app", "'-a.example' is not a host"),
        ("a-.example/app", "'a-.example' is not a host"),
        ("a..example/app", "'a..example' is not a host"),
        (".example/app", "'.example' is not a host"),
        ("user:password@registry.example/app", "'registry.example/app' is not a digest"),
        ("::1/app", "'::1' is not a host"),
        ("[::1/app", "'[::1' is not a host"),
        ("[::1]x/app", "'[::1]x' is not a host"),
        ("[fe80::1%25eth0]/app", "'[fe80::1%25eth0]' is not a host"),
        ("registry.example/app:", "'' is not a tag"),
        ("registry.example/app:a:b", "'a:b' is not a tag"),
        ("registry.example/app:.hidden", "'.hidden' is not a tag"),
        ("registry.example/app:-x", "'-x' is not a tag"),
        ("registry.example/app:a/b", "'a/b' is not a tag"),
        ("registry.example/app:a b", "'a b' is not a tag"),
        ("registry.example/app:a\r\nX: y", r"'a\r\nX: y' is not a tag"),
        ("registry.example/app@", "'' is not a digest"),
        ("registry.example/app@latest", "'latest' is not a digest"),
        ("registry.example/app@sha256:00", "'sha256:00' has not the form of its algorithm"),
        (f"app@{DIGEST}@{DIGEST}", f"'{DIGEST}@sha...' is not a digest"),
        (f"app@{DIGEST}:v1", f"'{DIGEST}:v1' is not a digest"),
        (f"@{DIGEST}", "'' is not the name of a repository"),
    ],
)
def test_other_text_is_no_image_name_and_the_part_at_fault_is_named(text: str, message: str):
    """The message quotes that part alone."""
    assert refusal(ImageName.parse, text) == message


@pytest.mark.parametrize(
    "text",
    ["a", "0", "a/b/c/d", "a.b", "a_b", "a__b", "a-b", "a---b", "library/nginx", "a" * 255, "a/" * 127 + "a"],
)
def test_repository_name_is_returned_as_it_stands(text: str):
    """Up to 255 characters, any number of components."""
    assert check_repository(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "A",
        ".a",
        "a.",
        "a..b",
        "a___b",
        "a._b",
        "-a",
        "a-",
        "a/-b",
        "..",
        "a/../b",
        "a b",
        "a%2fb",
        "a:b",
        "a\n",
        "a\x00",
        "\u00e4",
        "\u0661",
        "a?b",
        "a#b",
        "a\\b",
    ],
)
def test_text_outside_the_grammar_is_no_repository(text: str):
    """Nothing that would change the path of a request can stand in a name."""
    assert refusal(check_repository, text) == f"{text!a} is not the name of a repository"


def test_repository_of_256_characters_is_refused():
    """One more than the longest."""
    assert refusal(check_repository, "a" * 256) == f"'{'a' * 75}...' is not the name of a repository"


@pytest.mark.parametrize("text", ["latest", "_", "V1.2-rc_3", "0", "a" * 128, "sha256-" + HEX, "a.."])
def test_tag_is_returned_as_it_stands(text: str):
    """Up to 128 characters."""
    assert check_tag(text) == text


@pytest.mark.parametrize(
    "text", ["", ".", "-", ".a", "-a", "a/b", "a:b", "a b", "a\n", "a%", "a+b", "\u00e4", "a@b", "a\x7f"]
)
def test_text_outside_the_grammar_is_no_tag(text: str):
    """A tag cannot leave its place in a path, a line or a label."""
    assert refusal(check_tag, text) == f"{text!a} is not a tag"


def test_tag_of_129_characters_is_refused():
    """One more than the longest."""
    assert refusal(check_tag, "a" * 129) == f"'{'a' * 75}...' is not a tag"


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "localhost",
        "A.b-c.example",
        "example.",
        "10.0.0.1",
        "a:0",
        "a:65535",
        "[::]",
        "[::ffff:10.0.0.1]:80",
    ],
)
def test_host_is_returned_as_it_stands(text: str):
    """Names, addresses, ports up to the highest."""
    assert check_host(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:",
        ":80",
        "a:65536",
        "a:-1",
        "a:\u0661",
        "a b",
        "a/b",
        "a@b",
        "a\n",
        "::1",
        "[]",
        "[::1",
        "::1]",
        "[g::]",
        "-a",
        "a-",
        "a..",
        "a_b",
    ],
)
def test_other_text_is_no_host(text: str):
    """Neither user nor path can be smuggled in; IPv6 addresses need their brackets."""
    assert refusal(check_host, text) == f"{text!a} is not a host"
