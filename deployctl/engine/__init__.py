"""Makes the core's actions happen; what to do next is never decided in here."""
