"""The effective configuration: what counts, and where it came from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.registry import NoCredentials
from exporter.settings import load_configuration, render_effective
from exporter.settings import models as settings_models
from exporter.settings.given import DEFAULT_PATHS, KeyPath
from tests.program.loading import PREFIX, SECRET, load
from tests.program.test_settings import WRITTEN, complete

IGNORED = "ignore: [{tag: x, until: '2027-01-01', comment: 'known: # or so'}]"


def effective(file: Path | None, environment: Mapping[str, str] | None = None, /, **flags: Any) -> str:
    variables = {f"{PREFIX}{name}": value for name, value in (environment or {}).items()}
    return render_effective(load_configuration(flags, file, variables))


def test_it_is_written_whole(file: Path):
    """Each key has its line, with its value and its origin; secrets are masked, a password's file is not."""
    (file.parent / "pw").write_text(SECRET)
    file.write_text(
        f"""\
interval: 1h
ignore: [{{tag: x, until: 2027-01-01, comment: "known: # or so"}}]
registries:
  one:
    url: https://one.example
    username: u
    password: {SECRET}
    repositories: [team/app, base]
    platforms: {{m/*: [linux/amd64]}}
  two:
    {{url: https://two.example, username: u, password_file: pw, tags: {{include: ["*"]}}}}
"""
    )
    variables = {"TIMEOUT": "3s", "REGISTRIES__TWO__CONCURRENCY": "4"}
    written = effective(file, variables, log_level="debug")
    assert SECRET not in written
    head, one, two = written.split("  - ")
    program = [line for line in head.splitlines() if not line.endswith((":", "# default"))]
    assert program == ["log_level: debug  # flag --log-level"]
    assert head.startswith("log_level")
    assert head.endswith("\nregistries:\n")
    assert one.splitlines() == [
        "name: one  # config.yml, line 4",
        "    url: 'https://one.example'  # config.yml, line 5, key registries.one.url",
        "    kind: private  # default",
        "    interval: 1h  # config.yml, line 1, key interval",
        "    concurrency: 16  # default",
        "    requests_per_second: null  # default",
        "    timeout: 3s  # variable REGISTRY_INTEGRITY_TIMEOUT",
        "    catalog_timeout: 1m  # default",
        "    confirm_delay: 5s  # default",
        "    suspect_delay: 1m  # default",
        "    refetch_interval: 1d  # default",
        "    manifest_cache_size: 500000  # default",
        "    blob_check: auto  # default",
        "    repositories: [team/app, base]  # config.yml, line 8, key registries.one.repositories",
        "    tags:",
        "      include: null  # default",
        "      exclude: null  # default",
        "    images: null  # default",
        "    overrides: null  # default",
        f"    {IGNORED}  # config.yml, line 2, key ignore",
        "    platforms: {m/*: [linux/amd64]}  # config.yml, line 9, key registries.one.platforms",
        "    username: u  # config.yml, line 6, key registries.one.username",
        "    password_file: null  # default",
        "    password: '***'  # config.yml, line 7, key registries.one.password",
        "    docker_config: null  # default",
        "    cloud: null  # default",
        "    token_hosts: null  # default",
        "    ca_file: null  # default",
        "    client_certificate_file: null  # default",
        "    client_key_file: null  # default",
        "    insecure_skip_verify: false  # default",
        "    metrics:",
        "      image_host: null  # default",
        "      max_broken_info: 200  # default",
        "      per_repository: all  # default",
    ]
    differing = [line for line in two.splitlines() if not line.endswith("# default")]
    assert differing == [
        "name: two  # config.yml, line 10",
        "    url: 'https://two.example'  # config.yml, line 11, key registries.two.url",
        "    interval: 1h  # config.yml, line 1, key interval",
        "    concurrency: 4  # variable REGISTRY_INTEGRITY_REGISTRIES__TWO__CONCURRENCY",
        "    timeout: 3s  # variable REGISTRY_INTEGRITY_TIMEOUT",
        "    repositories:",
        "    tags:",
        "      include: ['*']  # config.yml, line 11, key registries.two.tags.include",
        f"    {IGNORED}  # config.yml, line 2, key ignore",
        "    username: u  # config.yml, line 11, key registries.two.username",
        "    password_file: pw  # config.yml, line 11, key registries.two.password_file",
        "    metrics:",
    ]
    assert "    password:" not in two


@pytest.mark.parametrize("path", DEFAULT_PATHS, ids=".".join)
def test_it_can_be_loaded_and_means_the_same(
    path: KeyPath, file: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whatever is set, what is written has the value and the source, and loaded again is what was loaded."""
    for name in ("a", "b", "c"):
        (file.parent / f"{name}.txt").write_text(f"{SECRET}\n")
        (file.parent / f"{name}.json").write_text("{}")
        (file.parent / f"{name}.pem").write_bytes(certificate.read_bytes())
    monkeypatch.setattr(settings_models, "cloud_credentials", lambda _provider, _url: NoCredentials())
    name = "__".join(path).upper()
    for value in WRITTEN[path]:
        environment = complete(path, {name: value})
        written = effective(None, environment, registries=["http://a", "b=http://b"])
        assert written.count(f"  # variable {PREFIX}{name}\n") == 2
        again = load(file, written)
        expected = load(registries=["http://a", "b=http://b"], environment=environment)
        assert [registry.model_dump(mode="json") for registry in again.registries] == [
            registry.model_dump(mode="json") for registry in expected.registries
        ]


def test_empty_list_of_repositories_stays_one(file: Path):
    """It means that only images are walked, which is not what no list means."""
    image = f"team/app@sha256:{'0' * 64}"
    text = f"registries: [{{url: http://a, repositories: [], images: ['{image}'], requests_per_second: 0.5}}]"
    settings = load(file, text)
    assert load(file, effective(file)) == settings


def test_no_line_is_broken_by_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A path may hold a line's end, or what begins a comment; a file's own name too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a\nb # c").write_text("{}")
    file = Path("con\nfig.yml")
    file.write_text('registries: [{url: http://a, docker_config: "a\\nb # c"}]')
    written = effective(file)
    (line,) = [line for line in written.splitlines() if "docker_config" in line]
    assert line == (
        '    docker_config: "a\\nb # c"  # con\\x0afig.yml, line 1, key registries.0.docker_config'
    )
    assert load(tmp_path / "again.yml", written).registries[0].docker_config == Path(tmp_path / "a\nb # c")
