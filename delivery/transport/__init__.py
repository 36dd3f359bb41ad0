"""Carrying messages to other hosts: routes, TLS and sockets. Policies come in, outcomes go out."""
