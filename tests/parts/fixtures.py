"""The fixtures that tests share: each a factory whose products are stopped, all of them, after the test."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.parts.alertmanager import Alertmanager
from tests.parts.certificates import Authority
from tests.parts.nginx import Nginx
from tests.parts.programs import find_program
from tests.parts.prometheus import Prometheus
from tests.parts.pushgateway import Pushgateway
from tests.parts.set_answers import Answers, SetAnswers
from tests.parts.webhook import WebhookReceiver


class StartRegistry(Protocol):
    def __call__(
        self,
        *,
        cache: bool = False,
        delete: bool = True,
        more: Mapping[str, Any] | None = None,
        client_certificate: Path | None = None,
    ) -> DockerRegistry: ...


class StartPrometheus(Protocol):
    def __call__(
        self,
        targets: Mapping[str, Sequence[str]],
        *,
        rules: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
        **options: Any,
    ) -> Prometheus: ...


class StartAlertmanager(Protocol):
    def __call__(self, webhook: str, **options: Any) -> Alertmanager: ...


class StartPushgateway(Protocol):
    def __call__(self) -> Pushgateway: ...


class StartAnswers(Protocol):
    def __call__(self, answers: Answers) -> SetAnswers: ...


class StartNginx(Protocol):
    def __call__(self, body: str, *, http: str = "", tls: tuple[Path, Path] | None = None) -> Nginx: ...


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts yet."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """What the test has running: closed in reverse order at its end, whatever happened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start_registry(running: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> StartRegistry:
    """Start a docker-registry with an empty storage of its own; see sample.registry."""

    def start(
        *,
        cache: bool = False,
        delete: bool = True,
        more: Mapping[str, Any] | None = None,
        client_certificate: Path | None = None,
    ) -> DockerRegistry:
        registry = DockerRegistry(
            tmp_path_factory.mktemp("registry"),
            RegistryOptions(cache, delete, more or {}, client_certificate),
            InstalledRegistry(find_program("docker-registry")),
        )
        return running.enter_context(registry)

    return start


@pytest.fixture
def start_prometheus(running: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> StartPrometheus:
    """Start a Prometheus; see tests.parts.prometheus."""

    def start(targets: Mapping[str, Sequence[str]], **options: Any) -> Prometheus:
        return running.enter_context(Prometheus(tmp_path_factory.mktemp("prometheus"), targets, **options))

    return start


@pytest.fixture
def start_alertmanager(running: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> StartAlertmanager:
    """Start an Alertmanager that sends to a webhook; see tests.parts.alertmanager."""

    def start(webhook: str, **options: Any) -> Alertmanager:
        return running.enter_context(
            Alertmanager(tmp_path_factory.mktemp("alertmanager"), webhook, **options)
        )

    return start


@pytest.fixture
def start_pushgateway(running: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> StartPushgateway:
    """Start a Pushgateway."""
    return lambda: running.enter_context(Pushgateway(tmp_path_factory.mktemp("pushgateway")))


@pytest.fixture
def start_nginx(running: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> StartNginx:
    """Start an nginx; see tests.parts.nginx."""

    def start(body: str, *, http: str = "", tls: tuple[Path, Path] | None = None) -> Nginx:
        return running.enter_context(Nginx(tmp_path_factory.mktemp("nginx"), body, http=http, tls=tls))

    return start


@pytest.fixture
def webhook(running: ExitStack) -> WebhookReceiver:
    """A receiver of webhooks, listening."""
    return running.enter_context(WebhookReceiver())


@pytest.fixture
def start(running: ExitStack) -> StartAnswers:
    """Start a registry of set answers; see tests.parts.set_answers."""
    return lambda answers: running.enter_context(SetAnswers(answers))
