"""The central system behind this one: what is passed on to it, kept for it, and limited by it."""
