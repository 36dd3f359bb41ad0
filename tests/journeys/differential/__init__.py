"""One script of dialogues for two servers, and what the one says that the other does not."""
