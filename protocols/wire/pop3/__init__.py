"""What may be said in POP3 (RFC 1939, 2449, 2595, 3206, 5034). Read `commands`, then `server`."""
