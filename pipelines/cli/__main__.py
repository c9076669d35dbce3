"""``python -m earmark.pipelines.cli``."""

from earmark.pipelines.cli import main

main()
