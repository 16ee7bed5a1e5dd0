#!/bin/sh
# Prints the Python that `make install` builds the virtual environment with: 3.11 or newer, and able to make one.
# PYTHON=/path/to/python overrules the search.
set -eu

usable='
import sys
if sys.version_info < (3, 11):
    sys.exit("Python %d.%d is too old" % sys.version_info[:2])
import ensurepip, venv  # Debian packs ensurepip apart from the interpreter
print(getattr(sys, "_base_executable", sys.executable))
'

found_without_venv=
for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    if "$python" -c "$usable" 2>/dev/null; then
        exit 0
    fi
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        found_without_venv=${found_without_venv:-$python}
    fi
done

if [ -n "$found_without_venv" ]; then
    echo "$found_without_venv cannot make a virtual environment: its ensurepip module is missing." >&2
    echo "On Debian and Ubuntu: apt-get install python3-venv" >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is no Python 3.11 or newer." >&2
else
    echo "No Python 3.11 or newer was found. Install one, or name it: make install PYTHON=/path/to/python3.13" >&2
fi
exit 1
