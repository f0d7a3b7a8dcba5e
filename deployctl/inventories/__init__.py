"""Fleets as files: read and written here as text; what follows, services say."""
