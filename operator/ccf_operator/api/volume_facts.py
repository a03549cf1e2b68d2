"""What a volume's claim says of the ledger on it: an annotation, written while the service is well.

It is what remains for a recovery when the network object, or its status, is gone. For a ledger that another operator or
a person has put on a volume, a person writes it; then `serviceCertificate` alone may do.
"""

from __future__ import annotations

from pydantic import Field

from ccf_operator.api.base import StatusModel
from ccf_operator.api.status import Configuration
from ccf_operator.ccf.identity import key_fingerprint

VERSION = 1

GREATEST_NUMBER = 10**9
"""Of a generation, a node or a volume: what says more was not written by an operator, and would be no name any more."""


class VolumeFacts(StatusModel):
    """The value of the annotation `ccf.dev/recovery`, as JSON."""

    version: int = Field(default=VERSION, description="Version of this format.")
    network_uid: str | None = Field(default=None, description="UID of the CCFNetwork the ledger was written for.")
    lineage: list[int] = Field(
        default_factory=lambda: [0], description="The generations that together hold the ledger."
    )
    next_generation: int | None = Field(default=None, description="The first generation that was never given away.")
    next_node: int | None = Field(default=None, description="Number of the node that was to come next.")
    next_volume: int | None = Field(default=None, description="Number of the volume that was to come next.")
    service_certificate: str = Field(description="PEM of the certificate of the service whose ledger it is.")
    service_key: str | None = Field(
        default=None, description="SHA-256 of that service's public key (DER), hex; absent: that of the certificate."
    )
    recovery_count: int = Field(default=0, description="CCF's count of recoveries of that service.")
    node_id: str | None = Field(default=None, description="CCF node id of the node that wrote the last generation.")
    disk_kept: bool = Field(
        default=False,
        description="Whether that node is known to have ended on a machine that went on running, so that all it wrote "
        "is on the volume.",
    )
    final: bool = Field(
        default=False,
        description="Whether this is the last word on the volume: written when the network was deleted, or after the "
        "volume itself was read.",
    )
    configuration: Configuration | None = Field(default=None, description="The last committed configuration known.")
    high_water_mark: str | None = Field(default=None, description="A TxID that was seen committed.")


def read_facts(text: str | None) -> VolumeFacts | None:
    """The facts in an annotation, with the service's key; None if there are none that this operator understands."""
    if not text:
        return None
    try:
        facts = VolumeFacts.model_validate_json(text)
        facts.service_key = facts.service_key or key_fingerprint(facts.service_certificate)
    except ValueError:  # of the JSON, of the model, or of the certificate
        return None
    sound = facts.version == VERSION and facts.lineage == sorted({*facts.lineage}) and facts.lineage
    numbers = (*facts.lineage, facts.next_generation or 0, facts.next_node or 0, facts.next_volume or 0)
    return facts if sound and all(0 <= number <= GREATEST_NUMBER for number in numbers) else None


def write_facts(facts: VolumeFacts) -> str:
    """The facts as the annotation holds them."""
    return facts.model_dump_json(by_alias=True, exclude_none=True)
