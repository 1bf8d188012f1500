#!/usr/bin/python3 -I
"""The aimond command, with the libraries that it brings."""

import sys

sys.path.insert(0, "/usr/lib/aimond")

from aimond.__main__ import main

sys.exit(main())
