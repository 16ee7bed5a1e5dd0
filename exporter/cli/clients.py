"""From the settings of a registry to what asks it."""

from contextlib import AbstractAsyncContextManager

import structlog

from exporter.integrity import CycleOptions, Shard
from exporter.registry import CredentialSource, Proxies, RegistryClient, RequestObserver, open_client
from exporter.settings import RegistrySettings

_log = structlog.get_logger()


def open_registry(
    registry: RegistrySettings,
    proxies: Proxies,
    *,
    credentials: CredentialSource | None = None,
    observer: RequestObserver | None = None,
) -> AbstractAsyncContextManager[RegistryClient]:
    """Open a client; `credentials` are the registry's own, unless given."""
    if registry.shows_credentials_to_anyone:
        _log.warning(
            "credentials go over the network as they are: the registry is not spoken to over https",
            registry=registry.name,
            url=registry.url,
        )
    return open_client(
        registry.url,
        timeout=registry.timeout,
        catalog_timeout=registry.catalog_timeout,
        concurrency=registry.concurrency,
        credentials=credentials or registry.credential_source,
        token_hosts=registry.token_hosts,
        transport_options=registry.transport_options(proxies),
        requests_per_second=registry.requests_per_second,
        observer=observer,
    )


def options_of(registry: RegistrySettings, shard: Shard | None = None) -> CycleOptions:
    """Tell how a registry's cycles are to be."""
    return CycleOptions(
        concurrency=registry.concurrency,
        confirm_delay=registry.confirm_delay,
        suspect_delay=registry.suspect_delay,
        refetch_interval=registry.refetch_interval,
        manifest_cache_size=registry.manifest_cache_size,
        blob_check=registry.blob_check,
        repositories=registry.repositories.names,
        repository_filter=registry.repositories.filter,
        tags=registry.tags.filter,
        images=registry.images,
        overrides=tuple(entry.override for entry in registry.overrides),
        ignore=tuple(entry.rule for entry in registry.ignore),
        platforms=registry.platforms,
        shard=shard,
    )
