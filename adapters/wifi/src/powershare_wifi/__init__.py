"""Nodes on different hosts: sealed datagrams over the local network."""

from powershare_wifi.network import UdpNetwork, udp_network

__all__ = ["UdpNetwork", "udp_network"]
