"""Tesla Gen 3 Wall Connectors by their local HTTP interface, which can be read and not written."""
