"""The live part: hub, sockets and what they refuse."""
