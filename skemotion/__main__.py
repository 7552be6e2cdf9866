"""Lets ``python -m skemotion`` do what ``skemotion`` does."""

import sys

from .cli import main

sys.exit(main())
