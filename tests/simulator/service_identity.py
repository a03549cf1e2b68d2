"""The service's key and its current certificate, as every trusted node holds them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from simulator import identity
from simulator.identity import KeyPair, Validity


@dataclass
class ServiceIdentity:
    key: KeyPair
    certificate: str  # PEM; replaced when a renewal commits

    @classmethod
    def create(cls, subject: str, days: int) -> ServiceIdentity:
        key = KeyPair.generate()
        return cls(key, identity.service_certificate(key, subject, starting_now(days)))

    def is_of(self, certificate_pem: str) -> bool:
        """True if the certificate is for this service's key."""
        return identity.certificate_key(certificate_pem) == self.key.public_der

    def endorse(self, csr: str, validity: Validity) -> str:
        return identity.endorse(csr, self.key, self.certificate, validity)

    def renew(self, validity: Validity) -> str:
        """A new certificate of the same key, in PEM; it takes effect when it commits."""
        subject = identity.subject(self.certificate)
        return identity.service_certificate(self.key, subject, validity)


def starting_now(days: int) -> Validity:
    return Validity(datetime.datetime.now(datetime.UTC).replace(microsecond=0), days)
