"""How fast the encoder is, against the same mathematics done the plain way and against its matrix products alone."""
