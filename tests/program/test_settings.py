"""Settings: what each spelling means, which one counts, and what is said of a wrong one."""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from typer.main import get_group

from exporter.cli.commands import app
from exporter.integrity import BlobCheck, ImageByDigest, PlatformRule, RegistryKind, Shard
from exporter.integrity.report import PerRepository
from exporter.logs import LogFormat, LogLevel
from exporter.oci import Digest
from exporter.registry import CloudProvider, Credentials, NoCredentials
from exporter.settings import (
    ConfigurationError,
    ListenAddress,
    RegistrySettings,
    RepositoriesSettings,
    Settings,
    format_duration,
    load_settings,
    parse_duration,
)
from exporter.settings import models as settings_models
from exporter.settings.given import DEFAULT_PATHS, TOP_PATHS, KeyPath
from exporter.settings.selections import IgnoreSettings, OverrideSettings
from tests.program.loading import PREFIX, SECRET, load, problems
from tools.configuration import flag_of

ROOT = Path(__file__).resolve().parents[2]


# Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10.0),
        ("15m", 900.0),
        ("24h", 86400.0),
        ("2d", 172800.0),
        ("1h30m", 5400.0),
        ("1d2h3m4s5ms", 93784.005),
        ("0s", 0.0),
        ("007s", 7.0),
        ("365d", 31536000.0),
    ],
)
def test_durations_are_read(text: str, seconds: float):
    """Each unit, alone and together, is read into seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "1.5s",
        "-1s",
        "+1s",
        " 1s",
        "1s ",
        "1 s",
        "1S",
        "s",
        "30m1h",
        "1s1s",
        "1w",
        "1h-30m",
        "٣s",
        "1e3s",
    ],
)
def test_what_is_no_duration_is_refused(text: str):
    """Numbers without a unit, fractions, signs, spaces, other orders and other digits are no durations."""
    with pytest.raises(ValueError, match=r"\Aexpected a duration such as 500ms, 10s, 15m or 1h30m\Z"):
        parse_duration(text)


def test_durations_have_an_end():
    """A duration longer than a year is a mistake."""
    for text in ("365d1ms", "999999999999d"):
        with pytest.raises(ValueError, match=r"\Aexpected a duration of at most 365d\Z"):
            parse_duration(text)


@given(st.integers(min_value=0, max_value=365 * 86_400_000))
def test_written_durations_are_read_again(milliseconds: int):
    """What is written is read as the same."""
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text(alphabet="0123456789dhms. -", max_size=8))
def test_any_text_is_a_duration_or_refused(text: str):
    """Whatever is accepted has a canonical form that means the same."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(format_duration(seconds)) == seconds


# Addresses to listen on


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9949", ListenAddress("", 9949)),
        (":0", ListenAddress("", 0)),
        ("127.0.0.1:80", ListenAddress("127.0.0.1", 80)),
        ("localhost:65535", ListenAddress("localhost", 65535)),
        ("[::1]:9949", ListenAddress("::1", 9949)),
        ("[::]:0", ListenAddress("::", 0)),
    ],
)
def test_addresses_are_read(text: str, address: ListenAddress):
    """Every form is read, and written again as it was."""
    assert ListenAddress.parse(text) == address
    assert str(address) == text


NO_ADDRESSES = (
    *("", "9949", ":", "localhost", ":65536", ":-1", ":x", "::1:9949", "[::1]", "[::1", "[:::1]:1", "a b:1"),
    *("http://x:1", "[1.2.3.4]:1", "host:1:2", ":\N{ARABIC-INDIC DIGIT THREE}", "[::1]x:1", ": 1"),
)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_is_refused(text: str):
    """Missing and wrong ports, bare IPv6 addresses and anything else are refused."""
    with pytest.raises(ValueError, match=r"\Aexpected :PORT, HOST:PORT or \[IPV6\]:PORT"):
        ListenAddress.parse(text)


@given(
    st.one_of(st.just(""), st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)),
    st.integers(min_value=0, max_value=65535),
)
def test_written_addresses_are_read_again(host: str, port: int):
    """What is written is read as the same."""
    address = ListenAddress(host, port)
    assert ListenAddress.parse(str(address)) == address


@given(st.text(alphabet="[]:.019afx- ", max_size=12))
def test_any_text_is_an_address_or_refused(text: str):
    """Whatever is accepted has a port in range, and a host that is not half of an IPv6 address."""
    try:
        address = ListenAddress.parse(text)
    except ValueError:
        return
    assert 0 <= address.port <= 65535
    assert not set("[]") & set(address.host)
    if ":" in address.host:
        IPv6Address(address.host)


# Values by key: three that differ, as every source can give them, and what comes of them.

WRITTEN: Mapping[KeyPath, tuple[str, str, str]] = {
    ("kind",): ("pull-through", "private", "pull-through"),
    ("interval",): ("1m", "2m", "3m"),
    ("concurrency",): ("1", "2", "3"),
    ("timeout",): ("1s", "2s", "3s"),
    ("catalog_timeout",): ("1s", "2s", "3s"),
    ("confirm_delay",): ("0s", "1s", "2s"),
    ("suspect_delay",): ("0s", "1s", "2s"),
    ("refetch_interval",): ("1h", "2h", "3h"),
    ("manifest_cache_size",): ("0", "1", "2"),
    ("blob_check",): ("range", "head", "auto"),
    ("requests_per_second",): ("1", "2.5", "300"),
    ("repositories",): ("team/a", "team/b", "team/c"),
    ("repositories", "include"): ("a/*", "b/*", "c/*"),
    ("repositories", "exclude"): ("a/*", "b/*", "c/*"),
    ("tags", "include"): ("v1.*", "v2.*", "v3.*"),
    ("tags", "exclude"): ("v1.*", "v2.*", "v3.*"),
    ("images",): tuple(f"team/app@sha256:{digit * 64}" for digit in "123"),
    ("overrides",): tuple(f'[{{"repository": "{name}/*", "blob_check": "head"}}]' for name in "abc"),
    ("ignore",): tuple(f'[{{"tag": "{name}", "until": "2026-12-31"}}]' for name in "abc"),
    ("platforms",): tuple(f'{{"{name}/*": ["linux/amd64"]}}' for name in "abc"),
    ("docker_config",): ("a.json", "b.json", "c.json"),
    ("cloud",): ("ecr", "gcp", "azure"),
    ("token_hosts",): ("a.example", "b.example", "c.example"),
    ("ca_file",): ("a.pem", "b.pem", "c.pem"),
    ("client_certificate_file",): ("a.pem", "b.pem", "c.pem"),
    ("client_key_file",): ("a.pem", "b.pem", "c.pem"),
    ("insecure_skip_verify",): ("true", "false", "true"),
    ("username",): ("ann", "bob", "eve"),
    ("password",): ("secret-a", "secret-b", "secret-c"),
    ("password_file",): ("a.txt", "b.txt", "c.txt"),
    ("metrics", "image_host"): ("a.example", "b.example", "c.example"),
    ("metrics", "max_broken_info"): ("0", "1", "2"),
    ("metrics", "per_repository"): ("broken", "none", "all"),
}
READ: Mapping[KeyPath, Any] = {
    ("kind",): RegistryKind,
    ("interval",): parse_duration,
    ("concurrency",): int,
    ("timeout",): parse_duration,
    ("catalog_timeout",): parse_duration,
    ("confirm_delay",): parse_duration,
    ("suspect_delay",): parse_duration,
    ("refetch_interval",): parse_duration,
    ("manifest_cache_size",): int,
    ("blob_check",): BlobCheck,
    ("requests_per_second",): float,
    ("repositories",): lambda name: RepositoriesSettings(names=(name,)),
    ("repositories", "include"): lambda glob: (glob,),
    ("repositories", "exclude"): lambda glob: (glob,),
    ("tags", "include"): lambda glob: (glob,),
    ("tags", "exclude"): lambda glob: (glob,),
    ("images",): lambda text: (ImageByDigest("team/app", Digest(text.partition("@")[2])),),
    ("overrides",): lambda text: tuple(map(OverrideSettings.model_validate, json.loads(text))),
    ("ignore",): lambda text: tuple(map(IgnoreSettings.model_validate, json.loads(text))),
    ("platforms",): lambda text: (PlatformRule(f"{text[2]}/*", frozenset({"linux/amd64"})),),
    ("docker_config",): Path,
    ("cloud",): CloudProvider,
    ("token_hosts",): lambda host: (host,),
    ("ca_file",): Path,
    ("client_certificate_file",): Path,
    ("client_key_file",): Path,
    ("insecure_skip_verify",): lambda word: word == "true",
    ("username",): str,
    ("password",): SecretStr,
    ("password_file",): Path,
    ("metrics", "image_host"): str,
    ("metrics", "max_broken_info"): int,
    ("metrics", "per_repository"): PerRepository,
}
FLAGS = [("interval",), ("concurrency",), ("timeout",), ("blob_check",)]


def value_at(model: Any, path: KeyPath) -> Any:
    for name in path:
        model = getattr(model, name)
    return model


def as_yaml(path: KeyPath, text: str, indent: str = "") -> str:
    *sections, name = path
    lines = [f"{indent}{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    return "\n".join([*lines, f"{indent}{'  ' * len(sections)}{name}: {text}", ""])


def complete(path: KeyPath, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the other half to what is one half of a pair: credentials, and a certificate with its key."""
    if path == ("username",):
        return {"PASSWORD": "other-half", **environment}
    if path == ("client_key_file",):
        return {"CLIENT_CERTIFICATE_FILE": "a.pem", **environment}
    return {"USERNAME": "other-half", **environment} if path[0].startswith("password") else dict(environment)


def test_every_key_has_values_here():
    """The tables above have all keys, so that the tests below miss none."""
    assert set(WRITTEN) == set(READ) == set(DEFAULT_PATHS)


@pytest.fixture(params=DEFAULT_PATHS, ids=".".join)
def path(
    request: pytest.FixtureRequest, file: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> KeyPath:
    """Each key of a registry; the files that some name are there, and any registry is any cloud's."""
    for name in ("a", "b", "c"):
        (file.parent / f"{name}.txt").write_text(f"secret-{name}\n")
        (file.parent / f"{name}.json").write_text("{}")
        (file.parent / f"{name}.pem").write_bytes(certificate.read_bytes())
    monkeypatch.setattr(settings_models, "cloud_credentials", lambda _provider, _url: NoCredentials())
    key: KeyPath = request.param
    return key


def effective(path: KeyPath, *arguments: Any, **sources: Any) -> Any:
    """What the only registry ends up with."""
    value = value_at(load(*arguments, **sources).registries[0], path)
    return Path(value.name) if isinstance(value, Path) else value


def test_default_counts_where_nothing_is_given(path: KeyPath):
    """Without any source, the default of the model is what counts, at the top level and for a registry."""
    settings = load(registries=["http://a"])
    default = value_at(Settings(), path)
    assert value_at(settings.registries[0], path) == value_at(settings, path) == default


def test_each_source_counts_more_than_the_one_before(path: KeyPath, file: Path):
    """From the file's top level to a flag, one added after the other: the last one counts."""
    first, second, third = WRITTEN[path]
    read = READ[path]
    name = "__".join(path).upper()
    top, own = as_yaml(path, first), as_yaml(path, second, "    ")
    listed = "registries:\n  - url: http://a\n    name: one\n"
    unset = complete(path, {})

    assert effective(path, file, f"{top}{listed}", environment=unset) == read(first)
    assert effective(path, file, f"{top}{listed}{own}", environment=unset) == read(second)
    everywhere = complete(path, {name: third})
    assert effective(path, file, f"{top}{listed}{own}", environment=everywhere) == read(third)
    for registry in ("ONE", "one", "0"):
        amended = {**everywhere, f"REGISTRIES__{registry}__{name}": first}
        assert effective(path, file, f"{top}{listed}{own}", environment=amended) == read(first)
        if path in FLAGS:
            flag = {path[0]: second}
            assert effective(path, file, f"{top}{listed}{own}", environment=amended, **flag) == read(second)


# What is the program's own: three texts for each key, and what comes of them.
OF_THE_PROGRAM: Mapping[KeyPath, tuple[tuple[str, str, str], Any]] = {
    ("log_level",): (("debug", "warning", "error"), LogLevel),
    ("log_format",): (("json", "console", "json"), LogFormat),
    ("listen_address",): (
        (":1", "localhost:2", "'[::1]:3'"),
        lambda text: ListenAddress.parse(text.strip("'")),
    ),
    ("web", "enable_lifecycle"): (("true", "false", "true"), lambda word: word == "true"),
    ("shard",): (("0/2", "1/2", "1/3"), lambda text: Shard(*map(int, text.split("/")))),
    ("pushgateway", "url"): (("http://a", "http://b", "http://c"), str),
    ("pushgateway", "job"): (("a", "b", "c"), str),
    ("pushgateway", "timeout"): (("1s", "2s", "3s"), parse_duration),
    ("pushgateway", "username"): (("ann", "bob", "eve"), str),
    ("pushgateway", "password"): (("secret-a", "secret-b", "secret-c"), SecretStr),
    ("pushgateway", "password_file"): (("a.txt", "b.txt", "c.txt"), Path),
    ("pushgateway", "ca_file"): (("a.pem", "b.pem", "c.pem"), Path),
    ("pushgateway", "client_certificate_file"): (("a.pem", "b.pem", "c.pem"), Path),
    ("pushgateway", "client_key_file"): (("a.pem", "b.pem", "c.pem"), Path),
    ("pushgateway", "insecure_skip_verify"): (("true", "false", "true"), lambda word: word == "true"),
    ("textfile",): (("a.prom", "b.prom", "c.prom"), Path),
    ("deadline",): (("1m", "2m", "3m"), parse_duration),
}


def test_every_key_of_the_program_has_values_here():
    """So the test below misses none, nor does it miss a flag."""
    assert set(OF_THE_PROGRAM) == set(TOP_PATHS) - set(DEFAULT_PATHS) - {("registries",)}
    keys = {path: flag_of(path) for path in TOP_PATHS if flag_of(path)}
    flags_of_keys = {
        spelling
        for command in ("serve", "probe", "check-config")
        for parameter in get_group(app).commands[command].params
        for spelling in parameter.opts
    } - {"--config", "--output", "--quiet", "--help"}
    assert set(keys.values()) == flags_of_keys
    assert {path for path in keys if path in DEFAULT_PATHS} == set(FLAGS)


@pytest.mark.parametrize("path", OF_THE_PROGRAM, ids=".".join)
def test_sources_of_the_program_itself(path: KeyPath, file: Path, certificate: Path):
    """What is no registry's has three sources and a default; each counts more than the one before."""
    for name in ("a", "b", "c"):
        (file.parent / f"{name}.txt").write_text(f"secret-{name}\n")
        (file.parent / f"{name}.pem").write_bytes(certificate.read_bytes())
    (in_flag, in_environment, in_file), read = OF_THE_PROGRAM[path]
    section = "__".join((*path[:-1], "")).upper()
    unset = {f"{section}{name}": value for name, value in complete(path[-1:], {}).items()}
    registries = ["http://a"]

    def effective(*arguments: Any, environment: Mapping[str, str], **flags: Any) -> Any:
        return value_at(load(*arguments, registries=registries, environment=environment, **flags), path)

    assert value_at(load(registries=registries), path) == value_at(Settings(), path)
    assert effective(file, as_yaml(path, in_file), environment=unset) == read(in_file)
    environment = {**unset, "__".join(path).upper(): in_environment}
    assert effective(file, environment=environment) == read(in_environment)
    flag = flag_of(path).removeprefix("--").replace("-", "_")
    if flag:
        assert effective(file, environment=environment, **{flag: in_flag}) == read(in_flag)


def test_keys_are_merged_one_by_one(file: Path):
    """A registry takes each key from where it counts most, not all from one place."""
    settings = load(
        file,
        """
        interval: 1h
        timeout: 3s
        metrics: {image_host: images.example, max_broken_info: 7}
        registries:
          - {name: a, url: https://a.example, interval: 2h, metrics: {max_broken_info: 8}}
          - {name: b, url: https://b.example}
        """,
        timeout="4s",
        environment={"REGISTRIES__B__METRICS__IMAGE_HOST": "b.images", "CONCURRENCY": "9"},
    )
    a, b = settings.registries
    assert (a.interval, a.timeout, a.concurrency) == (7200.0, 4.0, 9)
    assert (a.metrics.image_host, a.metrics.max_broken_info) == ("images.example", 8)
    assert (b.interval, b.timeout, b.concurrency) == (3600.0, 4.0, 9)
    assert (b.metrics.image_host, b.metrics.max_broken_info) == ("b.images", 7)


def test_null_takes_a_default_back(file: Path):
    """A registry can have no value where all others have one."""
    text = "username: u\npassword: p\nrepositories: [a]\nregistries: {x: {url: http://x, username: null, "
    registry = load(file, f"{text}password: null, repositories: null, metrics: null}}}}").registries[0]
    assert (registry.credentials, registry.repositories, registry.metrics.max_broken_info) == (
        None,
        RepositoriesSettings(),
        200,
    )


def test_null_takes_lists_and_files_back(file: Path):
    """So it does where the value is a list, a mapping, a file or a number."""
    (file.parent / "config.json").write_text("{}")
    given = {
        "requests_per_second": "5",
        "repositories": "{include: [a/*]}",
        "tags": "{include: [v*], exclude: [x*]}",
        "images": f"[a@sha256:{'0' * 64}]",
        "overrides": "[{repository: a/*, blob_check: head}]",
        "ignore": "[{tag: x}]",
        "platforms": "{a/*: [linux/amd64]}",
        "docker_config": "config.json",
        "token_hosts": "[a.example]",
    }
    taken_back = given | dict.fromkeys(given, "null") | {"tags": "{include: null, exclude: null}"}

    def lines(values: Mapping[str, str], indent: str = "") -> str:
        return "".join(f"{indent}{key}: {value}\n" for key, value in values.items())

    listed = "registries:\n  - url: http://x\n"
    (changed,) = load(file, f"{lines(given)}{listed}").registries
    (registry,) = load(file, f"{lines(given)}{listed}{lines(taken_back, '    ')}").registries
    plain = RegistrySettings(url="http://x")
    assert changed != plain
    assert registry == plain


# The list of registries


@pytest.mark.parametrize(
    ("url", "read", "name"),
    [
        ("https://registry.example.com", "https://registry.example.com", "registry.example.com"),
        ("HTTPS://Registry.Example.com/", "https://registry.example.com", "registry.example.com"),
        ("http://localhost:5000", "http://localhost:5000", "localhost:5000"),
        ("http://[::1]:5000/", "http://[::1]:5000", "[::1]:5000"),
        ("https://host/api/docker/local//", "https://host/api/docker/local", "host"),
    ],
)
def test_registry_by_its_address(url: str, read: str, name: str):
    """An address is enough; the name is its host and port."""
    (registry,) = load(registries=[url]).registries
    assert (registry.url, registry.name) == (read, name)


def test_registries_by_flag():
    """The flag names registries or not, several times, in order."""
    settings = load(registries=["private=https://a.example", "https://b.example/x=y"])
    assert [(one.name, one.url) for one in settings.registries] == [
        ("private", "https://a.example"),
        ("b.example", "https://b.example/x=y"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a=https://a.example,https://b.example",
        " a=https://a.example  https://b.example\n",
        '[{"name": "a", "url": "https://a.example"}, {"url": "https://b.example"}]',
        ' {"a": {"url": "https://a.example"}, "b.example": {"url": "https://b.example"}}',
    ],
)
def test_registries_by_variable(text: str):
    """The variable is a list of addresses, or JSON of either form."""
    settings = load(environment={"REGISTRIES": text})
    assert [(one.name, one.url) for one in settings.registries] == [
        ("a", "https://a.example"),
        ("b.example", "https://b.example"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "registries: [{name: a, url: https://a.example}, {url: https://b.example}]",
        "registries: {a: {url: https://a.example}, b.example: {url: https://b.example}}",
    ],
)
def test_registries_by_file(file: Path, text: str):
    """The file has a list, or a mapping of names."""
    settings = load(file, text)
    assert [(one.name, one.url) for one in settings.registries] == [
        ("a", "https://a.example"),
        ("b.example", "https://b.example"),
    ]


def test_the_list_is_taken_whole(file: Path):
    """A list replaces another whole, with what the other says of its registries, even of the same name."""
    text = f"registries: {{a: {{url: https://a.example, username: u, password: {SECRET}, interval: 2h}}}}"
    listed = {"REGISTRIES": "a=https://b.example"}
    from_file = load(file, text).registries
    from_variable = load(file, text, environment=listed).registries
    from_flag = load(file, text, environment=listed, registries=["a=https://c.example"]).registries
    assert [one.url for one in (*from_file, *from_variable, *from_flag)] == [
        "https://a.example",
        "https://b.example",
        "https://c.example",
    ]
    assert from_file[0].credentials == Credentials("u", SECRET)
    assert {one.credentials for one in (*from_variable, *from_flag)} == {None}
    assert {one.interval for one in (*from_variable, *from_flag)} == {900.0}


@pytest.mark.parametrize("spelled", ["REGISTRY_EXAMPLE_5000", "registry.example:5000", "1"])
def test_variable_finds_its_registry(spelled: str):
    """By its name in capitals, by its name as it is, or by its position."""
    settings = load(
        registries=["https://other.example", "https://registry.example:5000"],
        environment={f"REGISTRIES__{spelled}__INTERVAL": "1h"},
    )
    assert [one.interval for one in settings.registries] == [900.0, 3600.0]


def test_a_name_counts_more_than_a_position():
    """A registry called 0 is meant by 0, wherever it stands."""
    settings = load(registries=["a=http://a", "0=http://b"], environment={"REGISTRIES__0__TIMEOUT": "1s"})
    assert [one.timeout for one in settings.registries] == [10.0, 1.0]


def test_addresses_and_names_have_variables_too(file: Path):
    """A registry's address and name follow the same precedence as any other key of it."""
    text = "registries: {a: {url: http://a}}"
    environment = {"REGISTRIES__A__URL": "https://b.example", "REGISTRIES__A__NAME": "b"}
    (registry,) = load(file, text, environment=environment).registries
    assert (registry.name, registry.url) == ("b", "https://b.example")
    (registry,) = load(registries=["a=http://a"], environment=environment).registries
    assert (registry.name, registry.url) == ("a", "http://a")


def test_variables_of_a_replaced_registry_wait(file: Path):
    """A variable for a registry of the file is no error when flags name other registries."""
    text = "registries: {a: {url: https://a.example}, b: {url: https://b.example}}"
    for registry in ("B", "1"):
        environment = {f"REGISTRIES__{registry}__USERNAME": "u", f"REGISTRIES__{registry}__PASSWORD": SECRET}
        (only,) = load(file, text, environment=environment, registries=["c=http://c"]).registries
        assert only.credentials is None


def test_lists_in_variables():
    """Repositories in a variable are separated by commas or spaces, or are JSON."""
    for text in ("team/a,team/b", "team/a  team/b team/a", '["team/a", "team/b"]'):
        settings = load(registries=["http://a"], environment={"REPOSITORIES": text})
        assert settings.registries[0].repositories == RepositoriesSettings(names=("team/a", "team/b"))


# Credentials


@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"])
def test_password_is_read_from_a_file(file: Path, content: str):
    """One newline at the end is not part of it; a relative path starts beside the configuration file."""
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets" / "password").write_text(content, newline="")
    text = "registries: {a: {url: http://a, username: u, password_file: secrets/password}}"
    registry = load(file, text).registries[0]
    assert registry.credentials == Credentials("u", SECRET)
    assert registry.password_file == file.parent / "secrets" / "password"


def test_spaces_belong_to_a_password(file: Path):
    """Nothing but one newline is cut off."""
    (file.parent / "password").write_text(f" {SECRET} \n")
    flags = {"registries": ["http://a"]}
    environment = {"USERNAME": "u", "PASSWORD_FILE": str(file.parent / "password")}
    assert load(environment=environment, **flags).registries[0].credentials == Credentials("u", f" {SECRET} ")


def test_either_way_to_a_password_displaces_the_other(file: Path):
    """What counts more decides, a password or the file of one."""
    (file.parent / "password").write_text("from the file")
    of_file = f"registries: {{a: {{url: http://a, username: u, password_file: {file.parent}/password}}}}"
    assert load(file, of_file).registries[0].credentials == Credentials("u", "from the file")
    by_variable = load(file, of_file, environment={"PASSWORD": SECRET}).registries[0]
    assert (by_variable.credentials, by_variable.password_file) == (Credentials("u", SECRET), None)
    own = f"password: {SECRET}\n{of_file}"
    assert load(file, own).registries[0].credentials == Credentials("u", "from the file")


def test_secrets_are_in_no_text(file: Path):
    """What holds a secret shows none, and tells what has to be kept out of the log."""
    settings = load(file, f"registries: {{a: {{url: http://a, username: u, password: {SECRET}}}}}")
    for shown in (
        repr(settings),
        str(settings),
        repr(settings.registries[0].credentials),
        settings.model_dump_json(),
    ):
        assert SECRET not in shown
    basic = "dTpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl"  # u:correct-horse-battery-staple
    assert settings.secrets == {SECRET, basic}
    assert load(registries=["http://a"]).secrets == frozenset()


def test_settings_do_not_change():
    """Nobody changes settings once they are read."""
    settings = load(registries=["http://a"])
    for model, name in (
        (settings, "interval"),
        (settings.registries[0], "url"),
        (settings.metrics, "image_host"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, name, "x")


# Errors. Each text is asserted whole: the key, the value, what was expected, and where it stands.

URL = "expected an http or https address such as https://registry.example.com"
NO_USER = "expected an address without a user; username and password_file are keys of their own"
NAME = "expected a name of up to 100 letters, digits and . _ - : [ ]"
DURATION = "expected a duration such as 500ms, 10s, 15m or 1h30m"
CONCURRENCY = "expected a whole number from 1 to 1000"
ADDRESS = "expected :PORT, HOST:PORT or [IPV6]:PORT"
PORT = f"{ADDRESS} with a port from 0 to 65535"
LIST = "expected a list of registries, or a mapping of names to registries"
REGISTRY = "expected the settings of a registry, with its url"
REPOSITORIES = "expected names of repositories, such as team/app"
IMAGE_HOST = "expected what stands before the repository in image names, without https://"
KNOWN = "expected a key that is known"
LISTED = "expected the name or the position of a registry that is listed"
JSON = "expected JSON"
SEVERAL = "expected the position of a registry, since this may be the name of several"
LINE = "expected a file with one line of text"
NO_REGISTRY = (
    "registries: nothing: expected at least one registry,"
    " from --registry, REGISTRY_INTEGRITY_REGISTRIES or the file"
)


@pytest.mark.parametrize("text", ["", "---\n", "registries: []", "registries: {}", "interval: 1m"])
def test_no_registry(file: Path, text: str):
    """There has to be at least one registry."""
    assert problems() == problems(file, text) == [NO_REGISTRY]


@pytest.mark.parametrize(
    ("text", "what", "expected", "line"),
    [
        ("registries: x", "registries: 'x'", LIST, 1),
        ("\nregistries:", "registries: nothing", LIST, 2),
        ("registries: [http://a]", "registries.0: 'http://a'", REGISTRY, 1),
        ("registries:\n  a: http://a", "registries.a: 'http://a'", REGISTRY, 2),
        ("registries:\n  -\n    name: a", "registries.0.url: nothing", URL, 3),
        ("registries:\n  - {}", "registries.0.url: nothing", URL, 1),
        ("registries: {5: {url: http://a}}", "registries.5.name: 5", NAME, 1),
        (
            "registries:\n  a:\n    url: http://a\n    name: b",
            "registries.a.name: 'b'",
            "expected no name, since the key above it is the name",
            4,
        ),
        (
            "registries: [{url: http://a}, {url: 'http://b/x', name: a}]",
            "registries: 'a'",
            "expected a name of its own for each registry",
            1,
        ),
    ],
)
def test_wrong_lists_in_the_file(file: Path, text: str, what: str, expected: str, line: int):
    """What is wrong with the list of registries is told with its line."""
    assert problems(file, text) == [f"{what}: {expected} (config.yml, line {line})"]


WRONG_IN_THE_FILE = [
    ("intervall: 5m", "intervall: '5m'", f"{KNOWN}; did you mean interval?"),
    ("registrys: 5", "registrys: 5", f"{KNOWN}; did you mean registries?"),
    ("metrics: {image_hosts: x}", "metrics.image_hosts: 'x'", f"{KNOWN}; did you mean image_host?"),
    ("5: x", "5: 'x'", KNOWN),
    ('"\\e[31m": 5', "'\\x1b[31m': 5", KNOWN),
    ("url: http://a", "url: 'http://a'", KNOWN),
    ("metrics: 5", "metrics: 5", "expected a mapping"),
    ("metrics: [5]", "metrics: a list", "expected a mapping"),
    ("metrics: {image_host: 'https://x'}", "metrics.image_host: 'https://x'", IMAGE_HOST),
    ("metrics: {image_host: x/Y}", "metrics.image_host: 'x/Y'", IMAGE_HOST),
    ("metrics: {image_host: 'x:1/'}", "metrics.image_host: 'x:1/'", IMAGE_HOST),
    (
        "metrics: {max_broken_info: -1}",
        "metrics.max_broken_info: -1",
        CONCURRENCY.replace("1 to 1000", "0 to 100000"),
    ),
    ("interval: 900", "interval: 900", DURATION),
    ("interval: 0s", "interval: '0s'", "expected a duration longer than 0s"),
    ("interval: 400d", "interval: '400d'", "expected a duration of at most 365d"),
    ("confirm_delay:", "confirm_delay: nothing", DURATION),
    ("confirm_delay: 2026-01-01", "confirm_delay: '2026-01-01'", DURATION),
    ("concurrency: 0", "concurrency: 0", CONCURRENCY),
    ("concurrency: true", "concurrency: true", CONCURRENCY),
    ("concurrency: 1.5", "concurrency: 1.5", CONCURRENCY),
    ("blob_check: body", "blob_check: 'body'", "expected auto, range or head"),
    ("kind: [private]", "kind: a list", "expected private or pull-through"),
    ("kind: {private: x}", "kind: a mapping", "expected private or pull-through"),
    ("kind: !!set {private}", "kind: a set", "expected private or pull-through"),
    ("log_level: off", "log_level: false", "expected debug, info, warning or error"),
    ("log_format: text", "log_format: 'text'", "expected console or json"),
    ("listen_address: 9949", "listen_address: 9949", PORT),
    ("listen_address: ':99999'", "listen_address: ':99999'", PORT),
    ("listen_address: '::1:80'", "listen_address: '::1:80'", ADDRESS),
    ("repositories: []", "repositories: a list", "expected a list of at least one repository"),
    ("repositories: [team/app, Team]", "repositories: 'Team'", REPOSITORIES),
    ("repositories: [2026-01-01, 5]", "repositories: '5'", REPOSITORIES),
    ("username: 'u:v'", "username: 'u:v'", "expected a user's name, without a colon"),
    ("username: 5", "username: 5", "expected a user's name, without a colon"),
    ("username: u", "username: 'u'", "expected a password_file or a password beside it"),
    ("password: p", "password: ***", "expected a username beside it"),
    (
        "password: 12345",
        "password: ***",
        "expected a text; one that looks like a number stands in quotes",
    ),
    ("password: ''", "password: ***", "expected one line of text that is not empty"),
    ('password: "a\\nb"', "password: ***", "expected one line of text that is not empty"),
    ("password_file: ''", "password_file: ''", "expected the path of a file"),
    ("password_file: [x]", "password_file: a list", "expected the path of a file"),
    (
        "password_file: none",
        "password_file: 'none'",
        "expected a file that can be read: No such file or directory",
    ),
]


@pytest.mark.parametrize(("text", "what", "expected"), WRONG_IN_THE_FILE)
def test_wrong_values_in_the_file(file: Path, text: str, what: str, expected: str):
    """What is wrong with a key is told once, however many registries it is for."""
    registries = "registries: [{url: http://a}, {url: http://b}]\n"
    assert problems(file, f"{registries}{text}\n") == [f"{what}: {expected} (config.yml, line 2)"]
    key = text.partition(":")[0]
    if (key,) in DEFAULT_PATHS or key == "metrics":
        own = f"registries:\n  - url: http://a\n    {text}\n"
        assert problems(file, own) == [f"registries.0.{what}: {expected} (config.yml, line 3)"]


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [
        ("name: 'a b'", "name: 'a b'", NAME),
        ("name: 5", "name: 5", NAME),
        ("listen_address: ':1'", "listen_address: ':1'", KNOWN),
        ("user: u", "user: 'u'", f"{KNOWN}; did you mean username?"),
        ("passwrod: p", "passwrod: ***", f"{KNOWN}; did you mean password?"),
        ("token: 5", "token: ***", f"{KNOWN}; did you mean token_hosts?"),
        (
            "username: u, password: p, password_file: x",
            "password: ***",
            "expected a password or a password_file, not both",
        ),
    ],
)
def test_wrong_values_of_a_registry(file: Path, text: str, what: str, expected: str):
    """What only a registry can have wrong."""
    told = problems(file, f"registries: [{{url: http://a, {text}}}]")
    assert told == [f"registries.0.{what}: {expected} (config.yml, line 1)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "expected a mapping of keys to values"),
        ("just text", "expected a mapping of keys to values"),
        (
            "interval: 5m\nregistries: []\ninterval: 6m",
            "expected YAML: interval stands in line 1 already, and again in line 3, column 1",
        ),
        (
            "registries:\n  a: {url: http://a}\n  a: {url: http://b}",
            "expected YAML: a stands in line 2 already, and again in line 3, column 3",
        ),
        ("a: [", "expected YAML: expected the node content, but found '<stream end>' in line 1, column 5"),
        ("a: b: c", "expected YAML: mapping values are not allowed here in line 1, column 5"),
        ("a: 1\n---\nb: 2", "expected YAML: but found another document in line 2, column 1"),
        ("? [a]\n: b", "expected YAML: found unhashable key in line 1, column 3"),
        ("a: &x [*x]", "expected YAML: found unconstructable recursive node in line 1, column 4"),
        (
            "password: !my-secret",
            "expected YAML: could not determine a constructor for the tag '***' in line 1, column 11",
        ),
        ("password: *my-secret", "expected YAML: found undefined alias '***' in line 1, column 11"),
        (
            "password: %my-secret",
            "expected YAML: found character '%' that cannot start any token in line 1, column 11",
        ),
        ("a: \x07", "expected YAML that can be read"),
        ("a: " + "[" * 5000, "expected YAML that can be read"),
        ("a: " + "1" * 5000, "expected YAML that can be read"),
    ],
    ids=str,
)
def test_what_is_no_configuration_file(file: Path, text: str, expected: str):
    """What is no YAML is told with its line, without a piece of the text, which may be secret."""
    assert problems(file, text) == [f"config: 'config.yml': {expected} (flag --config)"]


@pytest.mark.parametrize(
    ("url", "shown", "expected"),
    [
        ("localhost:5000", "localhost:5000", URL),
        ("ftp://a", "ftp://a", URL),
        ("https://", "https://", URL),
        ("https:///path", "https:///path", URL),
        ("https://a b", "https://a b", URL),
        ("https://a\n", "https://a\\n", URL),
        ("https://a:0", "https://a:0", URL),
        ("https://a:00", "https://a:00", URL),
        ("https://a:99999", "https://a:99999", URL),
        ("https://[::g]", "https://[::g]", URL),
        ("https://[::1", "https://[::1", URL),
        ("https://[fe80::1%25eth0]", "https://[fe80::1%25eth0]", URL),
        ("", "", URL),
        ("https://a/b?", "https://a/b?***", "expected an address without a query or a fragment"),
        (
            f"https://a/b?token={SECRET}",
            "https://a/b?***",
            "expected an address without a query or a fragment",
        ),
        ("https://a/b#c", "https://a/b#***", "expected an address without a query or a fragment"),
        (f"https://u:?{SECRET}@b", "https://***", "expected an address without a query or a fragment"),
        ("https://a/../b", "https://a/../b", "expected an address with a plain path, or with none"),
        ("https://a//b", "https://a//b", "expected an address with a plain path, or with none"),
        ("https://a/%2e", "https://a/%2e", "expected an address with a plain path, or with none"),
        (f"https://user:{SECRET}@host", "https://***@host", NO_USER),
        (f"https://user:/@{SECRET}@host/x", "https://***@host/x", NO_USER),
        (f"user:{SECRET}@host", "***@host", URL),
        (f"user:{SECRET}://{SECRET}@host", "***@host", URL),
    ],
)
def test_wrong_addresses(url: str, shown: str, expected: str):
    """What is no address of a registry is refused; what may be secret in it is not shown."""
    assert problems(registries=[f"a={url}"]) == [f"registries.0.url: '{shown}': {expected} (flag --registry)"]


@pytest.mark.parametrize(
    ("variable", "value", "what", "expected"),
    [
        ("INTERVALL", "5m", "intervall: '5m'", f"{KNOWN}; did you mean interval?"),
        ("METRICS__IMAGEHOST", "x", "metrics.imagehost: 'x'", f"{KNOWN}; did you mean image_host?"),
        ("FOO", "bar", "foo: 'bar'", KNOWN),
        ("interval", "5m", "interval: '5m'", f"{KNOWN}; did you mean interval?"),
        ("PASSWRD", SECRET, "passwrd: ***", f"{KNOWN}; did you mean password?"),
        ("PORT", "9949", "port: '9949'", KNOWN),
        ("", "x", "'': 'x'", KNOWN),
        ("INTERVAL", "5", "interval: '5'", DURATION),
        ("CONCURRENCY", "1001", "concurrency: '1001'", CONCURRENCY),
        ("CONCURRENCY", "\N{ARABIC-INDIC DIGIT THREE}", "concurrency: '\\u0663'", CONCURRENCY),
        ("REPOSITORIES", "[", "repositories: '['", "expected JSON: Expecting value at character 1"),
        ("REPOSITORIES", ",", "repositories: ','", "expected a list of at least one repository"),
        ("REGISTRIES__B__INTERVAL", "5m", "registries.b.interval: '5m'", LISTED),
        ("REGISTRIES__1__PASSWORD", SECRET, "registries.1.password: ***", LISTED),
        (
            "REGISTRIES__A__INTERVALL",
            "5m",
            "registries.a.intervall: '5m'",
            f"{KNOWN}; did you mean interval?",
        ),
        (
            "REGISTRIES__PASSWORD",
            SECRET,
            "registries.password: ***",
            f"{KNOWN}; did you mean password?",
        ),
        ("REGISTRIES__A__INTERVAL", "5", "registries.a.interval: '5'", DURATION),
    ],
)
def test_wrong_variables(variable: str, value: str, what: str, expected: str):
    """What is wrong with a variable is told with the variable."""
    told = problems(registries=["a=http://a"], environment={variable: value})
    assert told == [f"{what}: {expected} (variable {PREFIX}{variable})"]


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [
        ("x", "registries.0.url: 'x'", URL),
        ("=http://a", "registries.0.url: '=http://a'", URL),
        (
            f'[{{"password": "{SECRET}"]',
            "registries: ***",
            f"{JSON}: Expecting ',' delimiter at character 44",
        ),
        ("[" * 100_000, "registries: ***", f"{JSON} that can be read"),
        ("[" + "1" * 5000 + "]", "registries: ***", f"{JSON} that can be read"),
        ('{"a": {}, "a": {}}', "registries: ***", f"{JSON} with each key once, but 'a' stands twice"),
        ('["http://a"]', "registries.0: 'http://a'", REGISTRY),
        (
            '[{"url": "http://a", "pasword": 5}]',
            "registries.0.pasword: ***",
            f"{KNOWN}; did you mean password?",
        ),
    ],
    ids=str,
)
def test_wrong_lists_in_the_variable(text: str, what: str, expected: str):
    """What is wrong with the list of registries is told without the list, which may hold passwords."""
    told = problems(environment={"REGISTRIES": text})
    assert told == [f"{what}: {expected} (variable {PREFIX}REGISTRIES)"]


def test_a_variable_that_may_mean_two():
    """Two names that are spelled alike in a variable have positions."""
    registries = ["a.b=http://a", "a-b=http://b"]
    assert problems(registries=registries, environment={"REGISTRIES__A_B__INTERVAL": "1h"}) == [
        f"registries.a_b.interval: '1h': {SEVERAL} (variable {PREFIX}REGISTRIES__A_B__INTERVAL)"
    ]
    settings = load(registries=registries, environment={"REGISTRIES__1__INTERVAL": "1h"})
    assert [one.interval for one in settings.registries] == [900.0, 3600.0]


def test_registries_of_one_name():
    """Two registries with the name of their host are told apart by nothing."""
    assert problems(registries=["https://a/x", "https://a/y"]) == [
        "registries: 'a': expected a name of its own for each registry (flag --registry)"
    ]


def test_all_problems_are_told_at_once(file: Path):
    """One run shows all of them; a wrong value for all registries is told once, not once for each."""
    told = problems(
        file,
        "timeout: soon\nregistries:\n  a: {url: http://a, kind: none}\n  b: {url: nowhere}\n",
        environment={"CONCURRENCY": "many", "TIMOUT": "1s"},
        interval="never",
    )
    assert told == [
        f"timout: '1s': {KNOWN}; did you mean timeout? (variable {PREFIX}TIMOUT)",
        f"interval: 'never': {DURATION} (flag --interval)",
        f"concurrency: 'many': {CONCURRENCY} (variable {PREFIX}CONCURRENCY)",
        f"timeout: 'soon': {DURATION} (config.yml, line 1)",
        "registries.a.kind: 'none': expected private or pull-through (config.yml, line 3)",
        f"registries.b.url: 'nowhere': {URL} (config.yml, line 4)",
    ]


def test_files_that_cannot_be_read(file: Path):
    """A file that is not there, or is a folder, or is no text, is named."""
    unreadable = "expected a file that can be read: No such file or directory (flag --config)"
    assert problems(file) == [f"config: 'config.yml': {unreadable}"]
    long = Path("/not/there") / ("x" * 200)
    assert problems(long) == [f"config: '{long}': {unreadable}"]
    file.write_bytes(b"\xff\xfe")
    assert problems(file) == ["config: 'config.yml': expected a file of UTF-8 text (flag --config)"]
    with pytest.raises(ConfigurationError, match=": expected a file that can be read: Is a directory "):
        load_settings({}, file.parent, {})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", LINE),
        (b"\n", LINE),
        (f"{SECRET}\n{SECRET}\n".encode(), LINE),
        (SECRET.encode() * 10_000, LINE),
        (SECRET.encode() + b"\xff", "expected a file of UTF-8 text"),
    ],
)
def test_wrong_password_files(file: Path, content: bytes, expected: str):
    """What cannot be a password is refused, naming the file and showing nothing of it."""
    (file.parent / "password").write_bytes(content)
    text = "registries: {a: {url: http://a, username: u, password_file: password}}"
    assert problems(file, text) == [
        f"registries.a.password_file: 'password': {expected} (config.yml, line 1)"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "EXPORTER_SERVICE_HOST",
        "EXPORTER_SERVICE_PORT",
        "EXPORTER_SERVICE_PORT_METRICS",
        "EXPORTER_PORT",
        "EXPORTER_PORT_9949_TCP",
        "EXPORTER_PORT_9949_TCP_PROTO",
        "EXPORTER_PORT_9949_TCP_PORT",
        "EXPORTER_PORT_9949_TCP_ADDR",
        "EXPORTER_HEADLESS_SERVICE_HOST",
        "SERVICE_HOST",
        "PORT",
        "PORT_9949_TCP_ADDR",
    ],
)
def test_what_kubernetes_adds_is_no_mistake(name: str):
    """A Service named after the program tells all pods where it is."""
    value = (
        "tcp://10.0.0.1:9949"
        if name.endswith("PORT") and "TCP" not in name and "SERVICE" not in name
        else "x"
    )
    assert load(registries=["http://a"], environment={name: value}) == load(registries=["http://a"])


def test_empty_variables_are_not_set():
    """A variable that a template left empty changes nothing; a misspelled one is still misspelled."""
    environment = {
        "REGISTRIES": "",
        "INTERVAL": "",
        "REGISTRIES__A__PASSWORD": " ",
        "METRICS__IMAGE_HOST": "",
    }
    assert load(registries=["a=http://a"], environment=environment) == load(registries=["a=http://a"])
    assert len(problems(registries=["a=http://a"], environment={"INTERVALL": ""})) == 1


def test_merged_mappings_are_no_repetition(file: Path):
    """YAML's own way to share keys works; what it overrides stands once in each place."""
    text = """
    registries:
      a: &common {url: https://a.example, interval: 1h, kind: pull-through}
      b: {<<: *common, url: https://b.example}
    """
    a, b = load(file, text).registries
    assert (b.url, b.interval, b.kind) == ("https://b.example", a.interval, a.kind)


secrets = st.text(alphabet="abcdefgXYZ0123456789!%&*@#:'\"\\{[|>-", min_size=8, max_size=20)


@given(
    secrets, st.sampled_from(["password", "passwd", "paswd", "pw", "token", "auth", "secret"]), st.booleans()
)
def test_no_error_shows_a_secret(
    tmp_path_factory: pytest.TempPathFactory, secret: str, key: str, quoted: bool
):
    """However a password is misspelled, misquoted or misplaced, the error does not show it."""
    file = tmp_path_factory.mktemp("config") / "config.yml"
    written = json.dumps(secret) if quoted else secret
    file.write_text(
        f"registries:\n  a:\n    url: bad\n    username: u\n    {key}: {written}\n    {key}2: x\n"
    )
    environment = {
        f"{PREFIX}REGISTRIES__A__{key.upper()}": secret,
        f"{PREFIX}REGISTRIES__B__PASSWORD": secret,
        f"{PREFIX}{key.upper()}": secret,
        f"{PREFIX}REGISTRIES": f'[{{"url": "a", "{key}": {json.dumps(secret)}}}, x]',
    }
    for variables in ({}, environment):
        for flags in ({}, {"registries": [f"http://u:{secret}@x", f"u:{secret}@x", f"http://x?{secret}"]}):
            with pytest.raises(ConfigurationError) as caught:
                load_settings(flags, file, variables)
            told = str(caught.value)
            assert secret not in told
            assert not any(word in told for word in re.findall("[a-zA-Z0-9]{8,}", secret))


def test_models_refuse_what_they_do_not_know():
    """Also without the loader, an unknown key is an error and no error shows a value."""
    with pytest.raises(ValidationError) as caught:
        RegistrySettings(url="http://a", pasword=SECRET)
    assert SECRET not in str(caught.value)


# The page


def test_the_examples_of_the_page_are_right(file: Path):
    """What the documentation shows can be loaded."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    example, selection = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets" / "registry-password").write_text(SECRET)
    private, cache = load(file, example).registries
    assert private.credentials == Credentials("exporter", SECRET)
    assert (private.interval, private.metrics.image_host) == (600.0, "images.example.com")
    assert (cache.kind, cache.repositories.names) == (
        RegistryKind.PULL_THROUGH,
        ("library/alpine", "library/debian"),
    )
    (selected,) = load(file, selection).registries
    assert len(selected.overrides) == 2
    assert [str(entry.rule) for entry in selected.ignore] == ["team/legacy:v0.* missing until 2026-12-31"]
