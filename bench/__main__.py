"""`python -m bench` measures; `make bench` does it with all that it needs."""

import sys

from bench.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
