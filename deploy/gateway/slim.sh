#!/bin/sh
# Take out of an environment what a running gateway never reads, and compile what it does read.
# usage: slim.sh FOLDER
set -eu
site=$(echo "$1"/lib/python*/site-packages)

# Tests, type stubs, what others compile against, and commands other than ours.
find "$site" -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
find "$site" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' \
    -o -name '*.c' -o -name '*.h' -o -name '*.a' \) -delete
find "$1/bin" -type f ! -name stn-serve ! -name healthcheck.py -delete

# The root will be read-only, so bytecode is made here. Nothing checks it against its source at run
# time: in an image sources do not change.
python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
