"""Speed of the encoder, next to the same mathematics done the plain way and to its matrix products alone."""
