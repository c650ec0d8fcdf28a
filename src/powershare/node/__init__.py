"""One connector's brain: leader and follower are roles of the same node. No sockets, no seconds."""

from powershare.node.codec import decode, encode
from powershare.node.config import WITNESS, Commissioning, NetworkConfig, Stage, steps
from powershare.node.events import (
    Applied,
    Configure,
    DeviceState,
    Event,
    HandOver,
    Limited,
    Measured,
    Note,
    OtherLoad,
    Output,
    Received,
    Send,
    Woken,
)
from powershare.node.messages import Confirmation, Heartbeat, Message, Refusal, StatusReport, Vote
from powershare.node.node import Node

__all__ = [
    "WITNESS",
    "Applied",
    "Commissioning",
    "Configure",
    "Confirmation",
    "DeviceState",
    "Event",
    "HandOver",
    "Heartbeat",
    "Limited",
    "Measured",
    "Message",
    "NetworkConfig",
    "Node",
    "Note",
    "OtherLoad",
    "Output",
    "Received",
    "Refusal",
    "Send",
    "Stage",
    "StatusReport",
    "Vote",
    "Woken",
    "decode",
    "encode",
    "steps",
]
