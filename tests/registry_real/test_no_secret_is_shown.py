"""The whole program, at its most talkative, against registries that let it in and registries that do not."""

import asyncio
import base64
import json
import os
from pathlib import Path

import httpx
import yaml

from exporter.registry import Credentials
from tests.parts.certificates import Authority
from tests.parts.exporter import Exporter, run
from tests.parts.fixtures import StartRegistry
from tests.parts.token_service import TokenService
from tests.parts.waiting import wait_until
from tests.registry_real.test_htpasswd import Htpasswd
from tests.registry_real.walking import put

PASSWORD = "p4ss'w\"ö rd$"
WRONG = "wr0ng-0ne"
IDENTITY = "1dentity-t0ken"
HELPED = "h3lped-0ut"
IN_ADDRESS = "1n-the-address"
SECRETS = (PASSWORD, WRONG, IDENTITY, HELPED, IN_ADDRESS)


def spellings(*secrets: str) -> set[str]:
    """What would give a secret away: itself, as a header, in JSON and in Python."""
    pairs = {Credentials("ann", secret).basic.removeprefix("Basic ") for secret in secrets}
    written = {text for secret in secrets for text in (json.dumps(secret)[1:-1], repr(secret)[1:-1])}
    return {*secrets, *pairs, *written}


async def test_program_shows_no_secret_at_debug_level(
    tokens: TokenService, start_registry: StartRegistry, authority: Authority, tmp_path: Path
):
    """Nor do metrics, page, a probe's document, `check-config`, or complaints about wrong settings."""
    tokens.users, tokens.identity_tokens = {"ann": PASSWORD}, {IDENTITY: "ann"}
    tokens.lifetime = 2.0
    users = Htpasswd(tmp_path / "htpasswd")
    users.set("ann", PASSWORD)
    behind_password, behind_tokens = (
        start_registry(more=users.options),
        start_registry(more=tokens.registry_options),
    )
    for registry in (behind_password, behind_tokens):
        put(registry)
    for name, secret in (("right", PASSWORD), ("wrong", WRONG)):
        (tmp_path / name).write_text(f"{secret}\n")
    auth = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    for name, entry in {
        "password.json": {"auth": auth},
        "identity.json": {"identitytoken": IDENTITY},
        "refused.json": {"identitytoken": WRONG},
    }.items():
        (tmp_path / name).write_text(json.dumps({"auths": {behind_tokens.host: entry}}))
    (tmp_path / "helper.json").write_text(json.dumps({"credHelpers": {behind_password.host: "of-tests"}}))
    helper = tmp_path / "docker-credential-of-tests"
    answer = json.dumps({"Username": "ann", "Secret": HELPED})
    helper.write_text(f"#!/bin/sh\necho '{HELPED} is what I know' >&2\necho '{answer}'\n")
    helper.chmod(0o700)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    certified = authority.issue("exporter.example")
    registries = [
        {"url": behind_password.url, "username": "ann", "password_file": "right"},
        {"url": behind_password.url, "username": "ann", "password_file": "wrong"},
        {"url": behind_tokens.url, "username": "ann", "password_file": "right"},
        {"url": behind_tokens.url, "username": "ann", "password_file": "wrong"},
        {"url": behind_tokens.url, "docker_config": "password.json"},
        {"url": behind_tokens.url, "docker_config": "identity.json"},
        {"url": behind_tokens.url, "docker_config": "refused.json"},
        {"url": "http://127.0.0.1:1", "username": "ann", "password_file": "right"},
        {"url": behind_password.url, "docker_config": "helper.json"},
        {"url": "https://127.0.0.1:1", "client_certificate_file": str(certified.both)},
    ]
    config = tmp_path / "config.yml"
    config.write_text(
        yaml.safe_dump({"registries": [{"name": f"r{n}", **one} for n, one in enumerate(registries)]})
    )
    arguments = (f"--config={config}", "--log-level=debug")

    exporter = await asyncio.to_thread(Exporter, tmp_path, *arguments, environment=environment)
    with exporter:
        await exporter.wait_for_cycles(2 * len(registries))
        # Quick registries have many cycles while a slow one has its first.
        await wait_until(
            lambda: exporter.samples("catalog_accessible"),
            lambda samples: len(samples) == len(registries),
            60.0,
            what="a cycle of every registry",
        )
        accessible = {
            sample.labels["registry"]: sample.value for sample in await exporter.samples("catalog_accessible")
        }
        async with httpx.AsyncClient(base_url=exporter.url, trust_env=False) as client:
            shown = [(await client.get(path)).text for path in ("/metrics", "/")]
    status, probed = await asyncio.to_thread(
        run, "probe", "--output=json", *arguments, folder=tmp_path, environment=environment
    )
    checked, printed = await asyncio.to_thread(run, "check-config", *arguments, folder=tmp_path)
    in_address = f"--registry=http://ann:{IN_ADDRESS}@{behind_password.host}"
    unwanted, objections = await asyncio.to_thread(run, "probe", in_address, folder=tmp_path)
    (tmp_path / "refused.json").write_text(f'{{"auths": {{"{behind_tokens.host}": {{"auth": "{WRONG}"')
    (tmp_path / "right").write_text(f"{PASSWORD}\n{PASSWORD}\n")
    refused, complaints = await asyncio.to_thread(run, "probe", *arguments, folder=tmp_path)

    assert accessible == {f"r{n}": float(n in {0, 2, 4, 5}) for n in range(10)}
    assert (status, checked, unwanted, refused) == (3, 0, 2, 2)
    said = "\n".join([*shown, *exporter.process.lines, *probed, *printed, *objections, *complaints])
    assert len(tokens.given) > 10
    assert "refused.json" in said
    key = [line for line in certified.key.read_text().splitlines() if "-----" not in line]
    assert [secret for secret in spellings(*SECRETS) | {*tokens.given, *key} if secret in said] == []
