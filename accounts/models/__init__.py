"""The nouns of mail at rest, one a file."""

from accounts.models.access_token import AccessToken
from accounts.models.alias import Alias, AliasTarget
from accounts.models.annotation import Annotation
from accounts.models.blob import Blob, CommitMark, Segment
from accounts.models.change import Change
from accounts.models.client_rule import ClientRule
from accounts.models.directory_version import DirectoryVersion
from accounts.models.domain import DkimKey, Domain
from accounts.models.flag_deed import FlagDeed
from accounts.models.folder import Folder, FolderSnapshot, Subscription
from accounts.models.folder_right import FolderRight
from accounts.models.mailbox import Credential, Mailbox, MaildropLock, PopDeletion
from accounts.models.message import Entry, Message, Vanished
from accounts.models.overview import Overview
from accounts.models.recoverable import Recoverable, RecoverableEntry
from accounts.models.search_index import SearchBits, SearchBlock, SearchCursor
from accounts.models.search_text import SearchText
from accounts.models.sender_right import SenderRight
from accounts.models.sort_keys import SortKeys
from accounts.models.tenant import Tenant
from accounts.models.thread import ThreadCursor, ThreadedMessage, ThreadName
from accounts.models.user import Membership, User

__all__ = [
    "AccessToken",
    "Alias",
    "AliasTarget",
    "Annotation",
    "Blob",
    "Change",
    "ClientRule",
    "CommitMark",
    "Credential",
    "DirectoryVersion",
    "DkimKey",
    "Domain",
    "Entry",
    "FlagDeed",
    "Folder",
    "FolderRight",
    "FolderSnapshot",
    "Mailbox",
    "MaildropLock",
    "Membership",
    "Message",
    "Overview",
    "PopDeletion",
    "Recoverable",
    "RecoverableEntry",
    "SearchBits",
    "SearchBlock",
    "SearchCursor",
    "SearchText",
    "Segment",
    "SenderRight",
    "SortKeys",
    "Subscription",
    "Tenant",
    "ThreadCursor",
    "ThreadName",
    "ThreadedMessage",
    "User",
    "Vanished",
]
