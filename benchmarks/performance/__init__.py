"""How fast, and how much memory."""
