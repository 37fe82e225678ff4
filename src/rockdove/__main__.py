"""`python -m rockdove` is the rockdove command."""

from rockdove.cli import main

main()
