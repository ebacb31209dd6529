"""From whatever a caller hands over as shapes to the clouds that an encoder takes."""
