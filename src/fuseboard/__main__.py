"""`python -m fuseboard` is the same as `fuseboard`."""

import sys

from fuseboard.cli import main

if __name__ == "__main__":
    sys.exit(main())
