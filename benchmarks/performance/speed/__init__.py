"""Speed of the encoder, compared with a plain implementation and with its matrix products alone."""
