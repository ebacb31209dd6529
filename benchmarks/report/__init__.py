"""Tables, pictures and files of a run."""
