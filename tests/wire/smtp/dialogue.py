"""Drive a ServerConversation with a session that says yes, or what a test tells it to say."""

from collections.abc import Callable

from protocols.wire.smtp.events import (
    Auth,
    AuthAnswer,
    Event,
    Hello,
    MailFrom,
    MessageChunk,
    MessageEnd,
    RcptTo,
)
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.server import ServerConversation
from protocols.wire.smtp.terms import Terms

OK = Reply(250, "2.0.0", "Ok")
TERMS = Terms(max_size=1000)
SUBMISSION = Terms(max_size=1000, is_submission=True)

Answer = Callable[[Event], Reply]


def say_yes(event: Event) -> Reply:
    match event:
        case Hello(keywords=keywords):
            return Reply(250, "", ("mx.test", *keywords))
        case Auth(initial=None):
            return Reply(334, "", "Z28gb24=")
        case Auth() | AuthAnswer():
            return Reply(235, "2.7.0", "Welcome")
        case MessageEnd(refusal=Reply() as refusal):
            return refusal
        case _:
            return OK


class Server:
    """A conversation and its session; `messages` are the complete ones, without refused ones."""

    def __init__(
        self, terms: Terms = TERMS, *, is_tls: bool = False, answer: Answer = say_yes
    ) -> None:
        self.conversation = ServerConversation(terms, is_tls=is_tls)
        self.answer = answer
        self.events: list[Event] = []
        self.messages: list[bytes] = []
        self._message = b""

    def say(self, octets: bytes) -> bytes:
        """What the server answers to these octets."""
        self.conversation.receive_data(octets)
        self.run()
        return self.conversation.data_to_send()

    def run(self) -> None:
        while (event := self.conversation.next_event()) is not None:
            self.events.append(event)
            match event:
                case MessageChunk(octets):
                    self._message += octets
                    continue
                case MessageEnd(octets, refusal):
                    if refusal is None:
                        self.messages.append(self._message + octets)
                    self._message = b""
            self.conversation.send(self.answer(event))

    def codes(self, octets: bytes) -> list[str]:
        """The code (and the enhanced code, where there is one) of every reply."""
        replies = []
        for line in self.say(octets).decode().splitlines():
            if line[3:4] != "-":
                words = line.split(" ", 2)
                enhanced = words[1] if words[1][1:2] == "." else ""
                replies.append(f"{words[0]} {enhanced}".strip())
        return replies

    @property
    def recipients(self) -> list[str]:
        return [str(event.recipient) for event in self.events if isinstance(event, RcptTo)]

    @property
    def senders(self) -> list[MailFrom]:
        return [event for event in self.events if isinstance(event, MailFrom)]


def greeted(terms: Terms = TERMS, *, is_tls: bool = False, answer: Answer = say_yes) -> Server:
    server = Server(terms, is_tls=is_tls, answer=answer)
    server.say(b"EHLO client.test\r\n")
    return server
