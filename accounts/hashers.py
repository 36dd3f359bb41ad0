"""argon2id at the cost we can pay on every login."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """19 MiB, two passes, one lane: a ninth of the CPU of Django's default."""

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1
