"""The trained baselines of 3DOS: networks, their training and their scores, beside the frozen encoders."""
