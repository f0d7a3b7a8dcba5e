"""Every read that more than one place needs, one module a noun; nothing is written."""
