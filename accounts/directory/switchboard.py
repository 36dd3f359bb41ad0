"""The switchboard: rules that mask IMAP capabilities for broken mail programs.

A program is known by what it says in ID (RFC 2971), which it may say before its login or after. The
rules that are on are kept in memory, all of them, and die with the directory's stamp or version.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import limits, stamps
from accounts.directory import version
from accounts.directory.names import DirectoryError
from accounts.models import ClientRule, Mailbox
from protocols.wire.imap.capabilities import AFTER_LOGIN, ALWAYS, AT_TIMES

_CAPABILITY = re.compile(r"[A-Z0-9][A-Z0-9.+=_/-]*")
# Without the first there is no IMAP; the others keep passwords out of clear text.
_NEVER_MASKED = frozenset(("IMAP4REV1", "LOGINDISABLED", "STARTTLS"))
# What cannot be used without what is masked goes too.
_BUILT_ON: dict[str, tuple[str, ...]] = {
    "ACL": ("LIST-MYRIGHTS", "RIGHTS"),
    "CONDSTORE": ("QRESYNC",),
    # All of them are answered by ESEARCH.
    "ESEARCH": ("CONTEXT", "ESORT", "MULTISEARCH", "PARTIAL", "SEARCHRES"),
    "LIST-EXTENDED": ("LIST-METADATA", "LIST-MYRIGHTS", "LIST-STATUS"),
    "METADATA": ("FILTERS", "LIST-METADATA"),
    "SORT": ("CONTEXT=SORT", "ESORT"),
    "SPECIAL-USE": ("CREATE-SPECIAL-USE",),
}
# Who is told of IMAP4rev2 takes all of these for granted, whatever else is announced (RFC 9051
# Appendix E).
_OF_REV2 = (
    *("BINARY", "CHILDREN", "ENABLE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS"),
    *("LITERAL+", "MOVE", "NAMESPACE", "SASL-IR", "SEARCHRES", "SPECIAL-USE", "STATUS=SIZE"),
    *("UIDPLUS", "UNSELECT"),
)


class Rule(NamedTuple):
    """A rule as sessions ask it. `value` is folded; no `mailbox_id` means every mailbox."""

    field: str
    value: str
    is_exact: bool
    mailbox_id: int | None
    masks: frozenset[str]

    def fits_program(self, said: Mapping[str, str]) -> bool:
        """Whether it is about the program that said this of itself, by field in lower case."""
        if not self.value:
            return True
        values = [said.get(self.field, "")] if self.field else said.values()
        if self.is_exact:
            return any(value.casefold() == self.value for value in values)
        return any(self.value in value.casefold() for value in values)


class _Kept(NamedTuple):
    """All rules that are on, with the stamp or else the token of the directory they are of."""

    rules: tuple[Rule, ...]
    stamp: int | None
    token: int | None

    def is_known_to_be_true(self) -> bool:
        return self.stamp is not None and stamps.is_directory_current(self.stamp)


_kept: _Kept | None = None


def rules_at_hand(said: Mapping[str, str]) -> tuple[Rule, ...] | None:
    """`rules_about`, where they are known without a query."""
    kept = _kept
    if kept is None or not kept.is_known_to_be_true():
        return None
    return tuple(rule for rule in kept.rules if rule.fits_program(said))


def rules_about(said: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules about a program, those about single mailboxes too. Mostly without a query."""
    return tuple(rule for rule in _rules() if rule.fits_program(said))


def masked_by(rules: Iterable[Rule], mailbox_id: int | None) -> frozenset[str]:
    """What these rules mask for a mailbox; None: before the login."""
    return frozenset[str]().union(
        *(rule.masks for rule in rules if rule.mailbox_id in (None, mailbox_id))
    )


def hides(masked: frozenset[str], capability: str) -> bool:
    """Whether a capability is masked: by its name, or by what stands before its `=`."""
    if not masked:
        return False
    name = capability.upper()
    return name in masked or name.partition("=")[0] in masked


def find_rule(name: str) -> ClientRule:
    if (found := ClientRule.objects.filter(name=name).first()) is None:
        raise DirectoryError(_("There is no rule “%(name)s”.") % {"name": name})
    return found


@transaction.atomic
def create_rule(
    name: str,
    capabilities: Iterable[str],
    *,
    field: str = "name",
    value: str = "",
    is_exact: bool = False,
    mailbox: Mailbox | None = None,
) -> ClientRule:
    """Mask capabilities for a program, a mailbox, or a program of that mailbox."""
    name, value = name.strip(), value.strip()
    if not name:
        raise DirectoryError(_("A rule needs a name."))
    if ClientRule.objects.filter(name=name).exists():
        raise DirectoryError(_("The rule “%(name)s” exists already.") % {"name": name})
    if not value and mailbox is None:
        raise DirectoryError(_("A rule is about a program, a mailbox, or both."))
    check_room()
    rule = ClientRule(
        name=name,
        field=field.strip().lower(),
        value=value,
        is_exact=is_exact,
        mailbox=mailbox,
        capabilities=" ".join(check_capabilities(" ".join(capabilities))),
    )
    try:
        # Not every database minds what is longer than its column.
        rule.clean_fields(exclude=["mailbox"])
    except ValidationError as error:
        raise DirectoryError(" ".join(error.messages)) from None
    rule.save()
    version.touch()
    return rule


@transaction.atomic
def enable_rule(rule: ClientRule, *, is_enabled: bool = True) -> None:
    rule.is_enabled = is_enabled
    rule.save(update_fields=["is_enabled"])
    version.touch()


@transaction.atomic
def remove_rule(rule: ClientRule) -> None:
    rule.delete()
    version.touch()


def check_room() -> None:
    """Sessions keep all rules: there are not to be many. DirectoryError."""
    if ClientRule.objects.count() >= limits.CLIENT_RULES:
        raise DirectoryError(
            _("There are %(most)s rules, which is all there may be.")
            % {"most": limits.CLIENT_RULES}
        )


def check_capabilities(text: str) -> list[str]:
    """The names of capabilities in a text, in upper case and in order. DirectoryError."""
    names = sorted({name.upper() for name in re.split(r"[\s,]+", text) if name})
    if not names:
        raise DirectoryError(_("A rule masks at least one capability."))
    for name in names:
        if _CAPABILITY.fullmatch(name) is None:
            raise DirectoryError(_("“%(name)s” is no name of a capability.") % {"name": name})
        if name in _NEVER_MASKED:
            raise DirectoryError(_("“%(name)s” cannot be masked.") % {"name": name})
        if not _is_there(name):
            raise DirectoryError(_("“%(name)s” is no name of a capability.") % {"name": name})
    return names


def _is_there(name: str) -> bool:
    """Whether masking the name hides anything; a slip of the pen would be found out late."""
    masked = frozenset((name,))
    known = (*ALWAYS, *AFTER_LOGIN, *AT_TIMES)
    return name.startswith("AUTH=") or any(hides(masked, each) for each in known)


def forget() -> None:
    """Read the rules again before the next answer."""
    global _kept
    _kept = None


def _rules() -> tuple[Rule, ...]:
    global _kept
    kept = _kept
    if kept is not None and kept.is_known_to_be_true():
        return kept.rules
    stamp = stamps.take_of_directory()
    # The token may be one of a second ago: what it says is no stamp's.
    token = version.current() if stamp is None else None
    if kept is not None and token is not None and kept.token == token:
        return kept.rules
    rows = ClientRule.objects.filter(is_enabled=True).order_by("pk")[: limits.CLIENT_RULES]
    rules = tuple(
        Rule(field, value.casefold(), is_exact, mailbox_id, _with_built_on(capabilities))
        for field, value, is_exact, mailbox_id, capabilities in rows.values_list(
            "field", "value", "is_exact", "mailbox_id", "capabilities"
        )
    )
    _kept = _Kept(rules, stamp, token)
    return rules


def _with_built_on(capabilities: str) -> frozenset[str]:
    names = capabilities.split()
    masked = frozenset([*names, *(more for name in names for more in _BUILT_ON.get(name, ()))])
    if any(hides(masked, name) for name in _OF_REV2):
        return masked | {"IMAP4REV2"}
    return masked
