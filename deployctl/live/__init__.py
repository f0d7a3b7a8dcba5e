"""WebSocket out: one hub a process, and sockets that only listen to it."""
