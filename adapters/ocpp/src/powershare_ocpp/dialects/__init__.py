"""The versions of OCPP: the messages of each, and what a session and its connectors leave to it."""
