"""What the server of a soak is set up with: its files in a folder, which change while it runs."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import time
from pathlib import Path

from certificates import authority

SECRET = "a secret of this soak, of 32 bytes and more"
MAX_CONNECTIONS, PER_ADDRESS = 100, 24
TOPIC_RATE = 5

# Keys by their id, and what each may do.
RIGHTS = {
    "boss": ["*"],
    "writer": ["publish"],
    "reader": ["subscribe", "history", "presence"],
    "rude": ["publish", "subscribe"],
    "narrow": [],
}
SETTINGS = {
    "auth_timeout": "1s",
    "token_leeway": "0s",
    "token_grace": "1s",
    "throttle_timeout": "3s",
    "command_rate": 100,
    "command_burst": 150,
    "publish_rate": 300,
    "publish_burst": 600,
    "publish_bytes_rate": "16MiB",
    "publish_bytes_burst": "64MiB",
    "max_connections": MAX_CONNECTIONS,
    "connections_per_address": PER_ADDRESS,
}
STEADY = [f"steady.{number}" for number in range(4)]
TOPICS = [
    *({"name": name, "history": 2000} for name in STEADY),
    {"name": "once", "dedupe_window": "10m"},
    {"name": "room"},
    {"name": "own"},
    {"name": "sink"},
    {"name": "limited", "topic_rate": TOPIC_RATE, "topic_burst": TOPIC_RATE},
    {"name": "slow", "history": 5},
    {"name": "slow.disconnect", "history": 5, "overflow": "disconnect", "queue": 20},
    {"name": "slow.throttle", "history": 5, "overflow": "throttle", "queue": 20},
]


class Place:
    """The folder with configuration, keys and certificate."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.extra_keys = {}
        self.pair = None
        self.write_keys()
        self.new_certificate()
        self.write_configuration()

    @property
    def configuration(self):
        return self.folder / "apus.json"

    def key(self, name):
        return f"{name}-key"

    def write_configuration(self, broken=False):
        settings = SETTINGS | {
            "keys_file": str(self.folder / "keys.json"),
            "tokens": {"keys": [{"kid": "soak", "alg": "HS256", "secret": SECRET}]},
            "tls": {"certificate": str(self.folder / "tls.pem"), "key": str(self.folder / "tls.key")},
            "topics": {"declare": TOPICS},
        }
        if broken:
            settings["max_connections"] = "many"
        self._replace("apus.json", json.dumps(settings))

    def write_keys(self):
        rules = RIGHTS | {name: ["subscribe", "history"] for name in self.extra_keys}
        keys = [{"id": name, "key_sha256": hashlib.sha256(self.key(name).encode()).hexdigest(),
                 "rights": [{"actions": actions, "topics": [">"]}] if actions else []} for name, actions in rules.items()]
        self._replace("keys.json", json.dumps({"keys": keys}))

    def new_certificate(self):
        """Another one of the same authority."""
        pair = authority().local(days=30)
        for source, name in ((pair.key, "tls.key"), (pair.certificate, "tls.pem")):
            shutil.copy(source, self.folder / f"{name}.new")
            os.replace(self.folder / f"{name}.new", self.folder / name)
        self.pair = pair

    def _replace(self, name, text):
        new = self.folder / f"{name}.new"
        new.write_text(text)
        os.replace(new, self.folder / name)


def token(name, seconds, secret=SECRET):
    """A JWT that lets `name` read for so long."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    now = int(time.time())
    claims = {"sub": name, "iat": now, "exp": now + seconds,
              "apus": [{"actions": ["subscribe", "history"], "topics": [">"]}]}
    text = part({"alg": "HS256", "typ": "JWT", "kid": "soak"}) + b"." + part(claims)
    signature = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
