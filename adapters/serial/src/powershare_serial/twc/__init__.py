"""Tesla Gen 2 Wall Connectors over RS-485."""
