"""`apus doctor --nats`: what it finds about real NATS servers."""

import json
import subprocess

import pytest

from apus_e2e import environment
from nats import SYSTEM, NATSCluster, free_ports, nodes, program, wait_for


def doctor(*arguments, code=0):
    """The findings about NATS, by their check."""
    done = subprocess.run([program(), "doctor", "--json", "--no-machine", *arguments], env=environment(),
                          capture_output=True, text=True, timeout=120)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    findings = json.loads(done.stdout)["findings"]
    for finding in findings:
        assert finding["level"] == "ok" or finding["why"] and finding["advice"], finding
    assert {finding["area"] for finding in findings} == {"nats"}, "the server was not named"
    return {finding["check"]: finding for finding in findings}


def levels(found):
    return {check: finding["level"] for check, finding in found.items() if finding["level"] != "ok"}


VOUCHED = ("--nats-sync-always", "on")


def test_three_servers_before_and_after_a_node():
    with NATSCluster(3, more="max_payload: 4MB") as servers:
        # Until they have found each other, nobody answers for JetStream.
        wait_for(lambda: doctor_is_well(servers), "servers that are well", 60)
        before = doctor("--nats", servers.urls, *VOUCHED)
        assert "none yet" in before["streams"]["found"]
        assert before["version"]["found"].count("n") == 3 and before["copies"]["found"].startswith("3 wanted, 3 servers")
        with nodes(1, servers):
            after = doctor("--nats", servers.urls, *VOUCHED)
            assert "9, as a node wants them" in after["streams"]["found"]
            assert levels({check: found for check, found in after.items() if check != "leaders"}) == {}
            servers.servers[0].kill()
            # It is behind at once, and away when the others take it for that; a stream may have no leader meanwhile,
            # which is a failure.
            behind = {}
            def is_behind():  # noqa: E306
                behind.update(doctor("--nats", servers.urls, *VOUCHED, code=None)["behind"])
                return behind["level"] == "warn"
            wait_for(is_behind, "a server that is behind", 60)
            assert "n0" in behind["found"] and behind["advice"], behind


def doctor_is_well(servers):
    done = subprocess.run([program(), "doctor", "--no-machine", "--nats", servers.urls, *VOUCHED], env=environment(),
                          capture_output=True, timeout=120)
    return done.returncode == 0


def test_one_server_says_what_to_do():
    with NATSCluster(1) as servers:
        found = doctor("--nats", servers.urls, "--nats-replicas", "1", code=1)
        assert levels(found) == {"sync": "fail", "max_payload": "warn", "copies": "warn"}
        assert "nats_sync_always" in found["sync"]["advice"] and "1056768" in found["max_payload"]["advice"]
        lower = doctor("--nats", servers.urls, "--nats-replicas", "1", "--max-message", "512KiB", *VOUCHED)
        assert levels(lower) == {"copies": "warn"}
        three = doctor("--nats", servers.urls, *VOUCHED)
        assert three["copies"]["level"] == "warn" and "nats_replicas 1" in three["copies"]["advice"]


@pytest.mark.parametrize("jetstream, level", [("", "fail"), ("sync_interval: always", "ok")])
def test_whoever_may_ask_sees_how_the_servers_write(jetstream, level):
    with NATSCluster(1, jetstream=jetstream, more=SYSTEM) as servers:
        url = servers.urls.replace("//", "//apus:apus@")
        found = doctor("--nats", url, "--nats-replicas", "1", code=level == "fail")
        assert found["sync"]["level"] == level, found["sync"]
        assert "apus@" not in json.dumps(found)


def test_credentials_permissions_and_accounts():
    with NATSCluster(1, more=SYSTEM) as servers:
        def found_by(user, code):
            return doctor("--nats", servers.urls.replace("//", f"//{user}@"), "--nats-replicas", "1", *VOUCHED, code=code)

        wrong = found_by("apus:wrong", 1)
        assert levels(wrong) == {"connection": "fail"} and "--nats-creds" in wrong["connection"]["advice"]
        assert "$JS.FC" in found_by("bare:bare", 1)["permissions"]["found"]
        assert "jetstream" in found_by("none:none", 1)["JetStream"]["advice"]


def test_a_server_without_jetstream_and_nobody():
    with NATSCluster(1, jetstream=None) as servers:
        found = doctor("--nats", servers.urls, code=1)
        assert found["JetStream"]["level"] == "fail" and "store_dir" in found["JetStream"]["advice"]
        nobody = f"nats://127.0.0.1:{free_ports(1)[0]}"
        beside = doctor("--nats", f"{nobody},{servers.urls}", code=1)
        assert "JetStream" in beside
    alone = doctor("--nats", nobody, code=1)
    assert list(alone) == ["connection"] and "cannot be reached" in alone["connection"]["found"]


def test_a_stream_that_is_not_as_wanted(nats):
    with nodes(1, nats, "--nats-prefix", "strange"):
        found = doctor("--nats", nats.urls, "--nats-replicas", "3", "--nats-prefix", "strange", *VOUCHED, code=1)
    assert "num_replicas is 1, and 3 is needed" in found["streams"]["found"]


def test_bad_settings_end_with_78(nats):
    done = subprocess.run([program(), "doctor", "--nats", nats.urls, "--nats-replicas", "seven"], env=environment(),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 78 and "nats-replicas" in done.stderr, done.stderr
