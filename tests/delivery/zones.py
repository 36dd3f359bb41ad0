"""A name server over loopback UDP and TCP that answers from a table."""

import socket
import socketserver
import struct
import threading
from collections import Counter

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.test. hostmaster.test. 1 60 60 60 5"


class Zones:
    """`records` maps `name TYPE` to texts; `rcodes` maps a name to what is answered instead.

    A name with `DROP` as its rcode is not answered at all.
    """

    def __init__(self, records: dict[str, list[str]], rcodes: dict[str, str] | None = None):
        self.records = records
        self.rcodes = rcodes or {}
        self.ttl = 60
        self.is_authentic = False
        self.truncates = False
        self.asked: Counter[str] = Counter()

    def __enter__(self) -> "Zones":
        zones = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                reply = zones.answer(data, is_udp=True)
                if reply:
                    sock.sendto(reply, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                (size,) = struct.unpack("!H", self.rfile.read(2))
                reply = zones.answer(self.rfile.read(size), is_udp=False)
                if reply:
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

        self._udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)
        self.port = self._udp.server_address[1]
        while True:
            try:
                self._tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Tcp)
                break
            except OSError:
                # Somebody has that port for TCP.
                self._udp.server_close()
                self._udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)
                self.port = self._udp.server_address[1]
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, data: bytes, *, is_udp: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[f"{name} {kind}"] += 1
        reply = dns.message.make_response(query)
        if self.is_authentic:
            reply.flags |= dns.flags.AD
        rcode = self.rcodes.get(name)
        if rcode == "DROP":
            return None
        if is_udp and self.truncates:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        if rcode:
            reply.set_rcode(dns.rcode.from_text(rcode))
        elif texts := self.records.get(f"{name} {kind}"):
            reply.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *texts))
        else:
            if not any(key.split()[0] == name for key in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            reply.authority.append(dns.rrset.from_text("test.", self.ttl, "IN", "SOA", SOA))
        return reply.to_wire()


def unused_port() -> int:
    """A port at which nobody listens, and which nobody else is given while this process lives."""
    sock = socket.socket()
    # A peer may listen there later all the same.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    _held.append(sock)
    return sock.getsockname()[1]


_held: list[socket.socket] = []
