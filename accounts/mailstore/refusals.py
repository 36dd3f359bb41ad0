"""What the mail store may refuse, each with a sentence for the person at the other end."""


class StoreRefusal(Exception):
    """The request cannot be met as things are; nothing was changed."""


class OverQuota(StoreRefusal):
    """The mailbox has no room for that (RFC 9051 §7.1, OVERQUOTA)."""


class NoSuchMessage(StoreRefusal):
    """The message was expunged meanwhile."""


class TooManyKeywords(StoreRefusal):
    """The folder has no bit left for another keyword, or no room for one so long."""


class NotPermitted(StoreRefusal):
    """The folder is another's, who has not given the right to do that (RFC 4314)."""


class BadRights(StoreRefusal):
    """A list of rights holds a letter that stands for none."""


class TooManyEntries(StoreRefusal):
    """The access control list is as long as it may be."""


class NoSuchIdentifier(StoreRefusal):
    """No mailbox of the tenant is called so."""


class TookTooLong(StoreRefusal):
    """What was stored for a request is gone again: nobody finished it for an hour."""


class SearchTooLarge(StoreRefusal):
    """A search would be more work than one may be."""


class FolderError(StoreRefusal):
    """Something about a folder's name or existence."""


class NoSuchFolder(FolderError):
    """There is no folder of that name, or it was deleted meanwhile."""


class FolderExists(FolderError):
    """The name is taken."""


class BadFolderName(FolderError):
    """No folder may have that name."""


class FolderHasChildren(FolderError):
    """A folder that holds no messages itself stays while folders lie below it."""


class InboxIsFixed(FolderError):
    """INBOX cannot be deleted, created or made the target of a rename."""


class UndefinedFilter(StoreRefusal):
    """There is no stored search of that name (RFC 5466 §3.1)."""

    def __init__(self, name: str) -> None:
        super().__init__("There is no such filter.")
        self.name = name


class FiltersTooLarge(StoreRefusal):
    """A search comes to more keys than one may have, with the filters that it names."""


class AnnotationTooLong(StoreRefusal):
    """An annotation's value has more octets than one may have."""


class TooManyAnnotations(StoreRefusal):
    """The mailbox has as many annotations as it may."""


class SpecialUseRefused(StoreRefusal):
    """There is no such special use, or the folder cannot have it (RFC 6154 §3, USEATTR)."""


class TooManyFolders(FolderError):
    """The mailbox has as many folders as it may."""
