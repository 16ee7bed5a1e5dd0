"""The settings of how a registry is reached and who asks: their meaning, and what is said of wrong ones."""

import base64
import json
from pathlib import Path

import pytest

from exporter.registry import (
    Credentials,
    CredentialSource,
    DockerConfig,
    FixedCredentials,
    NoCredentials,
    PasswordFile,
    Proxies,
    TransportOptions,
)
from exporter.settings import RegistrySettings
from tests.program.loading import PREFIX, SECRET, load, problems

LISTED = "registries:\n  - url: https://registry.example\n"
READABLE = "expected a file that can be read: No such file or directory"
DOCUMENT = "expected a file with a JSON object, as Docker writes it"
HOSTS = "expected hosts such as auth.example.com or auth:5001"
RATE = "expected a number greater than 0, of at most 100000"
TRUTH = "expected true or false"


def only(file: Path, text: str, **environment: str) -> RegistrySettings:
    """The only registry, with these lines of its own."""
    own = "".join(f"    {line}\n" for line in text.splitlines())
    return load(file, f"{LISTED}{own}", environment=environment).registries[0]


@pytest.fixture
def config(file: Path) -> Path:
    """A Docker config.json with every kind of secret, beside the configuration file."""
    auth = base64.b64encode(f"u:{SECRET}".encode()).decode()
    entries = {
        "registry.example": {"auth": auth},
        "one.example": {"username": "u", "password": "plain-password"},
        "two.example": {"identitytoken": "identity-token", "registrytoken": "registry-token"},
        "three.example": 5,
    }
    path = file.parent / "config.json"
    path.write_text(json.dumps({"auths": entries, "credHelpers": {"four.example": "none"}}))
    return path


# Credentials


async def test_credentials_come_from_one_place(file: Path, config: Path):
    """From a file of a password, a password, a Docker config.json, or nowhere."""
    (file.parent / "password").write_text(SECRET)
    found = [
        only(file, text).credential_source
        for text in (
            "username: u\npassword_file: password",
            f"username: u\npassword: {SECRET}",
            f"docker_config: {config.name}",
            "",
        )
    ]
    assert found[0] == PasswordFile("u", file.parent / "password")
    assert found[1] == FixedCredentials(Credentials("u", SECRET))
    assert [type(source) for source in found[2:]] == [DockerConfig, NoCredentials]
    secrets = [await source.find("team/app") for source in found]
    assert secrets == [Credentials("u", SECRET)] * 3 + [None]


async def test_a_rotated_password_is_found(file: Path):
    """The file is read when credentials are needed, not only at the start."""
    (file.parent / "password").write_text("old")
    source: CredentialSource = only(file, "username: u\npassword_file: password").credential_source
    (file.parent / "password").write_text(f"{SECRET}\n")
    assert await source.find("") == Credentials("u", SECRET)


def test_the_place_that_counts_more_displaces_the_others(file: Path, config: Path):
    """Of two ways to credentials, that of the registry or of the environment counts alone."""
    (file.parent / "password").write_text(SECRET)
    basic = "username: u\npassword_file: password"
    of_docker = f"docker_config: {config.name}"

    def source(text: str, **environment: str) -> type[CredentialSource]:
        settings = load(file, text, environment=environment)
        return type(settings.registries[0].credential_source)

    assert source(f"{of_docker}\n{LISTED}    username: u\n    password_file: password\n") is PasswordFile
    assert source(f"{basic}\n{LISTED}    {of_docker}\n") is DockerConfig
    assert source(f"{basic}\n{LISTED}    docker_config: null\n") is PasswordFile
    assert source(f"{basic}\n{LISTED}", DOCKER_CONFIG=str(config)) is DockerConfig
    own = {"REGISTRIES__0__USERNAME": "u", "REGISTRIES__0__PASSWORD": SECRET}
    assert source(f"{LISTED}    {of_docker}\n", **own) is FixedCredentials


USER = "username: u\npassword: p\n"
NO_USER = "expected no username beside it"
PEM = "expected a certificate and its key, as PEM"
KEY = "expected the certificate's key, as PEM"


@pytest.mark.parametrize(
    ("text", "shown", "expected"),
    [
        (f"{USER}docker_config: config.json", "'config.json'", NO_USER),
        (f"{USER}cloud: ecr", "'ecr'", NO_USER),
        ("docker_config: config.json\ncloud: ecr", "'ecr'", "expected no docker_config beside it"),
        ("cloud: aws", "'aws'", "expected ecr, gcp or azure"),
        ("cloud: ecr", "'ecr'", "expected the https address of a registry of Amazon ECR"),
        ("docker_config: none.json", "'none.json'", READABLE),
        ("docker_config: password", "'password'", DOCUMENT),
        ("docker_config: list.json", "'list.json'", DOCUMENT),
        ("docker_config: ''", "''", "expected the path of a file"),
        ("token_hosts: []", "a list", "expected a list of at least one host"),
        ("token_hosts: ['https://a']", "'https://a'", HOSTS),
        ("token_hosts: [a/b]", "'a/b'", HOSTS),
        ("token_hosts: ['*.example']", "'*.example'", HOSTS),
        ("ca_file: none.pem", "'none.pem'", READABLE),
        ("ca_file: password", "'password'", "expected a file of certificates, as PEM"),
        ("client_certificate_file: none.pem", "'none.pem'", READABLE),
        ("client_certificate_file: password", "'password'", PEM),
        ("client_key_file: password", "'password'", "expected a client_certificate_file beside it"),
        ("client_certificate_file: both.pem\nclient_key_file: password", "'password'", KEY),
        ("insecure_skip_verify: 1", "1", TRUTH),
        ("insecure_skip_verify: 'yes'", "'yes'", TRUTH),
        ("requests_per_second: 0", "0", RATE),
        ("requests_per_second: -1", "-1", RATE),
        ("requests_per_second: .inf", "inf", RATE),
        ("requests_per_second: .nan", "nan", RATE),
        ("requests_per_second: true", "true", RATE),
        ("requests_per_second: '1e3'", "'1e3'", RATE),
        ("requests_per_second: 100001", "100001", RATE),
        ("requests_per_second: [1]", "a list", RATE),
    ],
    ids=repr,
)
def test_wrong_values(file: Path, config: Path, certificate: Path, *, text: str, shown: str, expected: str):
    """Files are read at the start; what is wrong with one is told with its key, and none of its content."""
    (file.parent / "password").write_text(SECRET)
    (file.parent / "list.json").write_text(f'["{SECRET}"]')
    (file.parent / "both.pem").write_bytes(certificate.read_bytes())
    assert config.exists()
    lines = text.splitlines()
    key = lines[-1].partition(":")[0]
    own = "".join(f"    {line}\n" for line in lines)
    assert problems(file, f"{LISTED}{own}") == [
        f"registries.0.{key}: {shown}: {expected} (config.yml, line {2 + len(lines)})"
    ]


def test_wrong_files_in_variables(file: Path):
    """A relative path of a variable starts from the working directory, and a wrong one is told the same."""
    for name in ("DOCKER_CONFIG", "CA_FILE", "CLIENT_CERTIFICATE_FILE"):
        told = problems(registries=["https://a"], environment={name: "none"})
        assert told == [f"{name.lower()}: 'none': {READABLE} (variable {PREFIX}{name})"]
    assert not file.exists()


def test_secrets_of_all_places_are_kept_out_of_the_log(file: Path, config: Path):
    """What a Docker config.json holds is masked as passwords are."""
    registry = f"docker_config: {config.name}\n{LISTED}"
    auth = base64.b64encode(f"u:{SECRET}".encode()).decode()
    expected = {SECRET, auth, "plain-password", "identity-token", "registry-token"}
    assert load(file, registry).secrets == expected


@pytest.mark.parametrize(
    ("url", "lines", "warned"),
    [
        ("http://registry.example", "username: u\npassword: p", True),
        ("http://registry.example", "docker_config: config.json", True),
        ("http://10.0.0.1:5000", "username: u\npassword: p", True),
        ("https://registry.example", "username: u\npassword: p", False),
        ("http://registry.example", "", False),
        ("http://127.0.0.1:5000", "username: u\npassword: p", False),
        ("http://[::1]:5000", "username: u\npassword: p", False),
        ("http://localhost", "username: u\npassword: p", False),
    ],
)
def test_credentials_without_encryption(file: Path, config: Path, url: str, lines: str, warned: bool):
    """They are no secret where they leave this machine over http."""
    assert config.exists()
    text = "".join(f"    {line}\n" for line in (f"url: {url}", *lines.splitlines()))
    registry = load(file, f"registries:\n  a:\n{text}").registries[0]
    assert registry.shows_credentials_to_anyone is warned


# Connections


def test_how_a_registry_is_connected_to(file: Path, certificate: Path):
    """Paths start beside the configuration file; hosts are written as addresses have them."""
    (file.parent / "both.pem").write_bytes(certificate.read_bytes())
    registry = only(
        file,
        """ca_file: both.pem
client_certificate_file: both.pem
client_key_file: both.pem
insecure_skip_verify: true
requests_per_second: 2.5
token_hosts: [Auth.Example, auth:5001, "[::1]", "[::1]:5001"]""",
    )
    both = file.parent / "both.pem"
    proxies = Proxies(http="http://proxy.example:3128")
    assert registry.transport_options(proxies) == TransportOptions(both, both, both, True, proxies)
    assert registry.transport_options() == TransportOptions(both, both, both, True, Proxies())
    assert registry.requests_per_second == 2.5
    assert registry.token_hosts == ("auth.example", "auth:5001", "::1", "[::1]:5001")


@pytest.mark.parametrize(("text", "read"), [("5", 5.0), ("0.5", 0.5), ("100000", 100000.0)])
def test_rates_are_numbers(file: Path, text: str, read: float):
    """With or without a fraction, in the file and in a variable."""
    assert only(file, f"requests_per_second: {text}").requests_per_second == read
    assert only(file, "", REQUESTS_PER_SECOND=text).requests_per_second == read
