"""Every write: one function for each thing that a person or a worker may do."""
