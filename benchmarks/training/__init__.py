"""How `tiny` was made."""
