"""``python -m meshaccel`` is the ``meshaccel`` command."""

from meshaccel.cli import main

main(prog_name="meshaccel")
