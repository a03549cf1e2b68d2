"""The commands of docs/how-to/keys-in-an-hsm.md, with keys that never leave a SoftHSM, on a network that runs."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from debian import installed
from integration.control_plane import ControlPlane
from integration.world.world import living
from members import GeneratedMember, generate_member
from pages import Reading
from terminal import Terminal

PIN = "5678"


@dataclass(frozen=True, repr=False)
class MemberWithHsm(GeneratedMember):
    """A member of whom only the certificate and the public encryption key are known."""

    encryption_public_key: str = ""

    @property
    def encryption_public_key_pem(self) -> str:
        return self.encryption_public_key


@dataclass(frozen=True)
class Desk:
    """Alice, whose keys are in an HSM, and bob, whose keys are in files of the same directory."""

    terminal: Terminal
    directory: Path

    async def alice(self, commands: str) -> str:
        return await asyncio.to_thread(self.terminal.run, commands)

    async def bob(self, command: str) -> str:
        return await self.alice(f"{command} --cert bob_cert.pem --key bob_privk.pem --yes")


@pytest.fixture
def desk(personal_environment: dict[str, str], tmp_path: Path) -> Iterator[Desk]:
    softhsm = installed("softhsm2-util", "softhsm2", "opensc", "openssl", "libengine-pkcs11-openssl")
    home = tmp_path / "home"
    (home / "tokens").mkdir(parents=True)
    (home / "softhsm2.conf").write_text(f"directories.tokendir = {home / 'tokens'}\n")
    (home / "pin").write_text(PIN)
    environment = {**personal_environment, "HOME": str(home), "SOFTHSM2_CONF": str(home / "softhsm2.conf")}
    token = [softhsm, "--init-token", "--free", "--label", "alice", "--so-pin", "1234", "--pin", PIN]
    subprocess.run(token, env=environment, check=True, capture_output=True)
    with Terminal(home, environment) as terminal:
        yield Desk(terminal, home)


async def test_the_page(
    desk: Desk,
    control_plane: ControlPlane,
    operator_kubeconfig: Path,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(operator_kubeconfig))
    page = Reading("how-to/keys-in-an-hsm.md", __file__)
    for heading in ("For members: keys in an HSM or a key vault", "Make the keys"):
        for block in page.section(heading):
            await desk.alice(block.text)
    made = (desk.directory / "alice_cert.pem").read_text(), (desk.directory / "alice_enc_pubk.pem").read_text()
    alice = MemberWithHsm(made[0], "", None, "alice", made[1])
    bob = generate_member("bob")
    (desk.directory / "bob_cert.pem").write_text(bob.certificate_pem)
    (desk.directory / "bob_privk.pem").write_text(bob.key_pem)

    async with living(control_plane, namespace, tmp_path, [alice, bob]) as world:
        await world.operator()
        await world.create(1, recoveryThreshold=1)
        await world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")
        await desk.bob("kubectl ccf ack bank")
        acknowledge, again, opening = page.section("Sign")
        assert "sha384" in await desk.alice(acknowledge.text)
        assert "the member is active" in await desk.alice(again.text)
        assert "1 ballot in" in await desk.alice(opening.text)
        await desk.bob("kubectl ccf open bank")
        await world.running(1)

        (desk.directory / "service_cert.pem").write_text(world.certificate())
        world.kubelet.kill(*(one["name"] for one in world.story.nodes(fit=True)))
        await world.members_asked()
        await desk.bob("kubectl ccf open bank")
        accept, share = page.section("After a recovery")
        assert "is accepted" in await desk.alice(accept.text)
        assert "keep them to yourself" in await desk.alice(share.text)
        await world.running(1)
    page.finish()
    left = {file.name for file in desk.directory.glob("submit*")}
    assert left == {"submit.sig"}, "the share stays in the clear"
