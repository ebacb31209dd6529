"""Views: a picture with depth and a camera; where in it a name lies, and what is hidden behind."""
