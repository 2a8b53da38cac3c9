#!/usr/bin/env python3
"""Prints the licences and notices of the Swift packages in the program.

    licences.py CHECKOUTS
"""

import sys
from pathlib import Path

from components import packages

for package in packages(Path(sys.argv[1])):
    print(f"{'=' * 100}\n{package.name} {package.version}, {package.address}\n{'=' * 100}\n")
    # A package says where its licences are if it has more, in its NOTICE.
    print("\n".join(text.strip() + "\n" for text in package.texts) or "It has no file with a licence.\n")
