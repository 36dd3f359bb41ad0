"""The dialogues of the textbook, typed over real sockets against the whole platform."""

import threading
import time

import pytest

from tests.journeys.conftest import MakeInstance
from tests.journeys.wire import Line
from tests.partners.instance import PASSWORD, Instance

BOB = "receptor@direccionreceptor.es"


@pytest.fixture(scope="module")
def host(make_instance: MakeInstance) -> Instance:
    instance = make_instance("textbook", HOSTNAME="mail.direccionreceptor.es")
    instance.add_mailbox(BOB)
    return instance


def test_the_smtp_dialogue(host: Instance) -> None:
    line = Line(host.address, host.SMTP)
    assert line.read().startswith("220 mail.direccionreceptor.es ")
    assert line.say("HELO direccionemisor.es").startswith("250 ")
    assert line.say("MAIL FROM: <emisor@direccionemisor.es>").startswith("250 2.1.0 ")
    assert line.say("RCPT TO: <nadie@direccionreceptor.es>").startswith("550 5.1.1 ")
    assert line.say(f"RCPT TO: <{BOB}>").startswith("250 2.1.5 ")
    assert line.say("DATA").startswith("354 ")
    line.send(b"Hola.\r\nEsto es el cuerpo: sin cabeceras.\r\nUn saludo.\r\n.\r\n")
    reply = line.read()
    assert reply.startswith("250 2.0.0 Ok: queued as ")
    # A second message in the same session.
    assert line.say("MAIL FROM:<emisor@direccionemisor.es>").startswith("250 2.1.0 ")
    assert line.say(f"RCPT TO:<{BOB}>").startswith("250 2.1.5 ")
    assert line.say("DATA").startswith("354 ")
    line.send(b"Subject: segundo\r\n\r\nOtro mensaje.\r\n.\r\n")
    assert line.read().startswith("250 2.0.0 Ok: queued as ")
    assert line.say("QUIT").startswith("221 2.0.0 ")

    first, second = host.inbox(BOB)
    header, _, body = first.partition(b"\r\n\r\n")
    assert body == b"Hola.\r\nEsto es el cuerpo: sin cabeceras.\r\nUn saludo.\r\n"
    for field in (
        b"Return-Path: <emisor@direccionemisor.es>",
        b"\r\nMessage-ID: <",
        b"\r\nDate: ",
        b"\r\nFrom: ",
        b"\r\nDelivered-To: ",
        b"\r\nX-Original-To: ",
        b"id " + reply.rsplit(" ", 1)[1].encode(),
    ):
        assert field in header, (field, header)
    assert second.endswith(b"Subject: segundo\r\n\r\nOtro mensaje.\r\n")


def test_strangers_may_not_relay(host: Instance) -> None:
    line = Line(host.address, host.SMTP)
    line.read()
    line.say("EHLO direccionemisor.es")
    line.say("MAIL FROM:<emisor@direccionemisor.es>")
    assert line.say("RCPT TO:<alguien@otrositio.es>").startswith("550 5.7.1 ")
    assert line.say("VRFY receptor").startswith("252 ")
    line.close()


def test_the_pop3_dialogue(host: Instance) -> None:
    user = "pop@direccionreceptor.es"
    host.add_mailbox(user)
    sender = Line(host.address, host.SMTP)
    sender.read()
    sender.say("HELO direccionemisor.es")
    for number in (1, 2):
        sender.say("MAIL FROM:<emisor@direccionemisor.es>")
        sender.say(f"RCPT TO:<{user}>")
        sender.say("DATA")
        assert sender.say(f"Subject: n{number}\r\n\r\ntexto {number}\r\n.").startswith("250")

    def login() -> Line:
        pop = Line(host.address, host.POP3)
        assert pop.read().startswith("+OK")
        assert pop.say(f"USER {user}").startswith("+OK")
        assert pop.say(f"PASS {PASSWORD}").startswith("+OK")
        return pop

    pop = login()
    assert pop.say("LIST").startswith("+OK 2")
    assert len(pop.read_multiline().splitlines()) == 2
    assert pop.say("RETR 1").startswith("+OK")
    assert pop.read_multiline().endswith(b"Subject: n1\r\n\r\ntexto 1\r\n")
    assert pop.say("DELE 1").startswith("+OK")
    assert pop.say("RETR 1").startswith("-ERR")
    assert pop.say("RSET").startswith("+OK")
    assert pop.say("RETR 1").startswith("+OK")
    pop.read_multiline()
    assert pop.say("DELE 1").startswith("+OK")
    pop.close()  # lost, not quit: nothing is deleted

    deadline = time.monotonic() + 10
    while True:
        pop = Line(host.address, host.POP3)
        pop.read()
        pop.say(f"USER {user}")
        if pop.say(f"PASS {PASSWORD}").startswith("+OK"):
            break
        assert time.monotonic() < deadline, "the maildrop stays locked"
        time.sleep(0.05)
    assert pop.say("STAT").startswith("+OK 2 ")
    assert pop.say("DELE 1").startswith("+OK")
    assert pop.say("QUIT").startswith("+OK")
    pop = login()
    assert pop.say("STAT").startswith("+OK 1 ")
    assert pop.say("QUIT").startswith("+OK")


def test_the_imap_dialogue(host: Instance) -> None:
    user = "imap@direccionreceptor.es"
    host.add_mailbox(user)

    def login() -> Line:
        imap = Line(host.address, host.IMAP)
        assert imap.read().startswith("* OK")
        imap.send(f'a1 LOGIN {user} "{PASSWORD}"\r\n'.encode())
        assert imap.read_until("a1 ")[-1].startswith("a1 OK")
        return imap

    def say(imap: Line, command: str) -> list[str]:
        imap.send(f"t {command}\r\n".encode())
        answer = imap.read_until("t ")
        assert answer[-1].startswith("t OK"), answer
        return answer

    imap = login()
    say(imap, "CREATE Proyectos/2026")
    say(imap, "RENAME Proyectos/2026 Proyectos/Antiguos")
    assert any(line.endswith('"/" Proyectos/Antiguos') for line in say(imap, 'LIST "" "*"'))
    text = b"Subject: informe\r\nFrom: jefa@direccionemisor.es\r\n\r\nprimera\r\nsegunda\r\n"
    imap.send(b"t APPEND Proyectos/Antiguos (\\Flagged) {%d}\r\n" % len(text))
    assert imap.read().startswith("+")
    imap.send(text + b"\r\n")
    assert "APPENDUID" in imap.read_until("t ")[-1]
    say(imap, "SELECT Proyectos/Antiguos")
    assert "* SEARCH 1" in say(imap, "SEARCH SUBJECT informe FLAGGED TEXT segunda")
    assert "* SEARCH" in say(imap, "SEARCH SUBJECT ausente")
    imap.send(b"t FETCH 1 BODY.PEEK[TEXT]<9.7>\r\n")
    assert imap.read() == "* 1 FETCH (BODY[TEXT]<9> {7}"
    assert imap.read_octets(7) == b"segunda"
    assert imap.read() == ")"
    assert imap.read().startswith("t OK")

    # One device idles while another changes flags.
    other = login()
    say(other, "SELECT Proyectos/Antiguos")
    imap.send(b"t IDLE\r\n")
    assert imap.read().startswith("+")
    heard: list[str] = []
    listener = threading.Thread(target=lambda: heard.append(imap.read()))
    listener.start()
    say(other, "STORE 1 +FLAGS (\\Answered)")
    listener.join(10)
    assert len(heard) == 1
    assert heard[0].startswith("* 1 FETCH (")
    assert "\\Answered" in heard[0]
    imap.send(b"DONE\r\n")
    assert imap.read_until("t ")[-1].startswith("t OK")
