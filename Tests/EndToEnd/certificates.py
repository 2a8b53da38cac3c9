"""Certificates made when they are needed, by `openssl`: an authority that the tests' clients trust, and what it signs."""

import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LOCAL = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")
_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path

    @property
    def flags(self):
        """What has a server use it."""
        return "--tls-certificate", str(self.certificate), "--tls-key", str(self.key)

    @property
    def shown(self):
        """The certificate as a peer sees it."""
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())

    def load_into(self, context):
        """Has clients of this context show it."""
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """A certificate authority with its files in a folder."""

    def __init__(self, folder, name="Apus test CA"):
        self.folder, self._count = Path(folder), 0
        self.certificate, self._key = self.folder / "ca.pem", self.folder / "ca.key"
        openssl("req", "-x509", *_CURVE, "-nodes", "-days", "2", "-subj", f"/CN={name}",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._key, "-out", self.certificate)

    def issue(self, name, *alternatives, days=2, kind=_CURVE, usage="serverAuth"):
        """A pair for this common name and these alternatives; with `days` below 0 one that has expired."""
        self._count += 1
        pair = Pair(self.folder / f"{self._count}.pem", self.folder / f"{self._count}.key")
        request = self.folder / f"{self._count}.csr"
        names = ["-addext", f"subjectAltName={','.join(alternatives)}"] if alternatives else []
        openssl("req", *kind, "-nodes", "-subj", f"/CN={name}", *names, "-addext", f"extendedKeyUsage={usage}",
                 "-keyout", pair.key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-days", str(days),
                 "-copy_extensions", "copy", "-out", pair.certificate)
        return pair

    def local(self, **options):
        """A pair for this machine's names for itself."""
        return self.issue("localhost", *LOCAL, **options)

    def client(self, name):
        """A pair by which a client shows who it is."""
        return self.issue(name, usage="clientAuth")

    def context(self, version=None):
        """What a client that trusts this authority connects with; in one version only, where that is given."""
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(["http/1.1"])
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context


def openssl(*arguments):
    """Runs the command; its output."""
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


@cache
def _folder():
    # Kept until this process ends: servers load files from it.
    return tempfile.TemporaryDirectory(prefix="apus-tls-")


@cache
def authority():
    """The one that this process's clients trust."""
    return Authority(_folder().name)


@cache
def local_pair():
    """The certificate of servers that a test has not given another."""
    return authority().local()


@cache
def client_context():
    """What clients of such servers connect with."""
    return authority().context()
