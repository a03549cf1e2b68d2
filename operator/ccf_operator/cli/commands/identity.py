"""kubectl ccf cert: what clients trust."""

from __future__ import annotations

from typing import Annotated

import typer

from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.network import load
from ccf_operator.cli.options import Format, NetworkName, Output, on_cluster
from ccf_operator.cli.output import write

Previous = Annotated[bool, typer.Option("--previous", help="Of the service before the last recovery.")]


@on_cluster
async def cert(kubectl: Kubectl, name: NetworkName, previous: Previous = False, output: Output = Format.TEXT) -> None:
    """Print the service's certificate (PEM), which clients trust."""
    service = (await load(kubectl, name)).status.service
    found = service.previous_certificate if previous else service.certificate
    if found is None:
        why = "the service has not been recovered yet" if previous else "the service has not been created yet"
        raise Failure(Exit.NOT_NOW, why, f"kubectl ccf status {name} says where the network is")
    if output is Format.TEXT:
        print(found.strip())
    else:
        write({"network": name, "certificate": found, "key": key_fingerprint(found)}, output)
