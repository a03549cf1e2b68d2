"""The story, step by step, with nothing but what a user has: manifests, kubectl, the CCF API, faults from outside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from ccf_operator.api.status import NetworkStatus, Phase
from e2e.demo import board, timeline
from e2e.demo.following import Follower
from e2e.demo.news import Tone
from e2e.demo.screen import Screen
from e2e.demo.timeline import CREATION, RECOVERY, Who
from e2e.demo.voices import Voices
from e2e.demo.words import seconds
from e2e.harness.client import Written
from e2e.harness.consortium import Door, patiently
from e2e.harness.network import Network

START_WITHIN, RECOVER_WITHIN, NOTICE_WITHIN = 300.0, 300.0, 120.0
"""Seconds: for pods to start, for candidates or joiners to be through, for the operator to see what has happened."""

T = TypeVar("T")


class Story:
    """One run of the story on one network."""

    def __init__(self, network: Network, screen: Screen) -> None:
        self._network, self._screen = network, screen
        self._follower = Follower(network, screen)
        self._voices = Voices(network.consortium, screen)
        self._moments: dict[str, datetime] = {}

    def tell(self) -> None:
        """All of it. Raises NeedsPerson, Stuck, or what a step could not do."""
        self._a_network_opens()
        self._a_client_writes()
        self._a_node_dies()
        self._the_majority_dies()
        self._the_members_decide()
        self._nothing_is_missing()
        self._what_it_took()

    def _a_network_opens(self) -> None:
        network = self._network
        self._screen.chapter("A network is applied, and its members open it")
        network.kubectl.run("create", "namespace", network.kubectl.namespace)
        network.create()
        self._mark("applied")
        self._screen.say("kubectl", f"apply: CCFNetwork {network.name}, {network.nodes} nodes")
        self._follower.until("the nodes start and join", _in_phase(Phase.AWAITING_OPEN), within=START_WITHIN)
        self._mark("awaitingOpen")
        door = network.door()
        self._voices.activate(door)
        self._voices.open(door)
        self._mark("openVoted")
        self._follower.until("every node serves", self._serves(0), within=NOTICE_WITHIN)
        self._mark("serves")
        self._screen.say("operator", f"{network.nodes} of {network.nodes} nodes serve", Tone.GOOD)
        self._voices.install_app(network.door())

    def _a_client_writes(self) -> None:
        self._screen.chapter("A client writes")
        self._write(self._network.door(), 3)

    def _a_node_dies(self) -> None:
        self._screen.chapter("One node dies: the others go on")
        primary = self._network.primary()
        victim = next(name for name in self._network.serving() if name != primary)
        self._kill(victim)
        self._follower.until("the operator notices", _in_phase(Phase.DEGRADED), within=NOTICE_WITHIN)
        kept = self._write(self._network.door(primary), 3)
        self._screen.say("client", f"keeps {kept.tx_id}: committed, so it must never be lost")

    def _the_majority_dies(self) -> None:
        self._screen.chapter("The majority dies")
        self._kill(self._network.primary())
        self._mark("killed")
        self._follower.until("the loss is proven", lambda s: s.attempt, within=NOTICE_WITHIN)
        chosen = self._follower.until(
            "the candidates recover", lambda s: s.attempt and s.attempt.winner, within=RECOVER_WITHIN
        )
        assert chosen.attempt is not None
        self._screen.board(board.candidates(chosen.attempt))
        self._follower.until("losers go, joiners come", _in_phase(Phase.AWAITING_MEMBERS), within=RECOVER_WITHIN)

    def _the_members_decide(self) -> None:
        self._screen.chapter("The members accept the recovered service")
        asked = self._follower.until("the members are asked", _in_phase(Phase.AWAITING_MEMBERS), within=NOTICE_WITHIN)
        assert asked.attempt is not None
        assert asked.attempt.winner is not None
        winner = asked.attempt.winner
        door = self._network.door(winner.node, winner.service_certificate)
        self._voices.accept_recovery(door)
        self._mark("accepted")
        self._voices.submit_shares(door)
        self._mark("shares")
        self._follower.until(
            "the ledger is decrypted and every node serves", self._serves(recoveries=1), within=RECOVER_WITHIN
        )
        self._mark("servesAgain")
        self._screen.say("operator", f"{self._network.nodes} of {self._network.nodes} nodes serve again", Tone.GOOD)

    def _nothing_is_missing(self) -> None:
        self._screen.chapter("Nothing that was committed is missing")
        network, client = self._network, self._network.client
        before, after = (network.identity()[f"{which}.pem"] for which in ("previous_service_cert", "service_cert"))
        self._screen.say(
            "client", f"takes the new service certificate: {_fingerprint(after)}, was {_fingerprint(before)}"
        )
        door, kept = network.door(), client.committed[-1]
        said = self._patiently("asking for the TxID from before", lambda: client.status(door, kept.tx_id))
        self._expect(said == "Committed", f"TxID {kept.tx_id} from before reads {said}")
        value = self._patiently("reading its entry", lambda: client.read(door, kept.key))
        self._expect(value == kept.value, f"its entry {kept.key} reads back {value}")
        missing = self._patiently("reading all entries", lambda: _told(client.missing(door)))
        everything = f"all {len(client.committed)} entries are Committed and read back"
        self._expect(not missing, everything if not missing else f"missing: {missing}")
        self._mark("readBack")
        self._write(door, 1)

    def _what_it_took(self) -> None:
        self._screen.chapter("What it took")
        status = NetworkStatus.model_validate(self._network.status())
        moments = {**timeline.moments(status.history[0].timeline), **self._moments}
        self._screen.text("From kubectl apply to a service:")
        self._screen.steps(timeline.steps(CREATION, moments, "applied"))
        self._screen.text("From the end of the majority to the last entry read back:")
        taken = timeline.steps(RECOVERY, moments, "killed")
        self._screen.steps(taken)
        members = timeline.share(taken, Who.MEMBERS)
        self._screen.text(
            f"Open again {seconds((moments['open'] - moments['killed']).total_seconds())} after the majority was gone. "
            f"The members took {seconds(members)} of it here; in life they take as long as they need, and nothing "
            "times out."
        )

    def _kill(self, pod: str) -> None:
        self._network.setting.faults.kill_process(self._network.kubectl, pod)
        self._screen.say("fault", f"kills the process of {pod}", Tone.BAD)

    def _write(self, door: Door, number: int) -> Written:
        entries = self._patiently(
            "the client's entries are committed", lambda: self._network.client.write(door, number)
        )
        for entry in entries:
            self._screen.say("client", f"writes {entry.key} = {entry.value}: {entry.tx_id} Committed")
        return entries[-1]

    def _patiently(self, what: str, act: Callable[[], T]) -> T:
        with self._screen.waiting(what):
            return patiently(what, act, within=NOTICE_WITHIN)

    def _expect(self, fulfilled: bool, text: str) -> None:
        self._screen.say("client", text, Tone.GOOD if fulfilled else Tone.BAD)
        if not fulfilled:
            raise Lost(text)

    def _serves(self, recoveries: int) -> Callable[[NetworkStatus], bool]:
        ready = f"{self._network.nodes}/{self._network.nodes}"
        return lambda s: s.phase is Phase.RUNNING and s.recoveries == recoveries and s.ready_nodes == ready

    def _mark(self, moment: str) -> None:
        self._moments[moment] = datetime.now(UTC)


class Lost(Exception):
    """Something committed is missing: the one thing that must never happen."""


def _in_phase(phase: Phase) -> Callable[[NetworkStatus], bool]:
    return lambda status: status.phase is phase


def _told(missing: list[Written]) -> str:
    return ", ".join(f"{entry.key} at {entry.tx_id}" for entry in missing)


def _fingerprint(pem: str) -> str:
    return hashlib.sha256(pem.encode()).hexdigest()
