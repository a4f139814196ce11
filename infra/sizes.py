"""How large the functions are: `python -m infra.sizes`."""

import sys

from infra.packaging import BUNDLES, table

if __name__ == "__main__":
    sys.stdout.write(table(BUNDLES.values()) + "\n")
