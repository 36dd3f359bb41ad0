"""How the world talks to us: grammar (`wire`), Twisted shells (`servers`), pages (`web`)."""
