"""What moves messages: their frames, the links that carry them, and the door at which stations dial in."""
