"""Entry point of the operator: `python -m ccf_operator`, set up by its environment (`settings`)."""

from __future__ import annotations

import asyncio
import os
import sys

from ccf_operator import logs
from ccf_operator.settings import BadSettings, from_environment


def main() -> int:
    """Run until told to stop; 2 where the settings make no sense."""
    try:
        settings = from_environment(os.environ)
    except BadSettings as error:
        print(f"ccf-operator: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format)
    from ccf_operator.application import serve  # after the logs are set up: kopf logs as it is imported

    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
