"""Makes true what a transcript's `given` lines say. README.md lists them."""

import re
import shlex
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from unittest.mock import patch

from django.conf import settings
from django.test import override_settings

from accounts.limits import parse_size
from accounts.mailstore.flags import Flag
from mailhost.config import Config, parse_span
from tests.transcripts.grammar import BadTranscript, Transcript

MESSAGES = Path(__file__).parent / "messages"
_FLAGS = {f"\\{flag.name.capitalize()}": flag for flag in Flag}
_HOLDS = re.compile(
    r"(?P<folder>.+?)(?: of (?P<address>\S+@\S+))? holds (?P<files>[^()]+)"
    r"(?:flags \((?P<flags>[^)]*)\))?$"
)


@dataclass
class Scene:
    """What the connections of a performance need to know."""

    service: str
    peer: str = "127.0.0.1"
    is_tls: bool = False
    mailbox: str = ""  # the first one given: the owner of folders given without `of`


@contextmanager
def given(transcript: Transcript) -> Iterator[Scene]:
    """The scene of a transcript; settings are put back at the end."""
    scene = Scene(transcript.service)
    with ExitStack() as stack:
        for number, text in transcript.given:
            try:
                _make(text, scene, stack)
            except LookupError as error:
                raise BadTranscript(f"{transcript.path.name}:{number}: {error}") from error
        yield scene


def _make(text: str, scene: Scene, stack: ExitStack) -> None:
    if match := _HOLDS.fullmatch(text):
        _fill_folder(match, scene)
        return
    match shlex.split(text):
        case ["service", _]:
            pass
        case ["tls"]:
            scene.is_tls = True
        case ["peer", address]:
            scene.peer = address
        case ["setting", name, *value]:
            stack.enter_context(override_settings(MAILHOST=_changed(name, " ".join(value))))
        case ["domain", name]:
            _domain(name)
        case ["domain", name, "stands", "for", other]:
            _domain(name, stands_for=other)
        case ["mailbox", address, "shared"]:
            _mailbox(address, None, [])
        case [address, "may", "send", "as", other]:
            _may_send_as(address, other)
        case ["mailbox", address, "password", password, *more]:
            _mailbox(address, password, more)
            scene.mailbox = scene.mailbox or address
        case ["app", "password", password, "of", address, "for", *protocols]:
            _app_password(address, password, protocols)
        case ["token", token, "of", address, "for", *protocols]:
            _token(address, token, protocols)
        case ["clock", "jumps", span]:
            moments = count(step=parse_span(span).total_seconds())
            stack.enter_context(patch("protocols.servers.imap.progress.now", lambda: next(moments)))
        case ["scram", "nonce", nonce, "salt", salt]:
            stack.enter_context(patch("protocols.servers.authentication.make_nonce", lambda: nonce))
            made = b64decode(salt)
            stack.enter_context(patch("accounts.generated_secrets.scram_salt", lambda _: made))
        case ["alias", address, "leads", "to", *targets]:
            _alias(address, [target.strip(",") for target in targets])
        case ["masked", *names, "for", "client", program]:
            _rule(names, program, "")
        case ["masked", *names, "for", "mailbox", address]:
            _rule(names, "", address)
        case ["masked", *names, "for", "client", program, "of", address]:
            _rule(names, program, address)
        case [folder, "of", address, "gives", identifier, letters]:
            _give(address, folder, identifier, letters)
        case ["folder", name, "of", address]:
            _folder(address, name)
        case ["folder", name]:
            _folder(scene.mailbox, name)
        case _:
            raise LookupError(f"nothing is known of “given {text}”")


def _changed(name: str, value: str) -> Config:
    old = settings.MAILHOST.model_dump()
    name = name.lower()
    if name not in old:
        raise LookupError(f"there is no setting {name}")
    return Config(**{**old, name: value})


def _domain(name: str, stands_for: str = "") -> None:
    from accounts.directory.domains import create_domain, find_domain
    from accounts.models import Tenant

    tenant, _made = Tenant.objects.get_or_create(slug="transcripts", defaults={"name": "Tests"})
    create_domain(tenant, name, alias_of=find_domain(stands_for) if stands_for else None)


def _mailbox(address: str, password: str | None, more: list[str]) -> None:
    from accounts.directory.mailboxes import create_mailbox
    from accounts.models import Domain, Mailbox

    domain = address.rpartition("@")[2]
    if not Domain.objects.filter(name=domain).exists():
        _domain(domain)
    mailbox = create_mailbox(address, password, is_shared=password is None)
    match more:
        case []:
            pass
        case ["quota", size]:
            Mailbox.objects.filter(pk=mailbox.pk).update(quota_bytes=parse_size(size))
        case ["quota", count, "messages"]:
            Mailbox.objects.filter(pk=mailbox.pk).update(quota_messages=int(count))
        case ["quota", count, "folders"]:
            Mailbox.objects.filter(pk=mailbox.pk).update(quota_folders=int(count))
        case ["suspended"]:
            Mailbox.objects.filter(pk=mailbox.pk).update(is_suspended=True)
        case ["sets-quotas"]:
            Mailbox.objects.filter(pk=mailbox.pk).update(sets_quotas=True)
        case ["app-passwords-only"]:
            Mailbox.objects.filter(pk=mailbox.pk).update(app_passwords_only=True)
        case _:
            raise LookupError(f"a mailbox cannot be “{' '.join(more)}”")


def _app_password(address: str, password: str, protocols: list[str]) -> None:
    from accounts.app_passwords import create_app_password
    from accounts.directory.mailboxes import find_mailbox

    with patch("accounts.generated_secrets.make_app_password", lambda: password):
        create_app_password(find_mailbox(address), password, protocols)


def _token(address: str, token: str, protocols: list[str]) -> None:
    from accounts.access_tokens import create_token
    from accounts.directory.mailboxes import find_mailbox

    with patch("accounts.generated_secrets.make_token", lambda: token):
        create_token(find_mailbox(address), token, protocols)


def _rule(names: list[str], program: str, address: str) -> None:
    from accounts.directory.mailboxes import find_mailbox
    from accounts.directory.switchboard import create_rule

    field, _, value = program.rpartition("=")
    mailbox = find_mailbox(address) if address else None
    about = f"{program} {address}"
    create_rule(about, names, field=field or "name", value=value, mailbox=mailbox)


def _alias(address: str, targets: list[str]) -> None:
    from accounts.directory.aliases import create_alias
    from accounts.models import Domain

    domain = address.rpartition("@")[2]
    if not Domain.objects.filter(name=domain).exists():
        _domain(domain)
    create_alias(address, targets)


def _folder(address: str, name: str) -> int:
    """The folder's id, made where it is missing."""
    from accounts.directory.mailboxes import find_mailbox
    from accounts.mailstore import folders

    if not address:
        raise LookupError("a mailbox must be given before its folders")
    mailbox_id = find_mailbox(address).pk
    for folder in folders.list_folders(mailbox_id):
        if folder.name == name:
            return folder.id
    return folders.create_folder(mailbox_id, name).id


def _may_send_as(address: str, other: str) -> None:
    from accounts.directory.mailboxes import find_mailbox
    from accounts.directory.sharing import share_mailbox

    share_mailbox(find_mailbox(other), address, send=True)


def _give(address: str, folder: str, identifier: str, letters: str) -> None:
    from accounts.directory.mailboxes import find_mailbox
    from accounts.mailstore import acl, folders, rights

    owner = find_mailbox(address).pk
    who = acl.identified(owner, identifier)
    given = rights.parse(letters)
    acl.set_rights(owner, folders.find_folder(owner, folder), who, "", given)


def _fill_folder(match: re.Match[str], scene: Scene) -> None:
    from accounts.mailstore.append import append_message

    address = match["address"] or scene.mailbox
    folder_id = _folder(address, match["folder"].strip('"'))
    from accounts.directory.mailboxes import find_mailbox

    mailbox_id = find_mailbox(address).pk
    words = (match["flags"] or "").split()
    flags = sum(_FLAGS[word] for word in words if word in _FLAGS)
    keywords = [word for word in words if word not in _FLAGS]
    for name in re.split(r"[,\s]+", match["files"].strip()):
        octets = (MESSAGES / name).read_bytes()
        append_message(mailbox_id, folder_id, octets, flags=flags, keywords=keywords).result(
            timeout=60
        )
