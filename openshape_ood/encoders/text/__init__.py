"""Text encoders of class names."""
