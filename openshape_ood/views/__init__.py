"""RGB-D views: where a name lies in an image, lifted to 3D, and completed where it is hidden."""
