#!/usr/bin/env python3
"""Prints the SBOM of the program, as JSON of SPDX 2.3."""

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from archive import EPOCH
from components import debian_field, debian_package, libraries, packages


def package(identifier, name, version, address=None, licence=None, **more):
    return {
        "SPDXID": f"SPDXRef-{identifier}", "name": name, "versionInfo": version,
        "downloadLocation": address or "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence or "NOASSERTION", "copyrightText": "NOASSERTION", **more,
    }


def purl(text):
    return {"externalRefs": [
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": text}]}


def swift_packages(checkouts):
    for found in packages(checkouts):
        # Identities have letters, digits, dots and dashes, as SPDX wants them.
        yield package(f"Swift-{found.name}", found.name, found.version,
                      f"git+{found.address.removesuffix('.git')}.git@{found.revision}", found.licence,
                      **purl(f"pkg:swift/{found.address.split('://')[1].removesuffix('.git')}@{found.version}"))


def debian_packages(binary):
    names = {debian_package(library.file) for library in libraries(binary)} - {None}
    for name in sorted(names):
        version, architecture = debian_field(name, "Version"), debian_field(name, "Architecture")
        # Debian's licences are in files for people to read.
        yield package(f"Debian-{name.replace('+', '-')}", name, version,
                      **purl(f"pkg:deb/debian/{name.replace('+', '%2B')}@{version}?arch={architecture}"))


def document(binary, version, checkouts):
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    apus = package("Apus", "apus", version, licence="Apache-2.0", primaryPackagePurpose="APPLICATION",
                   checksums=[{"algorithm": "SHA256", "checksumValue": digest}])
    linked, loaded = list(swift_packages(checkouts)), list(debian_packages(binary))

    def related(kind, elements):
        return [{"spdxElementId": "SPDXRef-Apus", "relationshipType": kind, "relatedSpdxElement": element["SPDXID"]}
                for element in elements]

    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"apus-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/apus-{version}-{digest}",
        "creationInfo": {"created": datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: apus-dev-package"]},
        "packages": [apus, *linked, *loaded],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
             "relatedSpdxElement": "SPDXRef-Apus"},
            *related("STATIC_LINK", linked), *related("DYNAMIC_LINK", loaded),
        ],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--checkouts", type=Path, required=True)
    print(json.dumps(document(**vars(parser.parse_args())), indent=2))
