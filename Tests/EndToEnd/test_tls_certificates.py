"""Certificates: those that stop the start, those that come while the server runs, and those that clients show."""

import json
import os
import shutil
import ssl
import subprocess

import pytest
from websockets.exceptions import InvalidStatus

from apus_e2e import TIMEOUT, Client, apus, environment, eventually
from certificates import Authority, Pair, authority, local_pair, openssl
from prometheus import scrape
from raw_http import RawHTTP
from raw_websocket import RawWebSocket, upgrade_request
from secure import VERSIONS, resumable, secure, speak, tls
from test_reload import Reloadable

pytestmark = pytest.mark.one_server("it is about TLS with one server")

ALL = [{"actions": ["*"], "topics": [">"]}]
BOSS = {"id": "boss", "key": "boss-secret-1", "rights": ALL}
ANN = {"id": "ann", "key": "ann-secret-1", "rights": [{"actions": ["publish", "subscribe"], "topics": ["a"]}]}
NEWS = [{"actions": ["subscribe"], "topics": ["news"]}]


def shown(server, context=None):
    """The certificate that a new connection sees."""
    with tls(server, context) as connection:
        speak(connection)
        return connection.tls.getpeercert(binary_form=True)


# At the start


def broken(folder):
    """Names of files that cannot be used: certificate, key, and which of them is to be named."""
    good, other = local_pair(), authority().local()
    garbage, empty = folder / "garbage.pem", folder / "empty.pem"
    garbage.write_bytes(os.urandom(1000))
    empty.write_bytes(b"")
    half = folder / "half.pem"
    half.write_text(good.certificate.read_text()[:300])
    locked = authority().local(kind=["-newkey", "rsa:2048"])
    secret = folder / "locked.key"
    openssl("pkey", "-in", locked.key, "-aes256", "-passout", "pass:x", "-out", secret)
    weak = authority().local(kind=["-newkey", "rsa:1024"])
    expired = authority().local(days=-1)
    return {
        "no certificate": (folder / "none.pem", good.key, folder / "none.pem"),
        "no key": (good.certificate, folder / "none.key", folder / "none.key"),
        "garbage": (garbage, good.key, garbage), "a key of garbage": (good.certificate, garbage, garbage),
        "empty": (empty, good.key, empty), "an empty key": (good.certificate, empty, empty),
        "half": (half, good.key, half), "a folder": (folder, good.key, folder),
        "a key for a certificate": (good.certificate, good.certificate, good.certificate),
        "another's key": (good.certificate, other.key, other.key),
        "expired": (expired.certificate, expired.key, expired.certificate),
        "a key with a password": (locked.certificate, secret, secret),
        "a weak key": (weak.certificate, weak.key, weak.certificate),
    }


CASES = ["no certificate", "no key", "garbage", "a key of garbage", "empty", "an empty key", "half", "a folder",
         "a key for a certificate", "another's key", "expired", "a key with a password", "a weak key"]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return broken(tmp_path_factory.mktemp("broken"))


def expect_refusal(*flags, named):
    """The start fails, with one sentence that names the file and no port opened."""
    done = apus("serve", "--port", "0", *flags)
    assert done.returncode == 78, done.stderr
    assert str(named) in done.stderr and "listening" not in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


@pytest.mark.parametrize("case", CASES)
def test_files_that_cannot_be_used_stop_the_start(cases, case):
    certificate, key, named = cases[case]
    expect_refusal(*Pair(certificate, key).flags, named=named)
    more = json.dumps([{"certificate": str(certificate), "key": str(key)}])
    expect_refusal(*local_pair().flags, "--tls-more", more, named=named)


def test_files_beside_the_certificate_are_checked_too(tmp_path):
    garbage = tmp_path / "garbage"
    garbage.write_bytes(os.urandom(47))
    for flag in ("--tls-client-ca", "--tls-ticket-keys"):
        for file in (garbage, tmp_path / "none", tmp_path):
            expect_refusal(*local_pair().flags, flag, str(file), named=file)
        expect_refusal(flag, str(garbage), named="tls.")
    expect_refusal("--tls-certificate", str(local_pair().certificate), named="tls.key")
    expect_refusal("--tls-key", str(local_pair().key), named="tls.certificate")


def test_a_key_that_may_not_be_read_stops_the_start(tmp_path):
    pair = Files(tmp_path, local_pair()).pair
    pair.key.chmod(0)
    # For root, as which CI runs, that is nothing unless it gives up the right to read everything.
    without = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = subprocess.run([*without, os.environ["APUS_BIN"], "serve", "--port", "0", *pair.flags], env=environment(),
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 78 and f"{pair.key}" in done.stderr, done.stderr


# While the server runs


class Files:
    """A certificate and its key under names that stay."""

    def __init__(self, folder, pair):
        self.pair = Pair(folder / "server.pem", folder / "server.key")
        self.put(pair)

    def put(self, pair):
        for target, source in ((self.pair.certificate, pair.certificate), (self.pair.key, pair.key)):
            fresh = target.with_suffix(".new")
            shutil.copy(source, fresh)
            fresh.replace(target)


@pytest.mark.parametrize("by", ["SIGHUP", "the files"])
def test_new_connections_get_the_new_certificate_and_open_ones_go_on(tmp_path, by):
    old, new = authority().local(), authority().local()
    files = Files(tmp_path, old)

    def kind(*flags, **options):
        return Reloadable(tmp_path, {}, *flags, **options)
    with secure(pair=files.pair, kind=kind) as server:
        server.create("t")
        with RawWebSocket.open(server) as raw, RawHTTP(server) as kept:
            raw.subscribe("t")
            assert kept.ask().status == 200
            assert shown(server) == old.shown
            files.put(new)
            if by == "SIGHUP":
                assert "not reloaded" not in server.reload()
                assert shown(server) == new.shown
            else:
                eventually(lambda: shown(server) == new.shown, "the new certificate")
            # A bad one changes nothing, and the log says which file it is.
            files.pair.key.write_text("garbage")
            if by == "SIGHUP":
                line = server.reload()
                assert "not reloaded" in line
            else:
                line = server.wait_for_log("not reloaded")
            assert scrape(server)["apus_tls_certificate_failures_total"] >= 1
            assert str(files.pair.key) in line
            assert shown(server) == new.shown
            raw.expect_pong("still there")
            server.rest("POST", "/topics/t/messages", 1)
            assert raw.read_message()["message"]["payload"] == 1
            assert kept.ask().status == 200
            files.put(old)
            if by == "SIGHUP":
                server.reload()
            eventually(lambda: shown(server) == old.shown, "the old certificate again")


@VERSIONS
def test_sessions_outlive_a_reload(tmp_path, version):
    files, context = Files(tmp_path, local_pair()), authority().context(version)
    with secure(pair=files.pair, kind=lambda *flags, **options: Reloadable(tmp_path, {}, *flags, **options)) as server:
        session = resumable(server, context)
        files.put(authority().local())
        server.reload()
        with tls(server, context, session=session) as connection:
            assert connection.tls.session_reused
            speak(connection)


# Certificates of clients


@pytest.fixture(scope="module")
def demanding():
    """A server that wants to see certificates, and gives nobody but the keys' owners any rights."""
    flags = ["--tls-client-ca", str(authority().certificate), "--keys", json.dumps([BOSS, ANN])]
    with secure(*flags, tls=as_client("boss")) as server:
        for topic in ("a", "b", "news"):
            assert server.create(topic).status == 201
        yield server


def as_client(name, version=None):
    return authority().client(name).load_into(authority().context(version))


def refused(server, context):
    """Whether there is no TLS with the server for this client. In TLS 1.3 it learns that when it reads."""
    try:
        with tls(server, context) as connection:
            speak(connection)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


@VERSIONS
def test_clients_without_a_certificate_or_with_a_stranger_s_are_refused(demanding, tmp_path, version):
    assert refused(demanding, authority().context(version))
    foreign = Authority(tmp_path, "Another CA").client("boss")
    assert refused(demanding, foreign.load_into(authority().context(version)))
    assert refused(demanding, authority().issue("boss", usage="clientAuth", days=-1).load_into(authority().context(version)))
    assert refused(demanding, authority().issue("boss", usage="serverAuth").load_into(authority().context(version)))
    assert not refused(demanding, as_client("boss", version))


def ask(server, context, *arguments, **headers):
    with RawHTTP.on(tls(server, context)) as raw:
        return raw.ask(*arguments, **headers).status


@VERSIONS
def test_the_common_name_has_the_rights_of_its_key(demanding, version):
    boss, ann, nobody = (as_client(name, version) for name in ("boss", "ann", "nobody"))
    assert ask(demanding, boss, "GET", "/topics/b") == 200
    assert ask(demanding, ann, "POST", "/topics/a/messages", b"1", Content_Type="application/json") == 201
    assert ask(demanding, ann, "POST", "/topics/b/messages", b"1", Content_Type="application/json") == 403
    assert ask(demanding, nobody, "POST", "/topics/a/messages", b"1", Content_Type="application/json") in (401, 403)
    assert ask(demanding, nobody, "GET", "/livez") == 200
    # A credential that is wrong is never taken for none, and one that is right goes before the certificate.
    assert ask(demanding, boss, "GET", "/topics", X_API_Key="wrong-secret-1") == 401
    assert ask(demanding, nobody, "GET", "/topics/b", X_API_Key="boss-secret-1") == 200


@VERSIONS
def test_a_resumed_session_is_still_its_client_s(demanding, version):
    context = as_client("ann", version)
    session = resumable(demanding, context)
    for _ in range(3):
        with RawHTTP.on(tls(demanding, context, session=session)) as raw:
            assert raw.socket.tls.session_reused
            assert raw.ask("POST", "/topics/a/messages", b"1", Content_Type="application/json").status == 201
            assert raw.ask("POST", "/topics/b/messages", b"1", Content_Type="application/json").status == 403


@pytest.mark.parametrize("before", [False, True])
def test_a_websocket_has_the_rights_of_the_certificate(demanding, before):
    with RawHTTP.on(tls(demanding, as_client("ann"))) as raw:
        if before:
            assert raw.ask().status == 200
        assert raw.request(upgrade_request())[0] == 101
        raw.subscribe("a")
        raw.command(type="subscribe", topic="b", client_id="c")
        raw.expect_error("FORBIDDEN")


async def test_strangers_with_a_certificate_have_the_rights_of_anonymous():
    flags = ["--tls-client-ca", str(authority().certificate), "--keys", json.dumps([BOSS]), "--anonymous", json.dumps(NEWS)]
    with secure(*flags, tls=as_client("boss")) as server:
        server.create("news")
        server.create("a")
        async with await Client.open(server, ssl=as_client("nobody")) as client:
            await client.subscribe("news")
            await client.send(type="subscribe", topic="a", client_id="c")
            await client.expect_error("FORBIDDEN")
        with pytest.raises(InvalidStatus):
            await Client.open(server, ssl=as_client("boss"), query="?api_key=wrong-secret-1")


def test_a_key_that_a_reload_takes_out_ends_the_connections_of_its_certificate(tmp_path):
    settings = {"keys": [BOSS, ANN], "tls": {"client_ca": str(authority().certificate)}}
    with secure(tls=as_client("boss"), kind=lambda *flags, **options: Reloadable(tmp_path, settings, *flags, **options)) as server:
        server.create("a")
        with RawWebSocket.on(tls(server, as_client("ann"))) as raw:
            assert raw.request(upgrade_request())[0] == 101
            raw.subscribe("a")
            server.reload(settings | {"keys": [BOSS]})
            raw.expect_close(1008, reason="REVOKED")


@VERSIONS
def test_a_session_from_before_does_not_get_past_another_authority(tmp_path, version):
    """Whoever the old authority vouched for has to show a certificate of the new one."""
    other = Authority(tmp_path, "The next CA")
    settings = {"keys": [BOSS, ANN], "tls": {"client_ca": str(authority().certificate)}}
    with secure(tls=as_client("boss"), kind=lambda *flags, **options: Reloadable(tmp_path, settings, *flags, **options)) as server:
        context = as_client("ann", version)
        session = resumable(server, context)
        server.reload(settings | {"tls": {"client_ca": str(other.certificate)}})
        try:
            with tls(server, context, session=session) as connection:
                speak(connection)
                raise AssertionError(f"let in, {connection.tls.session_reused=}")
        except (ssl.SSLError, ConnectionError):
            pass
        assert not refused(server, other.client("boss").load_into(authority().context(version)))
