"""`manage.py serve SERVICE …`: the listeners of these services, in the foreground."""

import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connections

from accounts import limits
from accounts.management.plain import PlainCommand
from protocols.servers.children import Children
from protocols.servers.listeners import SERVICES, CannotListen, bind_socket, preload
from protocols.servers.processors import own_processor
from protocols.servers.running import ReadyFile, Server, chosen, open_sockets, tls_server
from protocols.servers.tls import TlsError


class Command(PlainCommand):
    help = "Run servers in the foreground; SIGTERM stops them cleanly."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "services",
            nargs="+",
            choices=[*SERVICES, "all"],
            metavar="SERVICE",
            help=f"one or more of {', '.join(SERVICES)}, or all",
        )
        parser.add_argument(
            "--processes",
            type=int,
            default=1,
            metavar="N",
            help="how many processes share the ports (default: 1)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        services, count = options["services"], options["processes"]
        if count < 1:
            raise CommandError("--processes takes a number from 1 on.")
        most = limits.SERVERS_ON_SQLITE
        if count > most and settings.MAILHOST.is_embedded:
            raise CommandError(f"The embedded database takes at most {most} server processes.")
        listeners = chosen(SERVICES if "all" in services else services)
        ports = {each.name: getattr(settings.MAILHOST, each.port_setting) for each in listeners}
        ready = ReadyFile(settings.HOME)
        # Neither threads nor database connections survive a fork.
        connections.close_all()
        try:
            tls = tls_server()
            if count == 1:
                server = Server(listeners, open_sockets(listeners), tls)
                server.run(lambda: ready.write(ports))
                return
            held = [bind_socket(settings.MAILHOST.bind, p, shared=True) for p in ports.values()]
        except (CannotListen, TlsError) as error:
            raise CommandError(str(error)) from error
        finally:
            ready.remove()

        def serve(place: int, when_ready: Callable[[], None]) -> None:
            for sock in held:
                sock.close()
            server = Server(listeners, open_sockets(listeners, shared=True), tls)
            server.run(when_ready, processor=own_processor(place, count))

        preload(listeners)
        try:
            status = Children(count, serve).run(lambda: ready.write(ports))
        finally:
            ready.remove()
        sys.exit(status)
