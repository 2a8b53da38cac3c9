"""Keys, tokens and certificates.

The servers' leeway of 10 min lets tokens begin that have ended, so no test has to be fast: with a long grace such a
client must renew its token, with none it is cut within a second.
"""

import asyncio
import contextlib
import json
import os
import ssl
import subprocess

import pytest
from apus_e2e import environment
from certificates import authority
from conftest import running

import apus

KEY = "boss-key"


class Guarded:
    """A server that asks for credentials, with a key for the test itself and tokens for clients."""

    def __init__(self, server, secret):
        self.server, self._secret = server, secret

    @property
    def url(self):
        return self.server.url

    def mint(self, expires="1h", sub="ann", allow="*:>"):
        return subprocess.run(
            [os.environ["APUS_BIN"], "token", "mint", "--key-file", self._secret, "--alg", "HS256", "--sub", sub,
             "--expires", expires, "--allow", allow],
            env=environment(), check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    def boss(self):
        return apus.Client(self.url, api_key=KEY)


@contextlib.asynccontextmanager
async def guarded(tmp_path, grace):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    keys = json.dumps([{"alg": "HS256", "file": str(secret)}])
    async with running(
        "--api-key", KEY, "--tokens-keys", keys, "--token-grace", grace, "--token-leeway", "10m"
    ) as server:
        yield Guarded(server, secret)


async def test_a_key_and_a_token_are_taken_and_wrong_ones_end_the_client(tmp_path, topic):
    async with guarded(tmp_path, "60s") as server:
        async with server.boss() as boss:
            await boss.topics.create(topic)
            await boss.publish(topic, 1)
        async with apus.Client(server.url, token=server.mint()) as client:
            assert (await anext(client.subscribe(topic, since="all"))).payload == 1
        for options in ({"api_key": "wrong"}, {"token": "wrong"}):
            with pytest.raises(apus.Unauthorized):
                async with apus.Client(server.url, **options):
                    pass
            with pytest.raises(apus.Unauthorized):
                await apus.Client(server.url, **options).topics.list()


async def test_what_is_not_allowed_is_refused_alone(tmp_path, topic):
    async with guarded(tmp_path, "60s") as server, server.boss() as boss:
        await boss.topics.create(topic)
        async with apus.Client(server.url, token=server.mint(allow=f"subscribe:{topic}")) as client:
            with pytest.raises(apus.Forbidden):
                await client.publish(topic, 1)
            async with client.subscribe(topic) as subscription:
                await boss.publish(topic, 2)
                assert (await anext(subscription)).payload == 2


async def test_a_token_that_ends_is_renewed_on_the_open_connection(tmp_path, topic, changes):
    calls, renewed, seen = [], asyncio.Event(), changes()

    async with guarded(tmp_path, "600s") as server, server.boss() as boss:
        await boss.topics.create(topic)

        async def token():
            calls.append(1)
            if len(calls) < 2:
                return server.mint("1s")
            renewed.set()
            return server.mint("1h")

        async with apus.Client(server.url, token=token, on_state=seen) as client:
            subscription = client.subscribe(topic)
            await subscription.ready()
            await renewed.wait()
            await boss.publish(topic, 1)
            assert (await anext(subscription)).payload == 1
    assert {change.state for change in seen._seen} == {"connecting", "open", "closed"}


async def test_a_token_that_has_ended_is_replaced_and_nothing_is_lost(tmp_path, topic, connect, changes):
    notices, seen, is_lost = [], changes(), asyncio.Event()
    async with guarded(tmp_path, "0s") as server, server.boss() as boss:
        await boss.topics.create(topic)
        ending = server.mint("1s")

        def token():
            return server.mint("1h") if is_lost.is_set() else ending

        async with connect(server.url, token=token, on_state=seen) as client:
            subscription = client.subscribe(topic, on_notice=notices.append)
            await subscription.ready()
            await boss.publish(topic, 1)
            await seen.until("waiting", "subscribe")
            is_lost.set()
            await boss.publish(topic, 2)
            assert [(await anext(subscription)).payload for _ in range(2)] == [1, 2]
    assert notices == []


async def test_a_token_that_has_ended_ends_a_client_without_another(tmp_path, topic):
    async with guarded(tmp_path, "0s") as server, server.boss() as boss:
        await boss.topics.create(topic)
        async with apus.Client(server.url, token=server.mint("1s")) as client:
            with pytest.raises(apus.Unauthorized) as caught:
                await anext(client.subscribe(topic))
            assert caught.value.code == "TOKEN_EXPIRED"
            with pytest.raises(apus.Unauthorized):
                await client.publish(topic, 1)


async def test_a_provider_that_fails_is_asked_again_and_reported(tmp_path, topic, connect):
    errors, calls = [], []
    async with guarded(tmp_path, "60s") as server, server.boss() as boss:
        await boss.topics.create(topic)

        def token():
            calls.append(1)
            if len(calls) == 1:
                raise OSError("the session service is away")
            return "no spaces please" if len(calls) == 2 else server.mint()

        async with connect(server.url, token=token, require_connection=False, on_error=errors.append) as client:
            assert (await client.publish(topic, 1)).offset == 1
    assert [error.code for error in errors] == ["TOKEN_UNAVAILABLE"] * 2
    assert "the session service is away" in str(errors[0])


async def test_a_provider_without_tokens_ends_the_client(tmp_path, topic, connect):
    def token():
        raise apus.Unauthorized("UNAUTHORIZED", "logged out")

    async with guarded(tmp_path, "60s") as server:
        with pytest.raises(apus.Unauthorized, match="logged out"):
            async with connect(server.url, token=token):
                pass


async def test_a_provider_whose_tokens_are_refused_five_times_ends_the_client(tmp_path, connect):
    async with guarded(tmp_path, "60s") as server:
        calls = []
        async with connect(
            server.url, token=lambda: calls.append(1) or "wrong", require_connection=False, on_error=lambda error: None
        ) as client:
            with pytest.raises(apus.Unauthorized):
                await client.publish("t", 1)
        assert len(calls) == 5


async def test_revocation_ends_the_client(tmp_path, topic):
    async with guarded(tmp_path, "60s") as server, server.boss() as boss:
        await boss.topics.create(topic)
        async with apus.Client(server.url, token=server.mint(sub="eve")) as client:
            subscription = client.subscribe(topic)
            await subscription.ready()
            await boss.request("POST", "/revocations", {"sub": "eve"})
            with pytest.raises(apus.Unauthorized) as caught:
                await anext(subscription)
            assert caught.value.code == "REVOKED"


async def test_an_authority_of_ones_own_vouches_for_the_server(topic):
    pair = authority().local()
    async with running(*pair.flags, tls=authority().context()) as server:
        url = server.url
        async with apus.Client(url, ca=authority().certificate) as client:
            await client.topics.create(topic)
            await client.publish(topic, 1)
            assert (await anext(client.subscribe(topic, since="all"))).payload == 1
        context = ssl.create_default_context(cafile=authority().certificate)
        async with apus.Client(url, ssl=context, compression=True) as client:
            await client.publish(topic, "x" * 100_000)
            assert len((await anext(client.subscribe(topic, last_n=1))).payload) == 100_000
        with pytest.raises(apus.ConnectionFailed, match="ca") as caught:
            async with apus.Client(url):
                pass
        assert caught.value.code == "UNTRUSTED"
        with pytest.raises(apus.ApusError, match="status 400"):
            async with apus.Client(url.replace("https", "http")):
                pass
    with pytest.raises(ValueError, match="exclude"):
        apus.Client(url, ca="ca.pem", ssl=context)
