"""What a credential may do, and why not: `GET /access`, `POST /access/check`, `GET /access/keys`."""

import json

import pytest

from apus_e2e import Server, eventually
from test_rights import KEYS, SECRET, TOKEN_KEYS, as_key, mint

BOSS = as_key("boss-key")


@pytest.fixture(scope="module")
def server():
    anonymous = [{"actions": ["subscribe"], "topics": ["news.*"]}]
    with Server("--keys", json.dumps([*KEYS, {"id": "old", "key": "old-key", "expires": "2026-01-31T00:00:00Z",
                                              "label": "the old one"},
                                    {"id": "odd", "key": "odd-key", "rights": [{"actions": ["admin"],
                                                                                "topics": ["a"]}]}]),
                "--tokens-keys", TOKEN_KEYS, "--anonymous", json.dumps(anonymous), "--log-level", "trace") as running:
        yield running
    shown = "\n".join(running.log)
    for secret in ("boss-key", "ann-key", "old-key", SECRET, "eyJ"):
        assert secret not in shown


def check(server, headers=BOSS, **question):
    return server.rest("POST", "/access/check", question, headers)


def access(server, headers):
    answer = server.rest("GET", "/access", headers=headers)
    assert answer.status == 200
    return answer.json


def test_a_client_is_told_who_it_is_and_what_it_may_do(server, tmp_path):
    ann = access(server, as_key("ann-key"))
    assert (ann["kind"], ann["id"], ann["server"]) == ("key", "ann", {"stats": False, "admin": False})
    assert ann["rules"] == [
        {"rule": 1, "actions": ["subscribe", "history"], "topics": ["orders.>", "user.ann.>"]},
        {"rule": 2, "actions": ["publish"], "topics": ["orders.eu.*"]},
        {"rule": 3, "deny": True, "actions": ["subscribe", "history", "publish", "presence", "manage", "stats"],
         "topics": ["orders.internal.>"]}]
    boss = access(server, BOSS)
    assert boss["server"] == {"stats": True, "admin": True} and "expires" not in boss
    nobody = access(server, {})
    assert nobody["kind"] == "anonymous" and "id" not in nobody
    assert nobody["rules"] == [{"rule": 1, "actions": ["subscribe"], "topics": ["news.*"]}]
    token = mint("--allow", "publish:user.{sub}.*", sub="bob", tmp_path=tmp_path)
    bob = access(server, {"Authorization": f"Bearer {token}"})
    assert (bob["kind"], bob["id"]) == ("token", "bob") and bob["expires"].endswith("Z")
    assert bob["rules"][0]["topics"] == ["user.bob.*"]
    assert server.rest("GET", "/access", headers=as_key("wrong")).status == 401


def test_a_malformed_rule_is_told_to_its_owner(server):
    told = access(server, as_key("odd-key"))
    assert told["rules"] == [] and "admin counts only on >" in told["warnings"][0]


@pytest.mark.parametrize(("action", "topic", "allowed", "because"), [
    ("subscribe", "orders.us.a", True, "rule 1 allows subscribe on orders.>"),
    ("subscribe", "user.ann.x", True, "rule 1 allows subscribe on user.ann.>"),
    ("subscribe", "orders.>", True, "rule 1 allows subscribe on orders.>, without what rule 3 denies"),
    ("publish", "orders.eu.a", True, "rule 2 allows publish on orders.eu.*"),
    ("publish", "orders.us.a", False, "no rule allows publish on orders.us.a"),
    ("subscribe", "orders.internal.x", False, "rule 3 denies subscribe on orders.internal.>"),
    ("subscribe", ">", False, "no single rule allows subscribe on all of >"),
    ("admin", None, False, "no single rule allows admin on all of >"),
    ("admin", "orders.us.a", False, "admin is about the server, so it counts only on >"),
])
def test_an_answer_names_the_rule(server, action, topic, allowed, because):
    question = {"action": action} | ({"topic": topic} if topic else {})
    own = check(server, as_key("ann-key"), **question)
    asked = check(server, BOSS, api_key="ann-key", **question)
    assert own.status == asked.status == 200 and own.json == asked.json
    assert (own.json["valid"], own.json["id"]) == (True, "ann")
    assert (own.json["allowed"], own.json["because"]) == (allowed, because)


def test_without_an_action_the_answer_is_all_that_is_allowed(server):
    told = check(server, api_key="ann-key").json
    assert told == {"valid": True} | access(server, as_key("ann-key"))


def test_a_wrong_credential_is_told_why(server, tmp_path):
    for question, because in [
            ({"api_key": "wrong"}, "there is no such API key"),
            ({"token": "a.b.c"}, None),
            ({"token": mint("--allow", "publish:>", secret="f" * 32, tmp_path=tmp_path)},
             "the token's signature is wrong"),
            ({"token": mint("--allow", "publish:>", kid="two", tmp_path=tmp_path)}, "there is no such key for tokens")]:
        told = check(server, action="publish", topic="a", **question).json
        assert told["valid"] is False and set(told) == {"valid", "because"}
        assert because in (None, told["because"])
    old = check(server, api_key="old-key").json
    assert old["valid"] is False
    assert old["because"].startswith("the API key expired ") and old["because"].endswith(" d ago")


def test_a_revoked_key_is_told_to_be(server):
    made = server.rest("POST", "/revocations", {"key": "eye"}, BOSS).json
    assert check(server, api_key="eye-key").json == {"valid": False, "because": "the credential was revoked"}

    def revoked():
        rows = server.rest("GET", "/access/keys", headers=BOSS).json["keys"]
        return [row["id"] for row in rows if row["revoked"]]
    # The node that is read from has it a moment later.
    eventually(lambda: revoked() == ["eye"], "the key is listed as revoked")
    assert server.rest("DELETE", f"/revocations/{made['id']}", headers=BOSS).status == 200
    assert check(server, api_key="eye-key").json["valid"] is True


def test_about_others_only_an_administrator_may_ask(server):
    for question in ({"api_key": "boss-key"}, {"api_key": "wrong"}, {"token": "x"}):
        answer = check(server, as_key("ann-key"), **question)
        assert (answer.status, answer.json["code"]) == (403, "FORBIDDEN")
        assert answer.json["detail"] == "The credential does not allow 'admin' here"
    assert server.rest("GET", "/access/keys", headers=as_key("ann-key")).status == 403
    assert server.rest("GET", "/access/keys").status == 403


@pytest.mark.parametrize("question", [
    {"action": "*"}, {"action": "fly"}, {"action": 1}, {"topic": "a"}, {"action": "publish", "topic": "a.>.b"},
    {"action": "publish", "topic": ""}, {"token": "a", "api_key": "b"}, {"secret": "x"}, [], {"token": None}])
def test_a_malformed_question_is_refused(server, question):
    answer = server.rest("POST", "/access/check", question, BOSS)
    assert (answer.status, answer.json["code"]) == (400, "BAD_REQUEST")


def test_the_keys_are_listed_in_pages_without_their_secrets(server):
    def get(query=""):
        return server.rest("GET", f"/access/keys{query}", headers=BOSS)

    everything = get()
    assert [key["id"] for key in everything.json["keys"]] == ["boss", "ann", "eye", "old", "odd"]
    old, odd = everything.json["keys"][-2:]
    assert (old["label"], old["expired"], old["rules"]) == ("the old one", True, [])
    assert everything.json["keys"][1]["rules"][0]["topics"] == ["orders.>", "user.{sub}.>"]
    for secret in ("-key", "sha256"):
        assert secret not in everything.body.decode()
    first = get("?limit=3").json
    assert first["next"] == "eye" and get("?after=eye").json["keys"] == [old, odd]
    assert get("?after=nobody").status == 404 and get("?limit=0").status == 400


def test_an_open_server_says_that_everybody_may_do_everything():
    with Server() as server:
        assert access(server, {}) == {"kind": "anonymous", "server": {"stats": True, "admin": True},
                                      "rules": [{"rule": 1, "actions": ["*"], "topics": [">"]}]}
        told = check(server, {}, action="publish", topic="a").json
        assert told["allowed"] is True and "no credentials" in told["because"]
        assert server.rest("GET", "/access/keys").json == {"keys": []}


def test_a_token_that_has_expired_is_told_since_when(server, tmp_path):
    """The program mints no token that has expired: this one ends, and then its grace does."""
    token = mint("--allow", "publish:>", expires="1s", tmp_path=tmp_path)
    with Server("--tokens-keys", TOKEN_KEYS, "--keys", json.dumps(KEYS), "--token-leeway", "0s") as strict:
        def told():
            answer = check(strict, token=token).json
            return None if answer["valid"] else answer["because"]
        because = eventually(told, "the token has expired")
        assert because.startswith("the token expired ") and because.endswith(" s ago")
