"""Template filters of the pages; no queries, no requests, no clock."""
