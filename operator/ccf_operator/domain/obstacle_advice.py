"""What a person can do about an obstacle: one line for each kind, with the names its message tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ccf_operator.api.status import Obstacle, ObstacleSource

_NAMED = {
    "webhook": re.compile(r"""webhook ["'`]([^"'`\s]+)["'`]"""),
    "policy": re.compile(r"""ValidatingAdmissionPolicy ["'`]([^"'`\s]+)["'`]"""),
    "quota": re.compile(r"""exceeded quota: ([^,\s]+)"""),
    "image": re.compile(r"""image ["'`]([^"'`\s]+)["'`]"""),
    "missing": re.compile(r"""((?:configmap|secret|persistentvolumeclaim|serviceaccount)s? ["'`][^"'`]+["'`])"""),
    "machine": re.compile(r"""machine ([^,\s]+), which is cordoned"""),
    "storageclass": re.compile(r"""(?i)storageclass(?:\.storage\.k8s\.io)? ["'`]([^"'`\s]+)["'`]"""),
}
"""Names that messages give, and how to find them."""


@dataclass(frozen=True)
class Advice:
    """What such an obstacle means, and what to do. `{object}`, `{namespace}`, `{kind}`, `{name}` stand for the object
    it is about; the words of `_NAMED` for what its message names (else a word that says where to look)."""

    source: ObstacleSource
    reason: str
    means: str
    do: str


_API, _STORAGE, _SCHEDULER, _KUBELET, _CCF, _NETWORK = (
    ObstacleSource.API_SERVER,
    ObstacleSource.STORAGE,
    ObstacleSource.SCHEDULER,
    ObstacleSource.KUBELET,
    ObstacleSource.CCF,
    ObstacleSource.NETWORK,
)

_POLICIES = "kubectl get networkpolicy -n {namespace}"
_DESCRIBE = "kubectl -n {namespace} describe {kind} {name}"

ADVICE: tuple[Advice, ...] = (
    Advice(
        _API,
        "WebhookFailed",
        "An admission webhook could not be asked, and its `failurePolicy` is Fail.",
        "bring admission webhook {webhook} back, or delete its configuration: kubectl get "
        "validatingwebhookconfigurations,mutatingwebhookconfigurations -o wide",
    ),
    Advice(
        _API,
        "AdmissionDenied",
        "An admission webhook has refused the object.",
        "let admission webhook {webhook} accept {object}, or correct what it objects to",
    ),
    Advice(
        _API,
        "PolicyDenied",
        "A ValidatingAdmissionPolicy has refused the object.",
        "let the policy accept {object}: kubectl get validatingadmissionpolicy {policy} -o yaml",
    ),
    Advice(
        _API,
        "PodSecurity",
        "The namespace enforces a Pod Security level that the pod does not keep.",
        "correct spec.pods, or the namespace's label: kubectl get namespace {namespace} --show-labels",
    ),
    Advice(
        _API,
        "QuotaExceeded",
        "A ResourceQuota leaves no room.",
        "raise the quota or free what counts in it: kubectl -n {namespace} describe resourcequota {quota}",
    ),
    Advice(
        _API,
        "NamespaceTerminating",
        "The namespace is being deleted: nothing can be created in it.",
        "see what holds it: kubectl get namespace {namespace} -o yaml",
    ),
    Advice(
        _API,
        "Forbidden",
        "The operator has no right to do it, or an admission plugin forbids it.",
        "give the operator the right that is missing (helm upgrade of its chart), or correct what is forbidden",
    ),
    Advice(_API, "Unauthorized", "The API server does not know the operator.", "restart the operator's pod"),
    Advice(
        _API,
        "TooLarge",
        "The object is larger than the API server takes.",
        "make the constitution and the members' files and data smaller: they go into one ConfigMap of at most 1 MiB",
    ),
    Advice(
        _API,
        "Throttled",
        "The API server has too much to do.",
        "nothing, if it passes: it is tried again; else find out who keeps the API server busy",
    ),
    Advice(
        _API,
        "DatabaseFull",
        "The API server's database (etcd) takes no more.",
        "free or raise etcd's space quota, and disarm its alarm",
    ),
    Advice(
        _API,
        "Conflict",
        "Something else changes the object all the time.",
        "find out who does: kubectl -n {namespace} get {kind} {name} -o yaml --show-managed-fields",
    ),
    Advice(
        _API,
        "Invalid",
        "The API server does not accept the object.",
        "correct the field of the spec that the message names",
    ),
    Advice(
        _API,
        "NotFound",
        "Something that the object needs does not exist.",
        "create what the message names",
    ),
    Advice(
        _API,
        "NotRenderable",
        "The object cannot be made from what is known.",
        "correct the spec or what it refers to",
    ),
    Advice(
        _API,
        "Unavailable",
        "The API server, or what it asks, fails.",
        "nothing, if it passes: it is tried again; else see the API server's log",
    ),
    Advice(
        _SCHEDULER,
        "Unschedulable",
        "No Kubernetes Node can take the pod.",
        "make room for {name}, as the scheduler's words say, or bring back the machine its volume is on",
    ),
    Advice(
        _SCHEDULER,
        "Cordoned",
        "The machine that has the pod's volume takes no new pods: somebody has cordoned it.",
        "let it take pods again: kubectl uncordon {machine}; or wait until whoever drains it has done so",
    ),
    Advice(
        _KUBELET,
        "ImagePullBackOff",
        "The image cannot be pulled.",
        "correct spec.image or spec.imagePullSecrets, or make image {image} available",
    ),
    Advice(
        _KUBELET,
        "ErrImageNeverPull",
        "The image is not on the machine, and the pull policy is Never.",
        "load image {image} onto the machine, or correct spec.imagePullPolicy",
    ),
    Advice(
        _KUBELET,
        "InvalidImageName",
        "The image's name cannot be one.",
        "correct spec.image",
    ),
    Advice(
        _KUBELET,
        "CreateContainerConfigError",
        "The container cannot be made: something that it refers to is not there, or not allowed.",
        "create or correct {missing}, which the message names",
    ),
    Advice(
        _KUBELET,
        "CreateContainerError",
        "The container runtime cannot make the container.",
        f"see the pod's events: {_DESCRIBE}",
    ),
    Advice(
        _KUBELET,
        "RunContainerError",
        "The container runtime cannot start the container.",
        "correct spec.command or spec.image, if the message says that there is no such file; else "
        f"see the pod's events: {_DESCRIBE}",
    ),
    Advice(
        _KUBELET,
        "CrashLoopBackOff",
        "A container that was put into the pod ends again and again.",
        "see what it says: kubectl -n {namespace} logs {name} --all-containers --previous",
    ),
    Advice(
        _KUBELET,
        "FailedMount",
        "The kubelet cannot mount a volume of the pod.",
        f"see which volume, and why: {_DESCRIBE}",
    ),
    Advice(
        _STORAGE,
        "FailedAttachVolume",
        "The volume cannot be attached to the machine.",
        "find out where it is attached: kubectl get volumeattachments; a machine that is down for good keeps its "
        "volumes until it is tainted node.kubernetes.io/out-of-service",
    ),
    Advice(
        _KUBELET,
        "FailedCreatePodSandBox",
        "The machine cannot make the pod's sandbox: its pod network or its container runtime fails.",
        f"see the pod's events, and the machine's network plugin: {_DESCRIBE}",
    ),
    Advice(
        _KUBELET,
        "NetworkNotReady",
        "The machine's pod network is not ready.",
        "see the machine's network plugin, and: kubectl describe node",
    ),
    Advice(
        _STORAGE,
        "ProvisioningFailed",
        "The volume cannot be provisioned.",
        "correct the storage class or its provisioner: kubectl describe storageclass {storageclass}",
    ),
    Advice(
        _STORAGE,
        "FailedBinding",
        "No volume is there for the claim, and no storage class makes one.",
        "make a volume for it, or name a storage class: kubectl get storageclasses,persistentvolumes",
    ),
    Advice(
        _STORAGE,
        "ExternalProvisioning",
        "The storage class's provisioner has not made the volume yet.",
        "see that the provisioner runs, which the message names",
    ),
    Advice(
        _CCF,
        "Aborted",
        "A CCF node gave up by itself; the message has its last words.",
        "correct the spec, the image or the constitution, if the words speak of them; it is tried again",
    ),
    Advice(
        _CCF,
        "Refused",
        "A CCF node has refused what the operator asked of it.",
        "nothing, if it passes: it is tried again",
    ),
    Advice(
        _NETWORK,
        "TimedOut",
        "A node runs, and packets to it are lost: a network policy or the pod network drops them.",
        f"see which policies apply to {{name}} and to the operator's pod: {_POLICIES}",
    ),
    Advice(
        _NETWORK,
        "Refused",
        "A node's container runs, and nothing listens at its address: it is not so far yet, listens on IPv4 only, or "
        "a policy refuses.",
        f"see what it says and which policies apply: kubectl -n {{namespace}} logs {{name}} -c ccf; {_POLICIES}",
    ),
    Advice(
        _NETWORK,
        "NoReply",
        "A node takes connections and says nothing: its process hangs, is frozen, or has too much to do.",
        "see what it does: kubectl -n {namespace} logs {name} -c ccf; kubectl -n {namespace} top pod {name}",
    ),
    Advice(
        _NETWORK,
        "Unreachable",
        "There is no way from the operator to a node that runs: a route is missing, or a firewall rejects.",
        f"see the pod network of both machines: kubectl -n {{namespace}} get pod {{name}} -o wide; {_POLICIES}",
    ),
    Advice(
        _NETWORK,
        "NameDoesNotResolve",
        "The name of a node does not resolve.",
        "see that the cluster's DNS works, and that the chart value clusterDomain is the cluster's",
    ),
    Advice(
        _NETWORK,
        "TLS",
        "What answers at a node's address does not agree on TLS: a proxy or a service mesh may be between.",
        "see whether something was put into the pods or between them: kubectl -n {namespace} describe pod {name}",
    ),
    Advice(
        _NETWORK,
        "Protocol",
        "What answers at a node's address does not speak as a node does: a proxy or a service mesh may be between.",
        "see whether something was put into the pods or between them: kubectl -n {namespace} describe pod {name}",
    ),
    Advice(
        _NETWORK,
        "NotHeardOf",
        "A joiner runs, and the service it is to join has heard nothing of it: the name or the address at which it is "
        "to ask leads nowhere.",
        "see that the chart value clusterDomain is the cluster's, that DNS works, and that policies let nodes reach "
        f"one another, ports 8080 and 8081: {_POLICIES}",
    ),
)
"""Every kind of obstacle with a line of its own."""

_BY_KIND = {(one.source, one.reason): one for one in ADVICE}

_OTHERWISE = {
    _API: "the API server refuses it: correct what its words name",
    _STORAGE: f"see the events: {_DESCRIBE}",
    _SCHEDULER: "make room for {name}, as the scheduler's words say",
    _KUBELET: f"see the kubelet's words: {_DESCRIBE}",
    _CCF: "see what the node says: kubectl -n {namespace} logs {name} --all-containers",
    _NETWORK: "see that the operator's pod can reach {object}: network policies, DNS, the pod network",
}

_WHERE_TO_LOOK = {"quota": "", "image": "(see the message)", "storageclass": "", "policy": "", "machine": "NAME"}


def advice(obstacles: Iterable[Obstacle], namespace: str) -> str:
    """What to do about the first of these; empty where there is none."""
    first = next(iter(obstacles), None)
    if first is None:
        return ""
    known = _BY_KIND.get((first.source, first.reason))
    text = known.do if known is not None else _OTHERWISE[first.source]
    return text.format(**_words(first, namespace)).rstrip()


def _words(one: Obstacle, namespace: str) -> dict[str, str]:
    kind, _, name = one.object.partition(" ")
    found = {
        word: match.group(1) if (match := pattern.search(one.message)) else _WHERE_TO_LOOK.get(word, "it")
        for word, pattern in _NAMED.items()
    }
    return {**found, "object": one.object, "kind": kind.lower(), "name": name, "namespace": namespace}
