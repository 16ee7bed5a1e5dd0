"""The credentials that other tools have left on this machine."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from exporter.registry import CredentialSource, DockerConfig, FirstFound, NoCredentials, is_loopback
from exporter.settings import RegistrySettings, secrets_of_docker_config


@dataclass(frozen=True, slots=True)
class Logins:
    """Files of the form of a Docker `config.json`, of which the first that knows a registry counts."""

    files: tuple[Path, ...]

    def credentials_for(self, registry: RegistrySettings) -> CredentialSource:
        """Give a registry's own credentials, else what is in the files.

        Those nobody has meant for this program, so they do not go over a network as they are.
        """
        address = urlsplit(registry.url)
        private = address.scheme == "https" or is_loopback(address.hostname or "")
        if not private or not isinstance(registry.credential_source, NoCredentials):
            return registry.credential_source
        return FirstFound(tuple(DockerConfig.for_registry(file, registry.url) for file in self.files))

    @property
    def secrets(self) -> frozenset[str]:
        """What of the files must never be logged."""
        secrets: set[str] = set()
        for file in self.files:
            with suppress(ValueError):  # what is wrong with it is told where it is needed
                secrets |= secrets_of_docker_config(file, "docker_config")
        return frozenset(secrets)


def find_logins(environment: Mapping[str, str], home: Path) -> Logins:
    """Find the files in which `docker login` and `podman login` leave credentials, Docker's first."""
    files = [Path(environment["REGISTRY_AUTH_FILE"])] if environment.get("REGISTRY_AUTH_FILE") else []
    files.append(Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json")
    folders = (environment.get("XDG_RUNTIME_DIR"), environment.get("XDG_CONFIG_HOME") or home / ".config")
    files += [Path(folder) / "containers" / "auth.json" for folder in folders if folder]
    return Logins(tuple(file for file in dict.fromkeys(files) if file.exists()))
