"""Mail in motion: what comes in, what is submitted, the queue, and what goes out."""
