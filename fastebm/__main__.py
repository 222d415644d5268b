"""`python -m fastebm` is the command line."""

import sys

from fastebm.cli import main

sys.exit(main())
