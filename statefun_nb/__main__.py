"""``python -m statefun_nb``: the same as ``statefun-nb``."""

import sys

from .cli.main import main

sys.exit(main())
